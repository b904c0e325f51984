//! Names of classes in plots, whose font has the characters of Western languages only.

use std::collections::BTreeSet;

use taper_graph::Preset;
use taper_report::Report;
use ttf_parser::Face;

use crate::look::texts;
use crate::report::full;
use crate::{mnist, scores};

/// The texts of the table of datasets, names of classes among them; a text of many characters may be one name or many.
fn names() -> BTreeSet<String> {
    let table = include_str!("../../../taper-data/src/known.rs");
    let lines = table.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts: Vec<&str> = lines.flat_map(|line| line.split('"').skip(1).step_by(2)).collect();
    let letters = texts.iter().flat_map(|text| text.chars().map(String::from));
    texts.iter().map(|text| (*text).to_owned()).chain(letters).collect()
}

#[test]
fn every_class_of_the_known_datasets_can_be_read_in_plots() {
    let font = include_bytes!("../../fonts/Roboto-Regular-subset.ttf");
    let font = Face::parse(font, 0).unwrap();
    let has = |text: &str| text.chars().all(|c| font.glyph_index(c).is_some());
    let (evaluation, graph) = (scores(10), Preset::Tutorial.graph().unwrap());
    let names: Vec<String> = names().into_iter().collect();
    for wanted in ["Ankle boot", "automobile", "t", "\u{304a}"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not in the table of datasets");
    }
    for names in names.chunks(10) {
        let mut parts = full(&evaluation);
        parts.class_names = (0..10).map(|class| names[class % names.len()].clone()).collect();
        let report = Report::new(&graph, mnist(), parts);
        let plots = report.plots().unwrap();
        for plot in &plots {
            let unread: Vec<_> = texts(&plot.svg()).into_iter().filter(|(.., text)| !has(text)).collect();
            assert!(unread.is_empty(), "{}: {unread:?}", plot.name());
        }
        let matrix = plots.iter().find(|plot| plot.name() == "confusion").unwrap().svg();
        let shown: Vec<String> = texts(&matrix).into_iter().map(|(.., text)| text).collect();
        for (class, name) in names.iter().enumerate() {
            let name = if has(name) { name.clone() } else { format!("class {class}") };
            assert!(shown.contains(&name), "{name} is not in {shown:?}");
        }
        // The page has the reader's fonts.
        let page = report.render().unwrap();
        assert!(names.iter().all(|name| page.contains(&**name)), "{names:?}");
    }
}
