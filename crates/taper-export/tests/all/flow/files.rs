//! What an exported file holds: folded batch norms, precision, versions and texts.

use candle_core::{DType, Device, Result};
use candle_nn::{BatchNorm, Conv2d, Linear, VarBuilder, VarMap, batch_norm, conv2d, conv2d_no_bias, linear};
use taper_export::flow::{Export, Flow, Inference, Layer, LayerT};
use taper_export::onnx::{OnnxModel, OpsetVersion, Precision};

use super::check::{fill, numbers};

fn ops(file: &OnnxModel) -> Vec<&str> {
    file.proto().graph.as_ref().unwrap().node.iter().map(|node| node.op_type.as_str()).collect()
}

fn constants(file: &OnnxModel) -> Vec<&str> {
    file.proto().graph.as_ref().unwrap().initializer.iter().map(|tensor| tensor.name.as_str()).collect()
}

/// Two convolutions with batch norm, and whether something else reads what the first one makes.
struct Normed {
    convs: [Conv2d; 2],
    norms: [BatchNorm; 2],
    reads_twice: bool,
}

impl LayerT for Normed {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let made = xs.apply(&self.convs[0])?;
        let ys = made.apply_t(&self.norms[0], train)?.relu()?;
        let ys = if self.reads_twice { (ys + made)? } else { ys };
        ys.apply(&self.convs[1])?.apply_t(&self.norms[1], train)
    }
}

fn normed(vars: &VarMap, reads_twice: bool) -> Result<Inference<Normed>> {
    let vb = VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu);
    let convs = [
        conv2d_no_bias(2, 4, 3, Default::default(), vb.pp("c1"))?,
        conv2d(4, 4, 3, Default::default(), vb.pp("c2"))?,
    ];
    let norms = [batch_norm(4, 1e-5, vb.pp("n1"))?, batch_norm(4, 1e-3, vb.pp("n2"))?];
    fill(vars);
    Ok(Inference(Normed { convs, norms, reads_twice }))
}

#[test]
fn a_batch_norm_behind_a_convolution_is_folded() {
    let (vars, sample) = (VarMap::new(), numbers(&[4, 2, 8, 8], 1));
    let export = |vars: &VarMap| Export::new("normed").weights(vars).input("x", &sample, &[(0, "N")]);
    let model = normed(&vars, false).unwrap();
    let file = export(&vars).record(&model).unwrap();
    assert_eq!(ops(&file), ["Conv", "Relu", "Conv"]);
    assert_eq!(constants(&file), ["c1.weight", "c1.bias", "c2.weight", "c2.bias"]);
    assert!(export(&vars).verify(&file, &model).unwrap().max_abs_diff < 1e-5);

    let model = normed(&vars, true).unwrap();
    let file = export(&vars).record(&model).unwrap();
    assert_eq!(ops(&file), ["Conv", "BatchNormalization", "Relu", "Add", "Conv"]);
    assert!(export(&vars).verify(&file, &model).unwrap().max_abs_diff < 1e-5);
}

/// One convolution used twice keeps its weights.
struct Shared(Conv2d, BatchNorm);

impl Layer for Shared {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.apply(&self.0)?.apply_t(&self.1, false)?.apply(&self.0)
    }
}

#[test]
fn a_shared_convolution_keeps_its_weights() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let conv = conv2d(2, 2, 3, Default::default(), vb.pp("conv")).unwrap();
    let model = Shared(conv, batch_norm(2, 1e-5, vb.pp("bn")).unwrap());
    let export = Export::new("shared").weights(&vars).input("x", &numbers(&[4, 2, 8, 8], 1), &[(0, "N")]);
    let file = export.record(&model).unwrap();
    assert_eq!(ops(&file), ["Conv", "BatchNormalization", "Conv"]);
    assert_eq!(export.verify(&file, &model).unwrap().images, 22);
}

struct Head(Linear);

impl Layer for Head {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.apply(&self.0)?.gelu()
    }
}

#[test]
fn precision_versions_and_texts_are_as_asked() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let head = Head(linear(6, 8, vb.pp("head")).unwrap());
    fill(&vars);
    let export = Export::new("head").weights(&vars).input("x", &numbers(&[4, 6], 1), &[(0, "N")]);
    let types = |file: &OnnxModel| {
        let graph = file.proto().graph.clone().unwrap();
        let of = |value: &taper_export::onnx::proto::ValueInfoProto| {
            value.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap().elem_type
        };
        (of(&graph.input[0]), graph.initializer[0].data_type, of(&graph.output[0]))
    };
    let cases = [
        (Precision::Float32, 12, 7, (1, 1, 1)),
        (Precision::Float16Weights, 17, 8, (1, 10, 1)),
        (Precision::Float16, 20, 9, (10, 10, 10)),
    ];
    for (precision, opset, ir, expected) in cases {
        let export = export.clone().precision(precision).opset(OpsetVersion::new(opset).unwrap());
        let export = export.doc("a head").metadata([("author".to_owned(), "somebody".to_owned())]);
        let file = export.record(&head).unwrap();
        assert_eq!(types(&file), expected, "{precision:?}");
        let proto = file.proto();
        assert_eq!((file.opset(), proto.ir_version, proto.doc_string.as_str()), (opset, ir, "a head"));
        assert_eq!((proto.metadata_props[0].key.as_str(), proto.metadata_props.len()), ("author", 1));
        let verification = export.verify(&file, &head).unwrap();
        assert_eq!(verification.max_abs_diff > 1e-6, precision != Precision::Float32, "{precision:?}");
        if let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") {
            let path = std::path::Path::new(&folder).join(format!("head {precision:?}.onnx"));
            std::fs::write(path, file.to_bytes()).unwrap();
        }
    }
}
