//! What was exported, and how to run it in Rust, Python and JavaScript.

use crate::card::{ExportFacts, ModelCard};
use crate::markdown::{code, count, escape};
use crate::snippets::{self, Snippet};

/// `[C, H, W]` of MNIST's images, the ones that `taper predict` prepares.
const DIGIT: [usize; 3] = [1, 28, 28];

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let mut text = String::from(
        "## Use\n\n`model.safetensors` holds the weights under the names that PyTorch's `state_dict` would give them; \
         `config.toml` runs the training again.\n",
    );
    if let Some(facts) = &card.options.export {
        text += &format!("\n{}\n", exported(facts));
        text += &snippets(card);
    }
    if card.data.source.starts_with("folder:") {
        text += "\nOr classify image files with Taper itself, which scales and crops them as it did those it was trained on:\n\n\
                 ```sh\ntaper predict --run . photo.jpg\n```\n";
    } else if card.graph.input_shape().item() == DIGIT {
        text += "\nOr classify image files with Taper itself, which scales and centres them as MNIST does:\n\n\
                 ```sh\ntaper predict --run . digit.png\n```\n";
    }
    text
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
