//! Much of everything: steps, classes, pixels, connections. A page stays small, and is there in a moment.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use taper_graph::{Conv2d, Graph, Linear, Op, Preset};
use taper_metrics::Evaluator;
use taper_report::{Curves, EpochPoint, Explanation, Maps, Picture, Report, ReportParts, Sample, StepPoint};

use crate::markup::{decode, elements, words};
use crate::report::picture;
use crate::{mnist, scores};

/// What `work` gives; it fails when that takes minutes, or for ever.
pub(crate) fn soon<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(120)).expect("done within two minutes")
}

#[test]
fn a_million_steps_are_drawn_in_a_moment() {
    let page = soon(|| {
        let (epochs, of) = (10_000, 100);
        let steps = (1..=epochs * of).map(|step| StepPoint {
            epoch: (step - 1) / of + 1,
            step,
            loss: 1.0 / step as f64,
            accuracy: 1.0 - 0.9 / step as f64,
            learning_rate: 1e-3,
        });
        let validated =
            (1..=epochs).map(|epoch| EpochPoint { epoch, step: epoch * of, loss: 0.5, accuracy: 0.8 });
        let mut parts = ReportParts::default();
        parts.curves = Curves { steps: steps.collect(), epochs: validated.collect() };
        let graph = Preset::LeNet5.graph().unwrap();
        Report::new(&graph, mnist(), parts).render().unwrap()
    });
    assert!(page.len() < 400_000, "{} bytes", page.len());
    assert!(words(&page).contains("The numbers of one epoch in 100"));
    let rows = elements(&page).iter().filter(|e| e.name == "th" && e.get("scope") == Some("row")).count();
    assert!(rows < 150, "{rows} rows");
}

#[test]
fn many_classes_are_a_picture_with_numbers_and_a_table_of_mistakes() {
    let mut evaluator = Evaluator::new(256);
    for image in 0_usize..20_000 {
        let mut logits = [0.0; 256];
        // Of each class, nine in ten; the others are everywhere.
        logits[if image.is_multiple_of(10) { image * 7919 % 256 } else { image % 256 }] = 6.0;
        evaluator.update(&logits, &[image % 256]).unwrap();
    }
    let evaluation = evaluator.finish().unwrap();
    let graph = Graph::sequential("wide", &[1, 4, 4], [Op::Flatten, Op::Linear(Linear::new(256))]).unwrap();
    let mut parts = ReportParts::default();
    parts.class_names = (0..256).map(|class| format!("species number {class}")).collect();
    parts.evaluation = Some(&evaluation);
    parts.gallery = vec![Sample { probabilities: vec![1.0 / 256.0; 256], ..sample(picture(), Vec::new()) }];
    let report = Report::new(&graph, mnist(), parts);
    let page = report.render().unwrap();
    let told = words(&page);
    assert!(page.len() < 200_000 && !page.contains("table class=\"confusion\""), "{} bytes", page.len());
    for text in ["20000 test images by their class", "Most frequent mistakes", "17: species number 17", "200"]
    {
        assert!(told.contains(text), "{text}");
    }
    assert!(told.contains("Test images of some classes") && !told.contains("of each class that"));
    let plots = report.plots().unwrap();
    let matrix = plots.iter().find(|plot| plot.name() == "confusion").unwrap();
    assert!(matrix.svg().len() < 100_000, "{} bytes", matrix.svg().len());
    assert!(matrix.png().is_ok());
    // Thirty classes need no names, where these are the numbers.
    let evaluation = scores(30);
    let graph = Graph::sequential("wide", &[1, 4, 4], [Op::Flatten, Op::Linear(Linear::new(30))]).unwrap();
    let mut parts = ReportParts::default();
    parts.evaluation = Some(&evaluation);
    let page = Report::new(&graph, mnist(), parts).render().unwrap();
    assert!(words(&page).contains("40 test images by their class") && !words(&page).contains("7: 7"));
}

#[test]
fn a_matrix_wider_than_a_page_is_unfolded_with_all_its_counts() {
    for (classes, has_counts) in [(21, true), (47, true), (64, true), (65, false)] {
        let evaluation = scores(classes);
        let ops = [Op::Flatten, Op::Linear(Linear::new(classes))];
        let graph = Graph::sequential("wide", &[1, 4, 4], ops).unwrap();
        let mut parts = ReportParts::default();
        parts.class_names = (0..classes).map(|class| format!("letter {class}")).collect();
        parts.evaluation = Some(&evaluation);
        let page = Report::new(&graph, mnist(), parts).render().unwrap();
        let table = "table class=\"confusion turned wide\"";
        assert_eq!(page.matches(table).count(), usize::from(has_counts), "{classes}");
        let cells = elements(&page);
        let right = cells.iter().filter(|e| e.get("class").is_some_and(|c| c.starts_with("right")));
        let seen = (0..classes).filter(|&class| evaluation.confusion_matrix[class][class] > 0).count();
        assert_eq!(right.count(), if has_counts { seen } else { 0 }, "{classes}");
        assert!(page.len() < 500_000, "{classes}: {} bytes", page.len());
    }
}

#[test]
fn a_diagram_of_a_thousand_layers_is_a_picture_that_memory_holds() {
    let layers = (0..1000).map(|_| Op::Relu).chain([Op::Flatten, Op::Linear(Linear::new(10))]);
    let graph = Graph::sequential("deep", &[1, 8, 8], layers).unwrap();
    let png = soon(move || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        Report::new(&graph, mnist(), ReportParts::default()).write(&path).unwrap();
        std::fs::read(folder.path().join("plots/network.png")).unwrap()
    });
    let (width, height, channels, pixels) = decode(&png);
    assert!((10_000_000..17_000_000).contains(&(width * height)), "{width}×{height}");
    // Down to the last layer.
    let end = &pixels[channels * width * (height - height / 500)..];
    assert!(end.iter().any(|&value| value < 128), "nothing is drawn at the end");
}

fn sample(picture: Picture, explanations: Vec<Explanation>) -> Sample {
    Sample { index: 0, picture, label: 1, probabilities: vec![0.1; 10], explanations }
}

#[test]
fn large_images_in_colour_make_no_large_page() {
    // Noise, which no compression makes smaller.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for side in [96, 300] {
        let bytes: Vec<u8> = (0..3 * side * side).map(|_| noise()).collect();
        let picture = Picture::of_image([3, side, side], &bytes).unwrap();
        let maps = |count: usize, side: usize| {
            let values = (0..count * side * side).map(|at| (at * 7919 % 256) as f32).collect();
            Maps::new("stage", [count, side, side], values).unwrap()
        };
        let explain = || [0, 1].map(|class| Explanation { class, map: maps(1, 12) }).to_vec();
        let mut parts = ReportParts::default();
        parts.gallery = (0..20).map(|_| sample(picture.clone(), Vec::new())).collect();
        parts.mistakes = (0..12).map(|_| sample(picture.clone(), explain())).collect();
        parts.features = Some((picture, vec![maps(32, side), maps(64, side / 2), maps(128, side / 4)]));
        let graph = Preset::LeNet5.graph().unwrap();
        let report = Report::new(&graph, mnist(), parts);
        let page = report.render().unwrap();
        assert!(page.len() < 3_000_000, "{side}: {} bytes", page.len());
        for plot in report.plots().unwrap() {
            assert!(plot.png().is_ok(), "{}", plot.name());
        }
    }
}

#[test]
fn maps_that_do_not_fit_are_not_all_shown_and_that_is_said() {
    let ops = [Op::Conv2d(Conv2d::new(512, 3)), Op::Flatten, Op::Linear(Linear::new(10))];
    let graph = Graph::sequential("many", &[1, 28, 28], ops).unwrap();
    let mut parts = ReportParts::default();
    let maps = Maps::new("0", [512, 26, 26], vec![0.25; 512 * 26 * 26]).unwrap();
    parts.features = Some((picture(), vec![maps]));
    let page = Report::new(&graph, mnist(), parts).render().unwrap();
    assert!(words(&page).contains("205 of 512 maps of 26×26"), "{}", words(&page));
}

#[test]
fn a_diagram_has_room_for_forty_connections_beside_each_other() {
    let mut graph = Graph::new("nested", &[1, 8, 8]).unwrap();
    let mut values = vec![graph.input()];
    for layer in 1..=40 {
        let relu = graph.wire(format!("relu{layer}"), Op::Relu, &[values[layer - 1]]).unwrap();
        values.push(relu);
    }
    let mut sum = values[40];
    for layer in (0..40).rev() {
        sum = graph.wire(format!("sum{layer}"), Op::Add, &[sum, values[layer]]).unwrap();
    }
    let svg = Report::new(&graph, mnist(), ReportParts::default()).plots().unwrap()[0].svg();
    for rect in elements(&svg).iter().filter(|element| element.name == "rect") {
        let width = rect.get("width").unwrap();
        assert!(width == "100%" || width.parse::<f32>().unwrap() > 0.0, "{rect:?}");
    }
    assert!(words(&svg).contains("relu40") && words(&svg).contains("1×8×8"));
}
