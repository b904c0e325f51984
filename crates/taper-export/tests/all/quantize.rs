//! int8: what becomes of a graph, what it then computes, and what is refused.

#[path = "quantize/forms.rs"]
mod forms;

use std::collections::BTreeMap;

use taper_export::onnx::proto::{GraphProto, NodeProto, TensorProto};
use taper_export::onnx::{
    Feature, Head, Layout, OnnxModel, OpsetVersion, Options, Pixels, Precision, Profile, lower,
};
use taper_export::quantize::{Method, Ranges, calibrate, quantize, values};
use taper_export::{Calibration, Exported, Normalization, Sample, agreement, export_int8};
use taper_graph::{AvgPool2d, Conv2d, Graph, Linear, MaxPool2d, Op, Preset, Weights};

use crate::reference;

fn network() -> (Graph, Weights) {
    let ops = [
        Op::Conv2d(Conv2d::new(6, 3).padding(1)),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Conv2d(Conv2d { bias: false, ..Conv2d::new(8, 3).padding(1) }),
        Op::AvgPool2d(AvgPool2d::new(2)),
        Op::Flatten,
        Op::Linear(Linear::new(20)),
        Op::Relu,
        Op::Linear(Linear::new(5)),
    ];
    let graph = Graph::sequential("small", &[3, 8, 8], ops).unwrap();
    let weights = reference::weights(&graph, 11);
    (graph, weights)
}

fn graph_of(model: &OnnxModel) -> &GraphProto {
    model.proto().graph.as_ref().unwrap()
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    graph.initializer.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    tensor.raw_data.as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
}

/// The quantised file of a network, calibrated on 30 images.
fn int8(graph: &Graph, weights: &Weights, options: &Options) -> OnnxModel {
    let float = lower(graph, weights, options).unwrap();
    let images = reference::images(graph, 30, 1);
    quantize(&float, &calibrate(&float, &images, 30, Method::MinMax).unwrap()).unwrap()
}

#[test]
fn bytes_go_from_product_to_product() {
    let (graph, weights) = network();
    let model = int8(&graph, &weights, &Options::default());
    let nodes = &graph_of(&model).node;
    let makers: BTreeMap<&str, &NodeProto> =
        nodes.iter().flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node))).collect();
    let quantized = nodes.iter().filter(|node| node.op_type == "QuantizeLinear");
    let quantized: Vec<&str> = quantized.map(|node| node.input[0].as_str()).collect();
    // The image, behind the first ReLU, its pool, the second convolution, its pool, flattened, behind the second ReLU.
    assert_eq!(quantized, ["image", "1", "2", "3", "4", "5", "7"]);
    for node in
        nodes.iter().filter(|node| matches!(&node.op_type[..], "Conv" | "Gemm" | "MaxPool" | "AveragePool"))
    {
        for input in &node.input {
            assert_eq!(makers[&input[..]].op_type, "DequantizeLinear", "{} reads {input}", node.name);
        }
    }
    // What is only handed on keeps its scale, or a runtime would have to compute.
    let graph = graph_of(&model);
    for (from, to) in [("1", "2"), ("4", "5")] {
        for what in ["scale", "zero_point"] {
            let [from, to] = [from, to].map(|value| &constant(graph, &format!("{value}.{what}")).raw_data);
            assert_eq!(from, to);
        }
    }
    assert_eq!(constant(graph, "1.zero_point").raw_data, [0], "nothing behind a ReLU is negative");
}

#[test]
fn weights_have_seven_bits_a_channel_and_biases_fit_their_units() {
    let (graph, weights) = network();
    let model = int8(&graph, &weights, &Options::default());
    let made = graph_of(&model);
    for (layer, input) in [("0", "image"), ("3", "2"), ("6", "5"), ("8", "7")] {
        let name = format!("{layer}.weight");
        let (bytes, scales) =
            (constant(made, &format!("{name}.quantized")), floats(constant(made, &format!("{name}.scale"))));
        let array = weights.get(&name).unwrap();
        let size = array.data.len() / scales.len();
        let numbers: Vec<f32> = bytes.raw_data.iter().map(|&byte| f32::from(byte as i8)).collect();
        for (channel, scale) in scales.iter().enumerate() {
            let numbers = &numbers[channel * size..(channel + 1) * size];
            let most = numbers.iter().fold(0.0f32, |most, number| most.max(number.abs()));
            assert_eq!(most, 64.0, "{name}, channel {channel}");
            for (number, weight) in numbers.iter().zip(&array.data[channel * size..]) {
                assert!((number * scale - weight).abs() <= 0.5001 * scale, "{name}: {weight}");
            }
        }
        let Some(bias) = weights.get(&format!("{layer}.bias")) else { continue };
        let unit = floats(constant(made, &format!("{input}.scale")))[0];
        let raw = &constant(made, &format!("{layer}.bias.quantized")).raw_data;
        let whole = raw.as_chunks().0.iter().map(|raw| i32::from_le_bytes(*raw));
        for ((whole, bias), scale) in whole.zip(&bias.data).zip(&scales) {
            let found = f64::from(whole) * f64::from(*scale) * f64::from(unit);
            assert!((found - f64::from(*bias)).abs() <= 0.51 * f64::from(scale * unit), "{layer}: {bias}");
        }
    }
    assert!(made.initializer.iter().all(|it| !weights.iter().any(|(name, _)| name == it.name)));
}

#[test]
fn what_cannot_be_had_is_said_before_the_calibration() {
    let (graph, weights) = network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let sample = Sample { count: 0, images: &[], logits: &[] };
    // On no images nothing is calibrated: whoever gets so far says so.
    let calibration = Calibration { count: 0, images: &[], method: Method::MinMax };
    let refused = |options: Options| {
        export_int8(&path, &graph, &weights, &options, &calibration, &sample).unwrap_err().to_string()
    };
    let set = |opset| OpsetVersion::new(opset).unwrap();
    for profile in Profile::ALL {
        let wanted = profile.lacks(Feature::Int8).unwrap_or("none to calibrate on");
        for opset in [OpsetVersion::default(), profile.opset()] {
            let error = refused(Options::default().profile(profile).opset(opset));
            assert!(error.contains(wanted), "{profile}, {opset:?}: {error}");
        }
    }
    let error = refused(Options::default().opset(set(12)));
    assert!(error.contains("13 or newer, but the file has 12"), "{error}");
    for precision in [Precision::Float16, Precision::Float16Weights] {
        let error = refused(Options::default().precision(precision));
        assert!(error.contains("choose one of the two"), "{error}");
    }
}

/// Images of bytes, and what the network answers.
fn answers(graph: &Graph, weights: &Weights, count: usize) -> (Vec<f32>, Vec<f32>) {
    let size = graph.input_shape().elements();
    let images: Vec<f32> =
        reference::images(graph, count, 3).into_iter().map(|x| ((x + 1.0) * 127.5).round() / 255.0).collect();
    assert_eq!(images.len(), count * size);
    let logits = reference::forward(graph, weights, &images);
    (images, logits.into_iter().map(|x| x as f32).collect())
}

fn written(options: &Options, method: Method) -> Exported {
    let (graph, weights) = network();
    let (images, logits) = answers(&graph, &weights, 150);
    let calibration = Calibration { count: 150, images: &images, method };
    let sample = Sample { count: 150, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let exported = export_int8(&path, &graph, &weights, options, &calibration, &sample)
        .unwrap_or_else(|error| panic!("{method}: {error}"));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), exported.bytes);
    if let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") {
        std::fs::write(std::path::Path::new(&folder).join(format!("int8 {method}.onnx")), &bytes).unwrap();
    }
    exported
}

#[test]
fn the_file_answers_nearly_as_the_network() {
    let greatest =
        answers(&network().0, &network().1, 150).1.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    for method in Method::ALL {
        let exported = written(&Options::default(), method);
        let int8 = exported.int8.unwrap();
        assert!(
            int8.mean_abs_diff < 0.02 * f64::from(greatest),
            "{method}: {} of {greatest}",
            int8.mean_abs_diff
        );
        assert!(int8.mean_abs_diff > 0.0 && int8.agreement >= 0.95, "{method}: {}", int8.agreement);
        assert_eq!((int8.classes.len(), exported.verification.images), (150, 150));
        assert_eq!(exported.profile, Profile::OnnxRuntime);
    }
}

#[test]
fn it_goes_with_the_other_options() {
    let pixels = Pixels { layout: Layout::Nhwc, normalization: Normalization::default() };
    let options = Options::default().pixels(pixels).opset(OpsetVersion::new(13).unwrap());
    for head in [Head::Softmax, Head::ArgMax] {
        let int8 = written(&options.clone().head(head), Method::MinMax).int8.unwrap();
        assert!(int8.agreement >= 0.95, "{head:?}: {}", int8.agreement);
    }
}

#[test]
fn every_preset_is_quantised_and_the_same_each_time() {
    for graph in Preset::ALL.map(|preset| preset.graph().unwrap()) {
        let weights = reference::weights(&graph, 5);
        let model = int8(&graph, &weights, &Options::default());
        let float = lower(&graph, &weights, &Options::default()).unwrap().to_bytes().len();
        assert!(model.to_bytes() == int8(&graph, &weights, &Options::default()).to_bytes());
        assert!(
            model.encoded_len() * 3 < float + 60_000,
            "{}: {} of {float}",
            graph.name(),
            model.encoded_len()
        );
        let images = reference::images(&graph, 20, 9);
        let logits = reference::forward(&graph, &weights, &images);
        let logits: Vec<f32> = logits.into_iter().map(|x| x as f32).collect();
        let sample = Sample { count: 20, images: &images, logits: &logits };
        let found = agreement(&model.to_bytes(), &sample);
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", graph.name()));
        let greatest = logits.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(found.mean_abs_diff < 0.03 * f64::from(greatest), "{}: {found:?}", graph.name());
    }
}

#[test]
fn a_file_that_names_other_classes_is_refused() {
    let (graph, weights) = network();
    let (images, mut logits) = answers(&graph, &weights, 40);
    let model = int8(&graph, &weights, &Options::default());
    logits.iter_mut().for_each(|logit| *logit = -*logit);
    let sample = Sample { count: 40, images: &images, logits: &logits };
    let error = agreement(&model.to_bytes(), &sample).unwrap_err().to_string();
    assert!(error.contains("less than 95 %") && error.contains("calibrate on more images"), "{error}");
}

#[test]
fn an_only_output_is_held_to_its_range() {
    let layer = Op::Linear(Linear::new(1));
    let graph = Graph::sequential("one", &[6], [layer]).unwrap();
    let weights = reference::weights(&graph, 2);
    let images = reference::images(&graph, 60, 3);
    let logits: Vec<f32> =
        reference::forward(&graph, &weights, &images).into_iter().map(|x| x as f32).collect();
    let bytes = int8(&graph, &weights, &Options::default()).to_bytes();
    let found = |logits: &[f32]| agreement(&bytes, &Sample { count: 60, images: &images, logits });
    let right = found(&logits).unwrap();
    assert!(right.classes >= 0.95 && right.named == [0; 60], "{right:?}");

    let mirrored: Vec<f32> = logits.iter().map(|logit| -logit).collect();
    let error = found(&mirrored).unwrap_err().to_string();
    assert!(error.contains("within 5 % of the range") && error.contains("60 images"), "{error}");
}

#[test]
fn what_cannot_be_int8_says_why() {
    let (graph, weights) = network();
    let float = lower(&graph, &weights, &Options::default()).unwrap();
    let images = reference::images(&graph, 3, 0);
    let mut odd = images.clone();
    odd[7] = f32::NAN;
    let names = values(&float);
    assert_eq!(names, ["1", "3", "4", "7", "image"]);
    let all = |range: [f32; 2]| Ranges::new(names.iter().map(|name| (name.clone(), range)));
    let lowered = |options: Options| lower(&graph, &weights, &options).unwrap();
    let old = lowered(Options::default().opset(OpsetVersion::new(12).unwrap()));
    let half = lowered(Options::default().precision(Precision::Float16));
    let relu = Graph::sequential("nothing", &[4], [Op::Relu]).unwrap();
    let nothing = lower(&relu, &reference::weights(&relu, 0), &Options::default()).unwrap();
    let text = |outcome: Result<OnnxModel, _>| {
        outcome.map(|_| ()).map_err(|error: taper_export::quantize::QuantizeError| error.to_string())
    };
    let calibrated = |images: &[f32], count| {
        calibrate(&float, images, count, Method::MinMax).map(|_| ()).map_err(|error| error.to_string())
    };
    let cases = [
        (text(quantize(&old, &all([0.0, 1.0]))), "13 or newer, but the file has 12"),
        (text(quantize(&half, &all([0.0, 1.0]))), "is float16"),
        (text(quantize(&nothing, &Ranges::default())), "`nothing` has no convolution"),
        (text(quantize(&float, &Ranges::default())), "`image` is not known"),
        (text(quantize(&float, &all([0.0, f32::INFINITY]))), "`image` is [0.0, inf]"),
        (calibrated(&images, 0), "give whole images"),
        (calibrated(&images, 2), "576 numbers for 2 images of 192"),
        (calibrated(&odd, 3), "`image` is without bounds: it is NaN"),
    ];
    for (found, wanted) in cases {
        let found = found.unwrap_err();
        assert!(found.contains(wanted), "{found} lacks {wanted}");
    }
}
