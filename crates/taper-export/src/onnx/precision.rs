//! Files in float16.

use std::collections::BTreeSet;

use super::compose::half_bits;
use super::error::BuildError;
use super::proto::{AttributeProto, AttributeType, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor::DataType;

/// The element type of a file's weights and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// float32 throughout.
    #[default]
    Float32,
    /// Weights are stored as float16, half as large, and cast before they are used.
    Float16Weights,
    /// Weights, values, inputs and outputs are float16.
    Float16,
}

/// Constants with fewer elements are not worth a cast.
const LEAST_ELEMENTS: usize = 16;

const FLOAT32: i32 = DataType::Float32 as i32;
const FLOAT16: i32 = DataType::Float16 as i32;

/// The graph, of float32, in another precision.
///
/// # Errors
/// [`BuildError::Constant`] for a finite number beyond float16.
pub(super) fn convert(mut graph: GraphProto, precision: Precision) -> Result<GraphProto, BuildError> {
    match precision {
        Precision::Float32 => {}
        Precision::Float16Weights => weights(&mut graph)?,
        Precision::Float16 => everything(&mut graph)?,
    }
    Ok(graph)
}

fn everything(graph: &mut GraphProto) -> Result<(), BuildError> {
    // The scales of a `Resize` are float32 whatever it resizes.
    let kept: BTreeSet<String> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "Resize")
        .flat_map(|node| node.input.iter().skip(1).cloned())
        .collect();
    for tensor in graph.initializer.iter_mut().filter(|tensor| !kept.contains(&tensor.name)) {
        halve(tensor, &graph.name)?;
    }
    for node in &mut graph.node {
        let is_cast = node.op_type == "Cast";
        for attribute in &mut node.attribute {
            match (&mut attribute.t, &mut attribute.i) {
                (Some(tensor), _) => halve(tensor, &graph.name)?,
                (None, Some(to)) if is_cast && *to == i64::from(FLOAT32) => *to = i64::from(FLOAT16),
                _ => {}
            }
        }
    }
    for value in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        retype(value);
    }
    Ok(())
}

fn retype(value: &mut ValueInfoProto) {
    if let Some(tensor) = value.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut())
        && tensor.elem_type == FLOAT32
    {
        tensor.elem_type = FLOAT16;
    }
}

/// Every weight as float16, with a `Cast` before the first node.
fn weights(graph: &mut GraphProto) -> Result<(), BuildError> {
    let constants = graph.initializer.iter().map(|constant| &constant.name);
    let given = constants.chain(graph.input.iter().map(|input| &input.name));
    let made = graph.node.iter().flat_map(|node| node.output.iter().chain([&node.name]));
    let taken: BTreeSet<String> = given.chain(made).cloned().collect();
    let mut casts = Vec::new();
    for tensor in &mut graph.initializer {
        if tensor.data_type != FLOAT32 || tensor.raw_data.len() / 4 < LEAST_ELEMENTS {
            continue;
        }
        halve(tensor, &graph.name)?;
        let mut wide = format!("{}.float32", tensor.name);
        while taken.contains(&wide) {
            wide.push('_');
        }
        for input in
            graph.node.iter_mut().flat_map(|node| &mut node.input).filter(|name| **name == tensor.name)
        {
            input.clone_from(&wide);
        }
        let to = AttributeProto {
            name: "to".to_owned(),
            r#type: AttributeType::Int.into(),
            i: Some(i64::from(FLOAT32)),
            ..AttributeProto::default()
        };
        casts.push(NodeProto {
            op_type: "Cast".to_owned(),
            name: wide.clone(),
            input: vec![tensor.name.clone()],
            output: vec![wide],
            attribute: vec![to],
            ..NodeProto::default()
        });
    }
    casts.append(&mut graph.node);
    graph.node = casts;
    Ok(())
}

/// A constant of float32 as float16, each number the nearest.
fn halve(tensor: &mut TensorProto, graph: &str) -> Result<(), BuildError> {
    if tensor.data_type != FLOAT32 {
        return Ok(());
    }
    let mut raw = Vec::with_capacity(tensor.raw_data.len() / 2);
    for bytes in tensor.raw_data.as_chunks().0 {
        let number = f32::from_le_bytes(*bytes);
        let bits = half_bits(f64::from(number));
        if number.is_finite() && bits & 0x7fff == 0x7c00 {
            let reason = format!("it holds {number:e}, beyond the greatest of float16, 65504");
            return Err(BuildError::Constant { graph: graph.to_owned(), name: tensor.name.clone(), reason });
        }
        raw.extend(bits.to_le_bytes());
    }
    tensor.raw_data = raw;
    tensor.data_type = FLOAT16;
    Ok(())
}
