//! Constants: stored once, under the names of the weights they are.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use candle_nn::{
    BatchNorm, Conv2d, Embedding, LayerNorm, Linear, PReLU, VarBuilder, VarMap, batch_norm, conv2d,
    embedding, layer_norm, linear, prelu,
};
use taper_export::flow::{Export, Flow, Inference, Layer, LayerT, ops};
use taper_export::onnx::OnnxModel;

use super::check::{fill, ids, numbers};

fn constants(file: &OnnxModel) -> Vec<&str> {
    file.proto().graph.as_ref().unwrap().initializer.iter().map(|tensor| tensor.name.as_str()).collect()
}

fn nodes(file: &OnnxModel) -> Vec<(&str, &str)> {
    let nodes = &file.proto().graph.as_ref().unwrap().node;
    nodes.iter().map(|node| (node.op_type.as_str(), node.name.as_str())).collect()
}

/// candle's way of masking, of fixed size.
fn masked_fill<F: Flow>(scores: &F, mask: &F) -> Result<F> {
    let lowest = F::from(Tensor::new(-1e4f32, &Device::Cpu)?).broadcast_as(scores.dims())?;
    mask.broadcast_as(scores.dims())?.where_cond(&lowest, scores)
}

struct Masked(Tensor);
impl Layer for Masked {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let mut xs = xs.clone();
        for _ in 0..3 {
            xs = ops::softmax_last_dim(&masked_fill(&xs, &F::from(self.0.clone()))?)?;
        }
        let zeros = F::from(self.0.clone()).zeros_like()?.to_dtype(DType::F32)?.broadcast_as(xs.dims())?;
        xs + zeros
    }
}

#[test]
fn a_large_constant_that_repeats_a_small_one_is_not_stored() {
    let mask: Vec<u8> = (0..64 * 64).map(|place| u8::from(place % 64 > place / 64)).collect();
    let masked = Masked(Tensor::from_vec(mask, (64, 64), &Device::Cpu).unwrap());
    let export = Export::new("masked").input("x", &numbers(&[2, 8, 64, 64], 1), &[]);
    let file = export.record(&masked).unwrap();
    // The scores are 256 KiB; the mask is 4, and is there once, as are the zeros.
    assert!(file.encoded_len() < 32 << 10, "{} bytes", file.encoded_len());
    assert!(export.verify(&file, &masked).unwrap().max_abs_diff < 1e-6);
}

struct Twice(Tensor);
impl Layer for Twice {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let table = || Ok::<F, candle_core::Error>(F::from((&self.0 * 2.0)?));
        xs.broadcast_add(&table()?)?.relu()?.broadcast_mul(&table()?)
    }
}

#[test]
fn equal_constants_are_stored_once() {
    let export = Export::new("twice").input("x", &numbers(&[4, 6], 1), &[(0, "N")]);
    let file = export.record(&Twice(numbers(&[6], 2))).unwrap();
    assert_eq!(constants(&file), ["broadcast_add.constant"]);
}

/// Layers whose weights are copied on the way from a file, and some of which hold the same numbers.
struct Loaded {
    conv: Conv2d,
    bn: BatchNorm,
    norms: [LayerNorm; 2],
    fc: Linear,
}

impl Loaded {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            conv: conv2d(2, 4, 3, Default::default(), vb.pp("conv"))?,
            bn: batch_norm(4, 1e-5, vb.pp("bn"))?,
            norms: [layer_norm(4, 1e-5, vb.pp("z_norm"))?, layer_norm(4, 1e-5, vb.pp("a_norm"))?],
            fc: linear(4, 3, vb.pp("head.fc"))?,
        })
    }
}

impl LayerT for Loaded {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let xs = xs.apply(&self.conv)?.relu()?.apply_t(&self.bn, train)?.mean((2, 3))?;
        xs.apply(&self.norms[0])?.apply(&self.norms[1])?.apply(&self.fc)
    }
}

#[test]
fn weights_from_a_file_keep_its_names() {
    let vars = VarMap::new();
    Loaded::new(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu)).unwrap();
    fill(&vars);
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    for (name, var) in vars.data().lock().unwrap().iter() {
        tensors.insert(name.clone(), var.as_tensor().clone());
    }
    // The norms differ in their weights, and share their zeros.
    for name in ["a_norm.bias", "z_norm.bias"] {
        tensors.insert(name.to_owned(), Tensor::zeros(4, DType::F32, &Device::Cpu).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    safetensors::save(&tensors, &path).unwrap();

    let bytes = std::fs::read(&path).unwrap();
    let vb = VarBuilder::from_slice_safetensors(&bytes, DType::F32, &Device::Cpu).unwrap();
    let model = Inference(Loaded::new(vb).unwrap());
    let export = Export::new("loaded").input("x", &numbers(&[4, 2, 5, 5], 1), &[(0, "N")]);
    let file = export.clone().named(safetensors::load(&path, &Device::Cpu).unwrap()).record(&model).unwrap();
    let mut found = constants(&file);
    found.retain(|name| !name.contains("axes"));
    let expected = [
        ["conv.weight", "conv.bias"],
        ["bn.running_mean", "bn.running_var"],
        ["bn.weight", "bn.bias"],
        ["z_norm.weight", "z_norm.bias"],
        ["a_norm.weight", "a_norm.bias"],
        ["head.fc.weight", "head.fc.bias"],
    ];
    assert_eq!(found, expected.as_flattened());
    let titles: Vec<&str> = nodes(&file).into_iter().map(|(_, name)| name).collect();
    assert!(
        ["conv", "bn", "z_norm", "a_norm", "head.fc"].iter().all(|name| titles.contains(name)),
        "{titles:?}"
    );

    // Half precision in the file, float32 in the model.
    let halves = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_dtype(DType::F16).unwrap()));
    let halves: HashMap<String, Tensor> = halves.collect();
    safetensors::save(&halves, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let vb = VarBuilder::from_slice_safetensors(&bytes, DType::F32, &Device::Cpu).unwrap();
    let file = export.named(halves).record(&Inference(Loaded::new(vb).unwrap())).unwrap();
    assert!(constants(&file).contains(&"head.fc.weight"), "{:?}", constants(&file));
}

/// An embedding whose table is the output layer too, turned; and slopes, which candle lays over the channels.
struct Tied {
    wte: Embedding,
    acts: [PReLU; 2],
}

impl Layer for Tied {
    fn forward<F: Flow>(&self, ids: &F) -> Result<F> {
        let xs = ids.apply(&self.wte)?.transpose(1, 2)?.apply(&self.acts[0])?.apply(&self.acts[1])?;
        xs.transpose(1, 2)?.broadcast_matmul(&F::from(self.wte.embeddings().clone()).t()?)
    }
}

#[test]
fn slopes_keep_their_names_and_tied_weights_are_stored_once() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let acts = [prelu(Some(8), vb.pp("act1")).unwrap(), prelu(None, vb.pp("act2")).unwrap()];
    let tied = Tied { wte: embedding(11, 8, vb.pp("wte")).unwrap(), acts };
    fill(&vars);
    let sample = ids(&[4, 5], 11, 1);
    let export = Export::new("tied").weights(&vars).input("ids", &sample, &[(0, "N"), (1, "T")]);
    let file = export.record(&tied).unwrap();
    assert_eq!(constants(&file), ["wte.weight", "act1.weight", "act2.weight"]);
    let expected = [
        ("Gather", "wte"),
        ("Transpose", "transpose"),
        ("PRelu", "act1"),
        ("PRelu", "act2"),
        ("Transpose", "transpose_2"),
        ("Transpose", "wte_2"),
        ("MatMul", "wte_3"),
    ];
    assert_eq!(nodes(&file), expected);
    assert!(export.verify(&file, &tied).unwrap().max_abs_diff < 1e-5);
}
