//! What was exported, and how to run it in Rust, Python and JavaScript.

use crate::card::{ExportFacts, ModelCard};
use crate::markdown::{code, count, escape};

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
    if card.graph.input_shape().item() == DIGIT {
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
    let one = card.graph.input_shape().with_batch(1);
    let sizes = one.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let shape = card.graph.input_shape().to_string();
    format!(
        r#"
In Rust, with [rten](https://crates.io/crates/rten):

```rust
use rten_tensor::NdTensor;

let model = rten::Model::load_file("model.onnx")?;
let image = NdTensor::from_data([{sizes}], pixels); // pixels: Vec<f32> in 0…1
let logits: NdTensor<f32, 2> = model.run_one(image.into(), None)?.try_into()?;
```

In Python, with [onnxruntime](https://pypi.org/project/onnxruntime/):

```python
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(logits,) = session.run(["logits"], {{"image": images}})  # images: numpy float32 {shape} in 0…1
classes = logits.argmax(axis=1)
```

In JavaScript, with [onnxruntime-web](https://www.npmjs.com/package/onnxruntime-web):

```js
import * as ort from "onnxruntime-web";

const session = await ort.InferenceSession.create("model.onnx");
const image = new ort.Tensor("float32", pixels, [{sizes}]); // pixels: Float32Array in 0…1
const {{ logits }} = await session.run({{ image }});
```

The classes, in the order of the logits: {names}.
"#,
        names = (0..card.evaluation.per_class.len())
            .map(|class| code(card.plain_class_name(class).as_ref()))
            .collect::<Vec<_>>()
            .join(", "),
    )
}
