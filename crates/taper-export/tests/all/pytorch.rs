//! Files of PyTorch's users: state dicts and exported ONNX files, loaded by name, answer as PyTorch does, and what Taper
//! saves is what PyTorch asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Dtype, SafeTensors};
use taper_export::safetensors::{
    Rename, Renames, SafetensorsError, load, load_renamed, load_weights, to_bytes,
};
use taper_export::{DatasetInfo, Metadata, onnx};
use taper_graph::{Graph, Preset, Weights};
use taper_model::Model;

/// The greatest difference of a logit from PyTorch's, which it computed in float64.
const TOLERANCE: f64 = 1e-5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The reference CNN with few channels, as in `state_dict.safetensors`.
fn slim() -> Graph {
    let mut text = Preset::Tutorial.toml().to_owned();
    for (many, few) in [
        ("out_channels = 128", "out_channels = 6"),
        ("out_channels = 64", "out_channels = 8"),
        ("out_channels = 32", "out_channels = 4"),
        ("out_features = 625", "out_features = 20"),
    ] {
        assert_eq!(text.matches(many).count(), 1, "{many}");
        text = text.replace(many, few);
    }
    Graph::from_toml(&text).unwrap()
}

/// The network of `state_dict_norm.safetensors`.
const NORMED: &str = r#"
name = "normed"
input = [1, 28, 28]
layers = [
    { name = "conv1", op = "conv2d", out_channels = 4, kernel = 3, stride = 2, bias = false },
    { name = "bn1", op = "batch_norm2d" },
    { name = "relu1", op = "relu" },
    { name = "conv2", op = "conv2d", out_channels = 6, kernel = 3, padding = 1 },
    { name = "bn2", op = "batch_norm2d", eps = 1e-3 },
    { name = "relu2", op = "relu" },
    { name = "mean", op = "global_avg_pool" },
    { name = "flatten", op = "flatten" },
    { name = "fc", op = "linear", out_features = 10 },
]
"#;

/// The networks with the names of their fixtures.
fn networks() -> [(&'static str, Graph); 2] {
    [("state_dict", slim()), ("state_dict_norm", Graph::from_toml(NORMED).unwrap())]
}

/// Asks for PyTorch's logits on the fixture's images.
fn assert_agrees(what: &str, fixture_name: &str, graph: Graph, weights: &Weights) {
    let bytes = std::fs::read(fixture("state_dict_answers.safetensors")).unwrap();
    let answers = SafeTensors::deserialize(&bytes).unwrap();
    let images = answers.tensor("images").unwrap();
    let images: Vec<f32> = images.data().as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect();
    let expected = answers.tensor(&format!("{fixture_name}.logits")).unwrap();
    assert_eq!((expected.dtype(), expected.shape()), (Dtype::F64, &[5, 10][..]));
    let expected = expected.data().as_chunks().0.iter().map(|raw| f64::from_le_bytes(*raw));

    let found = Model::from_weights(graph, weights).unwrap().logits(&images).unwrap();
    let differences =
        found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
    let bad: Vec<f64> =
        differences.filter(|difference| difference.is_nan() || *difference > TOLERANCE).collect();
    assert!(bad.is_empty(), "{what}: {bad:?}");
    assert_eq!(found.len(), 50);
}

#[test]
fn a_state_dict_loads_by_name_and_answers_as_in_pytorch() {
    for (name, graph) in networks() {
        let weights = load_weights(&fixture(&format!("{name}.safetensors")), &graph).unwrap();
        assert_agrees(name, name, graph, &weights);
    }
}

#[test]
fn what_taper_saves_is_what_pytorch_saved() {
    let table = |bytes: &[u8]| {
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        });
        tensors.collect::<BTreeMap<_, _>>()
    };
    for (name, graph) in networks() {
        let path = fixture(&format!("{name}.safetensors"));
        let weights = load_weights(&path, &graph).unwrap();
        let metadata = Metadata::new(graph, DatasetInfo::default(), Vec::new());
        let saved = table(&to_bytes(&weights, &metadata).unwrap());
        let mut theirs = table(&std::fs::read(&path).unwrap());
        // PyTorch puts the counters in itself when they are missing, also with `strict=True`.
        theirs.retain(|name, _| !name.ends_with(".num_batches_tracked"));
        assert!(saved == theirs, "{name}: {:?} and {:?}", saved.keys(), theirs.keys());
        if name == "state_dict" {
            let names: Vec<&str> = saved.keys().map(String::as_str).collect();
            let expected = Preset::Tutorial.graph().unwrap();
            let mut expected: Vec<String> = expected.params().map(|named| named.name).collect();
            expected.sort();
            assert_eq!(names, expected, "the ten tensors of the reference CNN");
        }
    }
}

#[test]
fn what_does_not_fit_is_reported_by_name() {
    let path = fixture("state_dict.safetensors");
    let wide = Graph::from_toml(&slim().to_toml().replace("out_features = 20", "out_features = 24")).unwrap();
    let text = load_weights(&path, &wide).unwrap_err().to_string();
    for part in
        ["state_dict.safetensors", "fc1.weight is [20, 96] and should be [24, 96]", "fc2.weight is [10, 20]"]
    {
        assert!(text.contains(part), "{text}");
    }
    let text = load_weights(&path, &Graph::from_toml(NORMED).unwrap()).unwrap_err().to_string();
    for part in
        ["missing conv1.weight, bn1.weight", "unexpected fc1.bias", "say how its tensors are called there"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn tensors_of_other_names_are_renamed() {
    let theirs = slim().to_toml().replace("layer1.0", "features.0").replace("\"fc2\"", "\"classifier.out\"");
    let theirs = Graph::from_toml(&theirs).unwrap();
    let rules = |rules: &[&str]| Renames::new(rules.iter().map(|rule| rule.parse::<Rename>().unwrap()));
    let path = fixture("state_dict.safetensors");
    let renames = rules(&["layer1.0=features.0", "fc2=classifier.out"]);
    let weights = load_renamed(&path, &theirs, &renames).unwrap();
    assert_agrees("renamed", "state_dict", theirs.clone(), &weights);

    // The other direction, through a wrapper's prefix.
    let folder = tempfile::tempdir().unwrap();
    let wrapped = folder.path().join("wrapped.safetensors");
    let arrays = load(&path).unwrap().arrays;
    let prefixed = rules(&["=module"]).apply(arrays).unwrap();
    assert!(prefixed.keys().all(|name| name.starts_with("module.")));
    let bytes: Vec<(String, Vec<u8>, Vec<usize>)> = prefixed
        .into_iter()
        .map(|(name, array)| (name, array.data.iter().flat_map(|x| x.to_le_bytes()).collect(), array.shape))
        .collect();
    let views = bytes.iter().map(|(name, data, shape)| {
        (name, ::safetensors::tensor::TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    std::fs::write(&wrapped, ::safetensors::serialize(views, None).unwrap()).unwrap();
    assert!(matches!(load_weights(&wrapped, &slim()), Err(SafetensorsError::Weights { .. })));
    assert_eq!(
        load_renamed(&wrapped, &slim(), &rules(&["module="])).unwrap(),
        load_weights(&path, &slim()).unwrap()
    );

    for (list, parts) in [
        (&["fc=fc1"][..], &["no tensor is left to be renamed by `fc=fc1`", "fc1.bias, fc1.weight"][..]),
        (&["fc2=fc1"], &["`fc1.bias` and `fc2.bias` would both be called `fc1.bias`"]),
        (&["layer1=a", "layer1.0=b"], &["renamed by `layer1.0=b`"]),
    ] {
        let text = load_renamed(&path, &slim(), &rules(list)).unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| text.contains(part)) && text.contains("state_dict.safetensors"),
            "{text}"
        );
    }
    for bad in ["", "=", "features.0", "a=b=c"] {
        let error = bad.parse::<Rename>().unwrap_err().to_string();
        assert!(error.contains("write FROM=TO"), "{error}");
    }
}

/// What PyTorch's two exporters write: the older traces, the newer captures the program. The first keeps the names of
/// its weights, and both fold batch norms.
#[test]
fn files_of_pytorchs_exporters_are_read() {
    let cases = [
        ("state_dict.onnx", "state_dict", true),
        ("state_dict_traced.onnx", "state_dict", true),
        ("state_dict_norm.onnx", "state_dict_norm", false),
        ("state_dict_norm_traced.onnx", "state_dict_norm", false),
    ];
    for (file, name, keeps_names) in cases {
        let bytes = std::fs::read(fixture(file)).unwrap();
        let inspection = onnx::inspect(&bytes).unwrap();
        assert!(inspection.producer.starts_with("pytorch"), "{}", inspection.producer);
        let read = onnx::read(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        if keeps_names {
            assert_eq!(
                read.weights,
                load_weights(&fixture("state_dict.safetensors"), &slim()).unwrap(),
                "{file}"
            );
        }
        assert_agrees(file, name, read.graph.clone(), &read.weights);
        let written = crate::written::lower(&read.graph, &read.weights, &read.options).unwrap().to_bytes();
        crate::read::round_trip(&written).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}
