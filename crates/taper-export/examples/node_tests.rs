//! `node_tests TESTS OUT`: builds the graphs of the ONNX project's backend tests anew with Taper's graph builder;
//! `.ci/python/node_tests.py` runs them.
//!
//! TESTS is the folder `onnx/backend/test/data/node` of the Python package `onnx`. Of the test NAME,
//! `OUT/given/NAME.onnx` takes what the original takes, and `OUT/known/NAME.onnx` has those inputs as constants on
//! which shapes may depend (whole numbers, and lists of numbers), so that more of the shapes can be inferred.
//! `OUT/results.json` says why a graph is refused, and which operators Taper knows in which form.
#![allow(clippy::print_stderr, reason = "a program speaks on its standard streams")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use prost::Message;
use serde_json::{Value as Json, json};
use taper_export::onnx::proto::{AttributeProto, AttributeType, GraphProto, ModelProto, TensorProto};
use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor, Value, operators};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tests, out] = &arguments[..] else {
        eprintln!("usage: node_tests TESTS OUT");
        return ExitCode::from(2);
    };
    match rebuild_all(Path::new(tests), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn rebuild_all(tests: &Path, out: &Path) -> Outcome<()> {
    let mut results = BTreeMap::new();
    for form in ["given", "known"] {
        std::fs::create_dir_all(out.join(form))?;
    }
    for entry in std::fs::read_dir(tests)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let outcome = rebuild(&folder, out, &name);
        let reason = outcome.err().map(|error| error.to_string());
        results.insert(name, reason);
    }
    let answer = json!({ "tests": results, "operators": table() });
    Ok(std::fs::write(out.join("results.json"), serde_json::to_string_pretty(&answer)?)?)
}

/// The operators that Taper knows: for each operator set, the settings and the types of the first input.
fn table() -> Json {
    let kinds: Vec<DataType> = (0..32).filter_map(DataType::from_code).collect();
    let all = operators().map(|op| {
        let first = op.versions().first().copied().unwrap_or(1).max(12);
        let sets = (first..=22).map(|set| {
            let settings: BTreeMap<_, _> = op
                .attributes_in(set)
                .map(|(name, kind, is_required)| (name, json!([kind as i32, is_required])))
                .collect();
            let types: Vec<i32> =
                kinds.iter().filter(|&&kind| op.takes(kind, set)).map(|kind| kind.code()).collect();
            (set.to_string(), json!({ "attributes": settings, "types": types }))
        });
        let sets: BTreeMap<_, _> = sets.collect();
        (op.name(), json!({ "versions": op.versions(), "inputs": op.inputs_range(), "sets": sets }))
    });
    json!(all.collect::<BTreeMap<_, _>>())
}

/// Both forms of one test.
fn rebuild(folder: &Path, out: &Path, name: &str) -> Outcome<()> {
    let model = ModelProto::decode(&std::fs::read(folder.join("model.onnx"))?[..])?;
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    let set = model.opset_import.iter().find(|set| set.domain.is_empty()).map_or(0, |set| set.version);
    // Where its operators are older or newer: what they are there must do the same.
    let opset = OpsetVersion::new(set.clamp(12, 22))?;
    std::fs::write(out.join("given").join(format!("{name}.onnx")), build(graph, opset, &BTreeMap::new())?)?;
    let known = known_inputs(folder, graph)?;
    if known.is_empty() {
        return Ok(());
    }
    let bytes = build(graph, opset, &known).map_err(|error| format!("with known inputs: {error}"))?;
    Ok(std::fs::write(out.join("known").join(format!("{name}.onnx")), bytes)?)
}

/// The inputs that shapes may depend on, with what the test gives.
fn known_inputs(folder: &Path, graph: &GraphProto) -> Outcome<BTreeMap<String, Tensor>> {
    let mut known = BTreeMap::new();
    for (place, input) in graph.input.iter().enumerate() {
        let path = folder.join(format!("test_data_set_0/input_{place}.pb"));
        let Ok(tensor) = TensorProto::decode(&std::fs::read(path)?[..]) else { continue };
        let is_whole =
            matches!(DataType::from_code(tensor.data_type), Some(DataType::Int64 | DataType::Int32));
        let is_list = tensor.data_type == DataType::Float32.code() && tensor.dims.len() == 1;
        if place > 0 && (is_whole || is_list) {
            known.insert(input.name.clone(), Tensor::from_proto(&tensor)?);
        }
    }
    Ok(known)
}

/// The graph through the builder, with `known` in the place of inputs.
fn build(graph: &GraphProto, opset: OpsetVersion, known: &BTreeMap<String, Tensor>) -> Outcome<Vec<u8>> {
    let mut builder = GraphBuilder::new(&graph.name, opset);
    builder.reserve(graph.output.iter().map(|output| output.name.clone()));
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    for input in &graph.input {
        let value = match known.get(&input.name) {
            Some(tensor) => builder.constant(&input.name, tensor.clone())?,
            None => {
                let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
                let tensor = tensor.ok_or_else(|| format!("its input `{}` is no tensor", input.name))?;
                let kind = DataType::from_code(tensor.elem_type);
                let kind = kind.ok_or_else(|| format!("its input has element type {}", tensor.elem_type))?;
                let sizes = tensor.shape.as_ref().ok_or_else(|| format!("`{}` has no shape", input.name))?;
                let dim = |(place, dim): (usize, &taper_export::onnx::proto::DimensionProto)| match dim {
                    dim if dim.dim_value.is_some() => Dim::Fixed(dim.dim_value.unwrap_or(0) as usize),
                    dim => Dim::Symbolic(dim.dim_param.clone().unwrap_or(format!("{}.{place}", input.name))),
                };
                let dims: Vec<Dim> = sizes.dim.iter().enumerate().map(dim).collect();
                builder.input(&input.name, kind, &dims)?
            }
        };
        values.insert(&input.name, value);
    }
    for tensor in &graph.initializer {
        values.insert(&tensor.name, builder.constant(&tensor.name, Tensor::from_proto(tensor)?)?);
    }
    for proto in &graph.node {
        let mut node = Node::new(&proto.op_type, proto.op_type.to_lowercase());
        for input in &proto.input {
            node = match values.get(input.as_str()) {
                Some(value) => node.input(value),
                None if input.is_empty() => node.skip(),
                None => return Err(format!("it reads `{input}`, which is not there").into()),
            };
        }
        for attribute in &proto.attribute {
            node = set(node, attribute)?;
        }
        let made = builder.node_with_outputs(node, proto.output.len())?;
        let named = proto.output.iter().map(String::as_str).zip(made);
        values.extend(named.filter(|(name, _)| !name.is_empty()));
    }
    for output in &graph.output {
        let value = values.get(output.name.as_str());
        let value = value.ok_or_else(|| format!("nothing makes its output `{}`", output.name))?;
        builder.output(value, &output.name)?;
    }
    Ok(builder.finish([])?.to_bytes())
}

/// With the setting of a file.
fn set(node: Node, attribute: &AttributeProto) -> Outcome<Node> {
    let name = &attribute.name;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
    Ok(match attribute.r#type() {
        AttributeType::Float => node.float(name, attribute.f.unwrap_or(0.0)),
        AttributeType::Int => node.int(name, attribute.i.unwrap_or(0)),
        AttributeType::String => node.text(name, &text(attribute.s.as_deref().unwrap_or_default())?),
        AttributeType::Tensor => {
            let tensor = attribute.t.as_ref().ok_or("it has a setting without its tensor")?;
            node.tensor(name, Tensor::from_proto(tensor)?)
        }
        AttributeType::Floats => node.floats(name, attribute.floats.iter().copied()),
        AttributeType::Ints => node.signed_ints(name, attribute.ints.iter().copied()),
        AttributeType::Strings => {
            let texts: Vec<String> =
                attribute.strings.iter().map(|bytes| text(bytes)).collect::<Result<_, _>>()?;
            node.texts(name, texts.iter().map(String::as_str))
        }
        AttributeType::Graph | AttributeType::Undefined => {
            return Err(format!("its setting `{name}` is a graph, or of a rare type").into());
        }
    })
}
