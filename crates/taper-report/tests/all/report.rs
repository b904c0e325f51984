//! The report: every section with made-up values, and what is left out without them.

use base64::Engine as _;
use taper_graph::Preset;
use taper_report::{
    Curves, EpochPoint, Explanation, Maps, Picture, Report, ReportParts, Sample, Speed, SplitSizes, StepPoint,
};

use crate::markup::{decode, elements, words};
use crate::{mnist, options, scores, synthetic};

pub(crate) fn curves() -> Curves {
    let steps = (1..=40).map(|step| StepPoint {
        epoch: if step <= 20 { 1 } else { 2 },
        step,
        loss: 2.3 / step as f64,
        accuracy: 1.0 - 0.9 / step as f64,
        learning_rate: 1e-3,
    });
    let epochs = [(1, 20, 0.5, 0.8), (2, 40, 0.25, 0.9)];
    let epochs = epochs.map(|(epoch, step, loss, accuracy)| EpochPoint { epoch, step, loss, accuracy });
    Curves { steps: steps.collect(), epochs: epochs.to_vec() }
}

/// A picture with one white pixel, at the upper left.
pub(crate) fn picture() -> Picture {
    let mut pixels = [0; 784];
    pixels[0] = 255;
    Picture::of_image([1, 28, 28], &pixels).unwrap()
}

pub(crate) fn sample(index: usize, label: usize, taken: usize) -> Sample {
    let mut probabilities = vec![0.001; 10];
    probabilities[label] = 0.2;
    probabilities[taken] = 0.75;
    Sample { index, picture: picture(), label, probabilities, explanations: Vec::new() }
}

/// A map whose lower right corner is the only one that speaks for the class.
fn corner() -> Maps {
    let mut data = vec![0.0; 49];
    data[48] = 2.0;
    Maps::new("layer3.1", [1, 7, 7], data).unwrap()
}

pub(crate) fn full(evaluation: &taper_metrics::Evaluation) -> ReportParts<'_> {
    let mut parts = ReportParts::default();
    parts.class_names = (0..10).map(|digit| digit.to_string()).collect();
    parts.splits = Some(SplitSizes { train: 55_000, validation: 5_000, test: 10_000 });
    parts.evaluation = Some(evaluation);
    parts.shifted = Some(evaluation);
    parts.curves = curves();
    parts.kept_epoch = Some(2);
    parts.notes = vec!["Training was stopped after 2 of 5 epochs.".to_owned()];
    parts.speed = Some(Speed {
        seconds: 12.5,
        images_per_second: 4400.0,
        threads: 2,
        instruction_set: "avx2".to_owned(),
    });
    parts.export = options().export;
    parts.settings = vec![("learning rate".to_owned(), "0.001".to_owned())];
    parts.config = Some("[train]\nepochs = 2\n".to_owned());
    parts.versions = vec![("Taper".to_owned(), "0.1.0".to_owned())];
    parts.gallery = vec![sample(3, 4, 4), sample(5, 7, 7)];
    let explanation = |class| Explanation { class, map: corner() };
    let explained = Sample { explanations: vec![explanation(9), explanation(4)], ..sample(24, 4, 9) };
    parts.mistakes = vec![explained, sample(7, 7, 1)];
    parts.filters = Maps::new("layer1.0", [32, 3, 3], (0..288).map(|at| at as f32 - 100.0).collect());
    let maps = |name, count: usize, side: usize| {
        Maps::new(name, [count, side, side], vec![0.5; count * side * side]).unwrap()
    };
    parts.features = Some((picture(), vec![maps("layer1.1", 32, 28), maps("layer2.1", 64, 14)]));
    parts
}

pub(crate) fn page(parts: ReportParts<'_>) -> String {
    Report::new(&Preset::Tutorial.graph().unwrap(), mnist(), parts).render().unwrap()
}

const SECTIONS: [&str; 10] = [
    "training",
    "classes",
    "confusion",
    "calibration",
    "results",
    "mistakes",
    "inside",
    "network",
    "settings",
    "use",
];

fn sections(page: &str) -> Vec<String> {
    let all = elements(page);
    all.iter().filter(|e| e.name == "section").map(|e| e.get("id").unwrap().to_owned()).collect()
}

#[test]
fn every_section_tells_what_it_should() {
    let evaluation = scores(10);
    let page = page(full(&evaluation));
    assert_eq!(sections(&page), SECTIONS);
    let words = words(&page);
    let told = [
        ("headline", "90.00 %"),
        ("headline", "4 of 40 test images wrong"),
        ("headline", "4,400 images/s on 2 threads (avx2)"),
        ("headline", "With test-time augmentation"),
        ("headline", "of the weights kept: epoch 2 of 2, loss 0.2500"),
        ("headline", "Training was stopped after 2 of 5 epochs."),
        ("headline", "1,379,557"),
        ("headline", "on 1,000 images in rten 0.27.0"),
        ("training", "Loss, step by step"),
        ("training", "Accuracy, epoch by epoch"),
        ("training", "Learning rate"),
        ("classes", "Precision"),
        ("calibration", "expected calibration error"),
        ("results", "75.0 %"),
        ("mistakes", "4 taken for 9"),
        ("mistakes", "9: 75.0 % · 4: 20.0 %"),
        ("mistakes", "bright where the maps of layer3.1 speak for"),
        ("inside", "32 filters of 3×3 weights in layer1.0"),
        ("inside", "64 maps of 14×14"),
        ("network", "convolution 3×3"),
        ("network", "8,737,386"),
        ("settings", "ab12ab12"),
        ("settings", "CC BY-SA 3.0"),
        ("settings", "55,000"),
        ("settings", "epochs = 2"),
        ("settings", "VersionsTaper0.1.0"),
        ("use", "onnxruntime.InferenceSession"),
        ("use", "rten::Model::load_file"),
        ("use", "ort.InferenceSession.create"),
    ];
    let missing: Vec<_> = told.into_iter().filter(|(_, text)| !words.contains(text)).collect();
    assert!(missing.is_empty(), "{missing:?} are not said");
}

#[test]
fn what_is_not_known_is_left_out() {
    let graph = Preset::LeNet5.graph().unwrap();
    let bare = Report::new(&graph, synthetic(), ReportParts::default());
    let page = bare.render().unwrap();
    assert_eq!(sections(&page), ["network", "settings"]);
    assert!(page.contains("never seen MNIST") && page.contains("has not been scored"));
    assert_eq!(
        bare.plots().unwrap().iter().map(|plot| plot.name().to_owned()).collect::<Vec<_>>(),
        ["network"]
    );
    assert!(!words(&page).contains("ONNX"));
}

#[test]
fn the_page_is_accessible_and_complete_in_itself() {
    let evaluation = scores(10);
    let page = page(full(&evaluation));
    let all = elements(&page);
    for element in &all {
        match &*element.name {
            "img" => {
                assert!(element.get("alt").is_some_and(|alt| alt.len() > 8), "{element:?} says nothing");
                assert!(element.get("src").unwrap().starts_with("data:image/png;base64,"), "{element:?}");
            }
            "th" => assert!(matches!(element.get("scope"), Some("row" | "col")), "{element:?}"),
            "svg" => assert!(element.get("aria-label").is_some_and(|label| !label.is_empty()), "{element:?}"),
            "a" => {
                let address = element.get("href").unwrap();
                let inside = address.strip_prefix('#').is_some_and(|id| SECTIONS.contains(&id));
                assert!(inside || address.starts_with("https://"), "{address}");
            }
            "script" | "link" | "iframe" => panic!("the page must load nothing: {element:?}"),
            _ => {}
        }
    }
    let html = all.iter().find(|element| element.name == "html").unwrap();
    assert_eq!(html.get("lang"), Some("en"));
    for wanted in ["prefers-color-scheme: dark", "@media print", "width=device-width", "default-src 'none'"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("@import") && !page.contains("url("), "the style must load nothing");
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn names_of_classes_cannot_become_markup() {
    let evaluation = scores(10);
    let mut parts = full(&evaluation);
    parts.class_names = (0..10).map(|digit| format!("<b>{digit}</b> & \"co\"")).collect();
    let graph = Preset::Tutorial.graph().unwrap();
    let data = taper_report::DataFacts { name: "<script>".to_owned(), ..mnist() };
    let report = Report::new(&graph, data, parts);
    let page = report.render().unwrap();
    assert!(elements(&page).iter().all(|element| element.name != "script"));
    assert!(page.contains("&lt;b&gt;4&lt;/b&gt; &amp; &quot;co&quot;"));
    for plot in report.plots().unwrap() {
        elements(&plot.svg());
        assert!(plot.png().is_ok(), "{}", plot.name());
    }
}

#[test]
fn the_confusion_matrix_has_every_count_and_marks_mistakes() {
    let evaluation = scores(10);
    let page = page(full(&evaluation));
    let cells = elements(&page);
    let count = |class: &str| {
        cells.iter().filter(|e| e.get("class").is_some_and(|c| c.split(' ').any(|c| c == class))).count()
    };
    assert_eq!((count("right"), count("wrong")), (10, 2), "4 taken for 9, and 7 for 1");
    assert!(page.contains(">3</td>"), "three 4s were taken for 9");
}

#[test]
fn digits_can_be_read_on_every_shade_of_the_confusion_matrix() {
    // Of the 20 images of class t, t + 10 are taken for it, and the others for the next class.
    let mut evaluator = taper_metrics::Evaluator::new(10);
    for image in 0..200 {
        let (truth, number) = (image % 10, image / 10);
        let mut logits = [0.0; 10];
        logits[if number < truth + 10 { truth } else { (truth + 1) % 10 }] = 5.0;
        evaluator.update(&logits, &[truth]).unwrap();
    }
    let evaluation = evaluator.finish().unwrap();
    let page = page(full(&evaluation));
    let mut shades = 0;
    for cell in elements(&page) {
        let Some(shade) = cell.get("style").and_then(|style| style.strip_prefix("--a:")) else { continue };
        let shade: f64 = shade.parse().unwrap();
        let light_digits = cell.get("class").unwrap().contains("strong");
        assert!(if light_digits { shade >= 0.9 } else { shade <= 0.5 }, "{cell:?}");
        shades += 1;
    }
    assert_eq!(shades, 20);
}

#[test]
fn heat_lies_where_the_map_says() {
    let evaluation = scores(10);
    let page = page(full(&evaluation));
    let all = elements(&page);
    let overlay = all.iter().find(|e| e.get("alt").is_some_and(|alt| alt.contains("speaks for 9"))).unwrap();
    let encoded = overlay.get("src").unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let png = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let (width, height, channels, pixels) = decode(&png);
    assert_eq!((width, height, channels), (112, 112, 3));
    let pixel = |x: usize, y: usize| &pixels[3 * (y * width + x)..][..3];
    assert_eq!(pixel(0, 0), [255, 255, 255], "the picture's white pixel, which nothing covers");
    assert_eq!(pixel(40, 40), [0, 0, 0]);
    assert!(pixel(110, 110)[0] > 120, "{:?} is not hot", pixel(110, 110));
    let brightness = |at: usize| pixel(at, at).iter().map(|&c| u32::from(c)).sum::<u32>();
    assert!(brightness(96) < brightness(100) && brightness(100) < brightness(104), "it fades");
}

#[test]
fn a_diagram_has_all_layers_and_the_connections_that_skip_some() {
    for (preset, skips) in [(Preset::Tutorial, 0), (Preset::LeNet5, 0), (Preset::Residual, 3)] {
        let graph = preset.graph().unwrap();
        let report = Report::new(&graph, mnist(), ReportParts::default());
        let plots = report.plots().unwrap();
        let svg = plots[0].svg();
        let words = words(&svg);
        for node in graph.nodes() {
            assert!(words.contains(&node.name), "{preset:?}: {} is not drawn", node.name);
        }
        let lines = elements(&svg);
        let bends =
            lines.iter().filter(|e| e.get("points").is_some_and(|points| points.split(' ').count() == 4));
        // The two branches of a block: past the layers, and into the second branch.
        assert_eq!(bends.count(), skips, "{preset:?}");
        assert!(plots[0].png().is_ok());
    }
}

#[test]
fn colour_images_and_odd_numbers_of_channels_are_shown() {
    let colour = Picture::of_image([3, 1, 2], &[255, 0, 0, 255, 7, 8]).unwrap();
    assert_ne!(colour, Picture::of_image([1, 1, 2], &[255, 0]).unwrap());
    assert_eq!(Picture::of_image([2, 1, 1], &[10, 30]), Picture::of_image([1, 1, 1], &[20]));
    for (shape, bytes) in [([0, 1, 1], 0), ([1, 0, 1], 0), ([1, 2, 2], 3), ([usize::MAX, 2, 1], 2)] {
        assert!(Picture::of_image(shape, &vec![0; bytes]).is_none(), "{shape:?}");
    }
}
