//! The page that compares runs.

use taper_report::{Curves, OverlaidRun, Overlay};

use crate::markup::{elements, words};
use crate::report::curves;

fn overlay() -> Overlay {
    let mut slower = curves();
    slower.steps.iter_mut().for_each(|step| step.loss *= 3.0);
    let run = |name: &str, curves| OverlaidRun { name: name.to_owned(), curves };
    let mut overlay = Overlay::default();
    overlay.runs = vec![run("fast", curves()), run("<slow>", slower)];
    overlay.facts = vec![("test accuracy".to_owned(), vec!["99.18 % *".to_owned(), "-".to_owned()])];
    overlay
}

#[test]
fn every_run_has_a_column_and_a_line_in_every_chart() {
    let page = overlay().render().unwrap();
    let found = elements(&page);
    let count = |name: &str| found.iter().filter(|element| element.name == name).count();
    assert_eq!((count("svg"), count("script"), count("link")), (4, 0, 0));
    assert_eq!(found.iter().filter(|element| element.get("scope") == Some("col")).count(), 2);
    let lines = |color: &str| {
        let of = |element: &&crate::markup::Element| {
            element.name == "polyline" && element.get("stroke") == Some(&*format!("var(--plot-{color})"))
        };
        found.iter().filter(of).count()
    };
    assert!(lines("blue") >= 4 && lines("blue") == lines("orange"), "{} {}", lines("blue"), lines("orange"));
    let words = words(&page);
    for text in
        ["2 runs side by side", "99.18 % *", "fast", "&lt;slow&gt;", "Validation loss, epoch by epoch"]
    {
        assert!(words.contains(text), "{text} is not in {words}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    // The one address names the kind of XML; nothing is loaded.
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("://"));
}

#[test]
fn runs_without_a_history_have_a_table_still() {
    let mut overlay = overlay();
    overlay.runs.iter_mut().for_each(|run| run.curves = Curves::default());
    let page = overlay.render().unwrap();
    assert!(
        !page.contains("<svg")
            && page.contains("No run has a history that can be drawn")
            && page.contains("99.18 % *")
    );
}

#[test]
fn the_page_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compare.html");
    overlay().write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), overlay().render().unwrap());
    let error = overlay().write(&folder.path().join("nowhere/compare.html")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
