//! What was exported, and how to run it in Rust, Python and JavaScript.

use taper_data::Preparation;

use crate::card::{ExportFacts, ModelCard};
use crate::markdown::{code, count, escape};
use crate::snippets::{self, Snippet};

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let mut text = String::from(
        "## Use\n\n`model.safetensors` holds the weights under the names that PyTorch's `state_dict` would give them; \
         `config.toml` runs the training again.\n",
    );
    if let Some(facts) = &card.options.export {
        text += &format!("\n{}\n", exported(facts));
        text += &snippets(card);
    }
    text + &predicted(card)
}

/// How Taper itself classifies pictures; nothing of networks that `taper predict` does not take.
fn predicted(card: &ModelCard<'_>) -> String {
    let preparation = Preparation::of(&card.data.name, &card.data.source);
    let image = <[usize; 3]>::try_from(card.graph.input_shape().item());
    let Some([_, height, width]) = image.ok().filter(|image| preparation.takes(*image)) else {
        return String::new();
    };
    let (file, how) = match preparation {
        Preparation::Handwriting => ("digit.png", "scales and centres them as MNIST does".to_owned()),
        Preparation::Picture => {
            let how = format!(
                "scales and crops them to {height}×{width} pixels and leaves light and dark as they are"
            );
            ("photo.jpg", how)
        }
    };
    format!(
        "\nOr classify image files with Taper itself, which {how}:\n\n```sh\ntaper predict --run . {file}\n```\n"
    )
}

fn exported(facts: &ExportFacts) -> String {
    format!(
        "`model.onnx` is an ONNX file of opset {}, IR version {}, input `image`, output `logits`, any batch size N. It \
         was run in {} on {} test images: its logits differ from the trained network's by {:.2e} at most.",
        facts.opset,
        facts.ir_version,
        escape(&facts.runtime),
        count(facts.verified_images),
        facts.max_abs_diff,
    )
}

fn snippets(card: &ModelCard<'_>) -> String {
    let mut text = String::new();
    for snippet in snippets::of(card.graph) {
        let Snippet { language, tag, library, address, code } = snippet;
        text += &format!("\nIn {language}, with [{library}]({address}):\n\n```{tag}\n{code}```\n");
    }
    let names = (0..card.evaluation.per_class.len()).map(|class| code(card.plain_class_name(class).as_ref()));
    text + &format!("\nThe classes, in the order of the logits: {}.\n", names.collect::<Vec<_>>().join(", "))
}
