//! A file that is read and written again is the same.

use proptest::prelude::*;
use prost::Message;
use taper_export::onnx::proto::ModelProto;
use taper_export::onnx::{Options, Profile, read};
use taper_export::{DatasetInfo, Metadata};
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op, Preset, ValueId};

use crate::reference;
use crate::written::lower;

/// Whether the bytes of a file of Taper's come back when it is read and written again.
pub(crate) fn round_trip(bytes: &[u8]) -> Result<(), String> {
    let file = read(bytes).map_err(|error| format!("read: {error}"))?;
    let again =
        lower(&file.graph, &file.weights, &file.options).map_err(|error| format!("again: {error}"))?;
    if again.to_bytes() == bytes {
        return Ok(());
    }
    let before = ModelProto::decode(bytes).unwrap();
    let nodes = |model: &ModelProto| format!("{:?}", model.graph.as_ref().unwrap().node);
    Err(format!("read and written again, {} becomes {}", nodes(&before), nodes(again.proto())))
}

fn metadata(graph: &Graph) -> Metadata {
    let dataset =
        DatasetInfo { name: "mnist".into(), sha256: "440f".into(), source: "ylecun/mnist@main".into() };
    let class_names = ["zero", "\"one\"", "zwei ä"].map(str::to_owned).to_vec();
    Metadata { accuracy: Some(0.990_000_000_1), ..Metadata::new(graph.clone(), dataset, class_names) }
}

#[test]
fn presets_come_back_with_names_and_metadata() {
    for graph in Preset::ALL.map(|preset| preset.graph().unwrap()) {
        let weights = reference::weights(&graph, 4);
        for profile in [Profile::Portable, Profile::Candle] {
            for with_metadata in [false, true] {
                let mut options = Options::default().profile(profile);
                options.input = "x".to_owned();
                options.output = "fc1".to_owned(); // also the name of a layer
                if with_metadata {
                    options = options.metadata(metadata(&graph));
                }
                let bytes = lower(&graph, &weights, &options).unwrap().to_bytes();
                round_trip(&bytes).unwrap();
                let file = read(&bytes).unwrap();
                assert_eq!((file.options.input.as_str(), file.options.output.as_str()), ("x", "fc1"));
                // The graph in the metadata is the one that was read, without the layers that leave no trace.
                let expected = options.metadata.map(|known| Metadata { graph: file.graph.clone(), ..known });
                assert_eq!(file.options.metadata, expected);
            }
        }
    }
}

#[test]
fn the_reference_network_is_the_same_but_for_dropout() {
    let graph = Preset::Tutorial.graph().unwrap();
    let weights = reference::weights(&graph, 0);
    let file = read(&lower(&graph, &weights, &Options::default()).unwrap().to_bytes()).unwrap();
    assert_eq!(file.weights, weights);
    let ops = |graph: &Graph| {
        let layers = graph.nodes().iter().filter(|node| !matches!(node.op, Op::Dropout(_)));
        layers.map(|node| (node.name.clone(), node.op.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ops(&file.graph), ops(&graph));
    assert_eq!(file.graph.name(), "tutorial");
}

/// One layer of a random graph: what it is, which values it reads, and whether its name is one that clashes.
type Choice = (u8, u8, u8, u8);

/// A graph of image layers and then features, from choices of which those that do not fit are left out.
fn random_graph(size: usize, channels: usize, choices: &[Choice]) -> Graph {
    let mut graph = Graph::new("random", &[channels, size, size]).unwrap();
    let mut values = vec![graph.input()];
    for (number, &(kind, first, second, setting)) in choices.iter().enumerate() {
        let pick = |choice: u8| values[values.len() - 1 - usize::from(choice) % values.len().min(3)];
        let (x, y) = (pick(first), pick(second));
        let name = match setting % 7 {
            0 => format!("block{}.{number}.logits", number / 3),
            1 => format!("layer{number}.weight"),
            2 => format!("{number}.erf"),
            _ => format!("layer{number}"),
        };
        if let Ok(value) = wire(&mut graph, &name, kind, usize::from(setting), x, y) {
            values.push(value);
        }
    }
    join_loose_ends(graph)
}

fn wire(
    graph: &mut Graph,
    name: &str,
    kind: u8,
    setting: usize,
    x: ValueId,
    y: ValueId,
) -> Result<ValueId, taper_graph::GraphError> {
    let (small, odd, flag) = (1 + setting % 3, setting / 3 % 2, setting.is_multiple_of(2));
    let stride = [1 + setting / 2 % 2, 1 + setting / 4 % 2];
    let op = match kind % 19 {
        0 | 1 => Op::Conv2d(Conv2d {
            stride,
            padding: [odd, 1],
            bias: flag,
            ..Conv2d::new(2 + setting % 3, small)
        }),
        2 => Op::Conv2d(Conv2d { dilation: [1 + odd, 1], ..Conv2d::new(small, 2) }),
        3 | 4 => {
            Op::BatchNorm2d(BatchNorm2d { eps: if flag { 1e-3 } else { 1e-5 }, ..BatchNorm2d::default() })
        }
        5 => Op::MaxPool2d(MaxPool2d {
            ceil_mode: flag,
            padding: [odd, 0],
            stride,
            ..MaxPool2d::new(1 + small)
        }),
        6 => Op::MaxPool2d(MaxPool2d {
            ceil_mode: flag,
            dilation: [1 + odd, 2],
            stride,
            ..MaxPool2d::new(small)
        }),
        7 => Op::AvgPool2d(AvgPool2d {
            ceil_mode: flag,
            count_include_pad: odd == 0,
            padding: [odd, 1],
            stride,
            ..AvgPool2d::new(1 + small)
        }),
        8 => Op::GlobalAvgPool,
        9 => Op::Relu,
        10 => Op::Gelu,
        11 => Op::Silu,
        12 => [Op::Tanh, Op::Sigmoid, Op::Softmax][setting % 3].clone(),
        13 | 14 => Op::dropout(0.5),
        15 => return graph.wire(name, if flag { Op::Add } else { Op::Concat }, &[x, y]),
        16 => Op::Flatten,
        17 => {
            let channels = graph.shape(x).item()[0];
            let number = |place: usize| (place + setting) as f32 / 7.0 + 0.1;
            let numbers = || (0..channels).map(number).collect();
            Op::Normalize(Normalize { mean: numbers(), std: numbers() })
        }
        _ => Op::Linear(Linear { out_features: 1 + setting % 4, bias: flag }),
    };
    graph.wire(name, op, &[x])
}

/// Values that nothing reads are flattened and joined, so that the graph is complete.
fn join_loose_ends(mut graph: Graph) -> Graph {
    let read: Vec<ValueId> = graph.nodes().iter().flat_map(|node| node.inputs.clone()).collect();
    let mut ends = Vec::new();
    let mut value = graph.input();
    // Identifiers come from wiring alone; those of a copy are the same.
    let mut copy = Graph::new(graph.name(), &graph.input_shape().item()).unwrap();
    for node in graph.nodes() {
        value = copy.wire(&node.name, node.op.clone(), &node.inputs).unwrap();
        if !read.contains(&value) {
            ends.push(value);
        }
    }
    if ends.len() > 1 {
        let flat = ends
            .iter()
            .enumerate()
            .map(|(number, &end)| graph.wire(format!("end{number}"), Op::Flatten, &[end]).unwrap());
        let flat: Vec<ValueId> = flat.collect();
        graph.wire("ends", Op::Concat, &flat).unwrap();
    } else if value == graph.input() {
        graph.wire("only", Op::dropout(0.1), &[value]).unwrap();
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_comes_back_byte_for_byte(
        size in 1..12usize,
        channels in 1..4usize,
        choices in prop::collection::vec(any::<Choice>(), 1..14),
        seed in any::<u64>(),
    ) {
        let graph = random_graph(size, channels, &choices);
        let weights = reference::weights(&graph, seed);
        for profile in [Profile::OnnxRuntime, Profile::Candle] {
            let options = Options::default().profile(profile);
            let Ok(model) = lower(&graph, &weights, &options) else { continue };
            let outcome = round_trip(&model.to_bytes());
            prop_assert!(outcome.is_ok(), "{profile}: {}\n{}", outcome.unwrap_err(), graph.to_toml());
        }
    }

    #[test]
    fn any_damage_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let ops = [Op::Conv2d(Conv2d::new(2, 2)), Op::Gelu, Op::MaxPool2d(MaxPool2d { dilation: [2, 2], ..MaxPool2d::new(2) }), Op::Flatten, Op::Linear(Linear::new(2))];
        let graph = Graph::sequential("tiny", &[1, 5, 5], ops).unwrap();
        let mut bytes = lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap().to_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = read(&bytes).map_err(|error| error.to_string());
    }
}
