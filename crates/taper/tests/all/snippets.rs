//! The Rust that a model card shows runs as it stands there.

use std::error::Error;
use std::fs;

use crate::program::{copy_of_small_run, succeed};

/// The function below, as text.
const HERE: &str = include_str!("snippets.rs");

/// rten as the card's code finds it in the folder of the run: tests share one process, whose folder is another.
mod rten {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    pub(super) static FOLDER: OnceLock<PathBuf> = OnceLock::new();

    pub(super) struct Model;

    impl Model {
        pub(super) fn load_file(name: &str) -> Result<::rten::Model, Box<dyn std::error::Error>> {
            Ok(::rten::Model::load_file(FOLDER.get().unwrap().join(name))?)
        }
    }
}

/// What the card shows.
#[rustfmt::skip]
fn logits(pixels: Vec<f32>) -> Result<Vec<f32>, Box<dyn Error>> {
    use rten_tensor::NdTensor;

    let model = rten::Model::load_file("model.onnx")?;
    let image = NdTensor::from_data([1, 1, 28, 28], pixels); // pixels: Vec<f32> in 0…1
    let logits: NdTensor<f32, 2> = model.run_one(image.into(), None)?.try_into()?;
    Ok(logits.into_data())
}

#[test]
fn the_rust_of_the_model_card_gives_the_networks_logits() {
    let (folder, run) = copy_of_small_run();
    let card = fs::read_to_string(run.join("README.md")).unwrap();
    let code = card.split_once("```rust\n").unwrap().1.split_once("```").unwrap().0;
    let unindented: String =
        HERE.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    assert!(unindented.contains(code), "the card's code is other than what is tested here:\n{code}");

    succeed(folder.path(), &["reference", "run", "--out", "reference.safetensors"]);
    let bytes = fs::read(folder.path().join("reference.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name: &str, count: usize| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap().data();
        data.chunks_exact(4).take(count).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    rten::FOLDER.set(run).unwrap();
    let (found, expected) = (logits(numbers("images", 784)).unwrap(), numbers("logits", 10));
    assert_eq!(found.len(), 10);
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
    }
}
