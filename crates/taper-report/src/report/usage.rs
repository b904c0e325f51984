//! How to load the model elsewhere.

use maud::html;

use super::{Report, Section};
use crate::snippets;

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let facts = report.parts.export.as_ref()?;
    let names: Vec<String> = (0..report.classes()).map(|class| report.class_name(class)).collect();
    let body = html! {
        p {
            code { "model.onnx" } " (opset " (facts.opset) ", IR version " (facts.ir_version) ") takes " code { "image" } " "
            (report.graph.input_shape()) ", float32 in 0…1 (byte ÷ 255), and gives " code { "logits" } " "
            (report.graph.output_shape()) "; softmax makes probabilities of them. The classes, in order: " (names.join(", ")) "."
        }
        @for snippet in snippets::of(report.graph) {
            h3 { (snippet.language) ", with " a href=(snippet.address) { (snippet.library) } }
            pre tabindex="0" { code { (snippet.code) } }
        }
    };
    Some(Section { id: "use", title: "Use the model", body })
}
