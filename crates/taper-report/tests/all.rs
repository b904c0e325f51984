//! What a card says, of MNIST and of the synthetic digits; the report and its plots.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/curves.rs"]
mod curves;
#[path = "all/files.rs"]
mod files;
#[path = "all/large.rs"]
mod large;
#[path = "all/look.rs"]
mod look;
#[path = "all/markup.rs"]
mod markup;
#[path = "all/names.rs"]
mod names;
#[path = "all/overlay.rs"]
mod overlay;
#[path = "all/plots.rs"]
mod plots;
#[path = "all/report.rs"]
mod report;
#[path = "all/usage.rs"]
mod usage;

use taper_data::{Choice, Expected, Images, LoadOptions, idx};
use taper_graph::{Graph, Linear, Op, Preset};
use taper_metrics::{Evaluation, Evaluator};
use taper_report::{CardOptions, DataFacts, ExportFacts, ModelCard, SplitSizes};

fn data(name: &str, source: &str, license: Option<&str>) -> DataFacts {
    let license = license.map(str::to_owned);
    DataFacts { name: name.to_owned(), source: source.to_owned(), sha256: "ab12".repeat(16), license }
}

fn mnist() -> DataFacts {
    data("mnist", "hub:ylecun/mnist@main", Some("CC BY-SA 3.0"))
}

fn synthetic() -> DataFacts {
    data("synthetic", "synthetic:seed=0", None)
}

/// 40 images of `classes` classes; in ten classes or more, three 4s are taken for 9 and one 7 for 1.
fn scores(classes: usize) -> Evaluation {
    let mut evaluator = Evaluator::new(classes);
    for image in 0..40 {
        let truth = image % classes;
        let taken = match (image, truth) {
            (4 | 14 | 24, 4) => 9,
            (7, 7) => 1,
            _ => truth,
        };
        let mut logits = vec![0.0; classes];
        logits[taken % classes] = 6.0;
        evaluator.update(&logits, &[truth]).unwrap();
    }
    evaluator.finish().unwrap()
}

fn options() -> CardOptions {
    let mut options = CardOptions::default();
    options.class_names = (0..10).map(|digit| digit.to_string()).collect();
    options.license = Some("mit".to_owned());
    options.splits = Some(SplitSizes { train: 55_000, validation: 5_000, test: 10_000 });
    options.training = vec![("Optimiser".to_owned(), "adam, learning rate 0.001".to_owned())];
    options.taper_version = Some("0.1.0".to_owned());
    options.export = Some(ExportFacts {
        opset: 17,
        ir_version: 8,
        runtime: "rten 0.27.0".to_owned(),
        verified_images: 1000,
        max_abs_diff: 3.25e-6,
    });
    options
}

fn render(data: DataFacts, options: CardOptions) -> String {
    ModelCard::new(&Preset::Tutorial.graph().unwrap(), data, &scores(10), options).render()
}

/// The YAML header's lines, and the Markdown after it.
fn halves(card: &str) -> (Vec<&str>, &str) {
    let (header, body) = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    (header.lines().collect(), body)
}

fn assert_holds(card: &str, pieces: &[&str]) {
    let missing: Vec<_> = pieces.iter().filter(|piece| !card.contains(*piece)).collect();
    assert!(missing.is_empty(), "{missing:#?} are not in:\n{card}");
}

#[test]
fn a_card_on_mnist_tells_everything() {
    let card = render(mnist(), options());
    let (header, body) = halves(&card);
    assert_eq!(
        header,
        [
            "license: \"mit\"",
            "library_name: taper",
            "pipeline_tag: image-classification",
            "tags:",
            "- image-classification",
            "- onnx",
            "- safetensors",
            "- mnist",
            "datasets:",
            "- ylecun/mnist",
            "metrics:",
            "- accuracy",
            "model-index:",
            "- name: \"tutorial\"",
            "  results:",
            "  - task:",
            "      type: image-classification",
            "      name: Image classification",
            "    dataset:",
            "      type: ylecun/mnist",
            "      name: \"MNIST\"",
            "      config: mnist",
            "      split: test",
            "    metrics:",
            "    - type: accuracy",
            "      name: Accuracy",
            "      value: 0.9",
            "    - type: loss",
            "      name: Mean cross-entropy",
            &format!("      value: {}", scores(10).loss),
        ]
    );
    assert!(body.starts_with("\n# `tutorial` on MNIST\n"), "{body}");
    assert_holds(
        body,
        &[
            "1,379,557 parameters, trained on MNIST with Taper 0.1.0",
            "**90.00 %** of 40 test images",
            "Input `[N, 1, 28, 28]`, float32 in 0…1",
            &Preset::Tutorial.graph().unwrap().summary().to_string(),
            "| Source | `hub:ylecun/mnist@main` |",
            &format!("`{}`", "ab12".repeat(16)),
            "| Licence of the data | CC BY-SA 3.0 |",
            "| Training images | 55,000 |",
            "| Optimiser | adam, learning rate 0.001 |",
            "| Accuracy | 90.00 % |",
            "| Images classified wrongly | 4 |",
            "| 4 | 100.00 % | 25.00 % | 40.00 % | 4 |",
            "| 9 | 57.14 % | 100.00 % | 72.73 % | 4 |",
            "Most frequent mistakes: 4 taken for 9 (3×), 7 taken for 1 (1×).",
            "| 4 | · | · | · | · | 1 | · | · | · | · | 3 |",
            "opset 17, IR version 8",
            "rten 0.27.0 on 1,000 test images: its logits differ from the trained network's by 3.25e-6 at most",
            "```rust\n",
            "NdTensor::from_data([1, 1, 28, 28], pixels)",
            "```python\n",
            "numpy float32 [N, 1, 28, 28] in 0…1",
            "```js\n",
            "const { logits } = await session.run({ image });",
            "taper predict --run . digit.png",
            "## Limits",
            "<!--\nTo put this folder on the Hugging Face Hub:\n\n    hf upload USER/NAME . . --exclude 'checkpoints/*' --exclude '.*'\n-->",
        ],
    );
    assert!(!body.contains("synthetic") && !body.contains("Warning"), "{body}");
}

#[test]
fn a_card_on_synthetic_digits_warns_before_anything_else() {
    let card = render(synthetic(), options());
    let (header, body) = halves(&card);
    assert!(header.contains(&"- synthetic-data"), "{header:?}");
    assert!(!header.iter().any(|line| line.contains("mnist")), "{header:?}");
    assert!(header.contains(&"      type: \"synthetic\""), "{header:?}");
    let (before, after) = body.split_once("> **Warning: this network has never seen MNIST.**").unwrap();
    assert_eq!(before, "\n# `tutorial` on synthetic digits\n\n");
    assert!(!before.contains('%'));
    assert_holds(
        after,
        &["trained on synthetic digits", "`synthetic:seed=0`", "On real handwriting it may fail"],
    );
    assert!(!after.contains("trained on MNIST"), "{after}");
}

#[test]
fn what_is_not_known_is_not_mentioned() {
    let card = render(data("custom", "idx", None), CardOptions::default());
    let (header, body) = halves(&card);
    assert!(!header.iter().any(|line| line.starts_with("license") || line.contains("onnx")), "{header:?}");
    assert!(!header.contains(&"datasets:"), "{header:?}");
    for absent in ["onnx", "## Training", "Licence", "Validation images", "Warning"] {
        assert!(!body.contains(absent), "{absent} in {body}");
    }
    assert_holds(body, &["# `tutorial` on custom", "model.safetensors", "say which licence"]);
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_no_folder() {
    assert_eq!(render(mnist(), options()), render(mnist(), options()));
    let card = render(mnist(), options());
    for word in ["seconds", "images/s", "202", "/home", "/tmp"] {
        assert!(!card.contains(word), "{word} in {card}");
    }
}

#[test]
fn loaded_data_name_themselves_but_not_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::new(2, 1, 2, 2, vec![7; 8]).unwrap();
    for part in ["train", "t10k"] {
        idx::write_images(&folder.path().join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        idx::write_labels(&folder.path().join(format!("{part}-labels-idx1-ubyte")), &[0, 1]).unwrap();
    }
    let mut load = LoadOptions::new(Choice::Mnist);
    load.data_dir = Some(folder.path().to_owned());
    load.expected = Expected::Any;
    let provenance = taper_data::load(&load, &mut |_| {}).unwrap().provenance;
    let (graph, scores) = (Preset::LeNet5.graph().unwrap(), scores(10));
    let card = ModelCard::new(&graph, &provenance, &scores, options()).render();
    assert_holds(&card, &["# `lenet5` on custom", "| Source | `idx` |", &provenance.sha256]);
    assert!(!card.contains(folder.path().to_str().unwrap()), "{card}");
}

#[test]
fn hostile_words_stay_words() {
    let mut options = options();
    options.class_names[4] = "a|b <b>`*_\nnew".to_owned();
    options.license = Some("x\"\ntags:\n- \\evil".to_owned());
    options.training = vec![("A|B".to_owned(), "1\n\n# Heading".to_owned())];
    let card = render(data("my | data`\n# x", "a`|b", Some("<script>")), options);
    let (header, body) = halves(&card);
    assert_eq!(header[0], r#"license: "x\" tags: - \\evil""#);
    assert!(header.contains(&"      type: \"my | data` # x\""), "{header:?}");
    assert_holds(
        body,
        &[
            "| a\\|b &lt;b>\\`\\*\\_ new | 100.00 % | 25.00 % |",
            "| A\\|B | 1  \\# Heading |",
            "| Name | `my \\| data' # x` |",
            "| Source | `a'\\|b` |",
            "| Licence of the data | &lt;script> |",
            "`a|b <b>'*_ new`",
        ],
    );
    let headings = body.lines().filter(|line| line.starts_with("# ")).count();
    // One heading; the other is a comment that nobody wrote.
    assert_eq!(headings, 1, "{body}");
}

#[test]
fn other_networks_have_their_own_shapes_and_classes() {
    let graph = Graph::sequential("flat", &[12], [Op::Linear(Linear::new(3))]).unwrap();
    let mut options = options();
    options.class_names = vec!["cat".to_owned(), "dog".to_owned(), "cow".to_owned()];
    let card = ModelCard::new(&graph, mnist(), &scores(3), options.clone()).render();
    assert_holds(&card, &["from_data([1, 12], pixels)", "`cat`, `dog`, `cow`", "one of the 3 classes"]);
    assert!(!card.contains("taper predict") && !card.contains("Most frequent mistakes"), "{card}");
    // Names that are not one for each class are not used.
    options.class_names.pop();
    let card = ModelCard::new(&graph, mnist(), &scores(3), options).render();
    assert_holds(&card, &["`0`, `1`, `2`"]);
}

#[test]
fn a_wide_confusion_matrix_is_left_out() {
    let graph = Graph::sequential("wide", &[4], [Op::Linear(Linear::new(30))]).unwrap();
    let card = ModelCard::new(&graph, mnist(), &scores(30), CardOptions::default()).render();
    assert!(!card.contains("### Confusion matrix"), "{card}");
    assert_holds(&card, &["### By class", "| 29 |"]);
}

#[test]
fn the_file_is_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("README.md");
    let (graph, scores) = (Preset::LeNet5.graph().unwrap(), scores(10));
    let card = ModelCard::new(&graph, mnist(), &scores, options());
    card.write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), card.render());
    let error = card.write(&folder.path().join("nowhere/README.md")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
