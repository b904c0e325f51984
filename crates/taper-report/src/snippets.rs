//! How `model.onnx` is run in Rust, Python and JavaScript: said once, for the model card and the report.
//!
//! Each is run as it stands here: the Rust one by `tests/all/snippets.rs` of `taper`, the others by
//! `.ci/python/check_snippets.py`.

use taper_graph::Graph;

/// A few lines of code that run the exported file.
pub(crate) struct Snippet {
    pub(crate) language: &'static str,
    /// What Markdown calls the language.
    pub(crate) tag: &'static str,
    pub(crate) library: &'static str,
    /// Where the library is.
    pub(crate) address: &'static str,
    pub(crate) code: String,
}

/// The code for a network, in three languages.
pub(crate) fn of(graph: &Graph) -> [Snippet; 3] {
    let one = graph.input_shape().with_batch(1);
    let sizes = one.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let shape = graph.input_shape().to_string();
    let rust = format!(
        r#"use rten_tensor::NdTensor;

let model = rten::Model::load_file("model.onnx")?;
let image = NdTensor::from_data([{sizes}], pixels); // pixels: Vec<f32> in 0…1
let logits: NdTensor<f32, 2> = model.run_one(image.into(), None)?.try_into()?;
"#
    );
    let python = format!(
        r#"import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(logits,) = session.run(["logits"], {{"image": images}})  # images: numpy float32 {shape} in 0…1
classes = logits.argmax(axis=1)
"#
    );
    let javascript = format!(
        r#"import * as ort from "onnxruntime-web";

const session = await ort.InferenceSession.create("model.onnx");
const image = new ort.Tensor("float32", pixels, [{sizes}]); // pixels: Float32Array in 0…1
const {{ logits }} = await session.run({{ image }});
"#
    );
    [
        Snippet {
            language: "Rust",
            tag: "rust",
            library: "rten",
            address: "https://crates.io/crates/rten",
            code: rust,
        },
        Snippet {
            language: "Python",
            tag: "python",
            library: "onnxruntime",
            address: "https://pypi.org/project/onnxruntime/",
            code: python,
        },
        Snippet {
            language: "JavaScript",
            tag: "js",
            library: "onnxruntime-web",
            address: "https://www.npmjs.com/package/onnxruntime-web",
            code: javascript,
        },
    ]
}
