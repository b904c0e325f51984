//! The graph with its quantising nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::Ranges;
use super::error::QuantizeError;
use super::plan::Plan;
use super::scale::{self, Affine};
use crate::onnx::DataType;
use crate::onnx::proto::{AttributeProto, AttributeType, GraphProto, NodeProto, TensorProto};

/// `graph` as `plan` has it.
pub(super) fn rewrite(
    mut graph: GraphProto,
    plan: &Plan,
    ranges: &Ranges,
) -> Result<GraphProto, QuantizeError> {
    let nodes = std::mem::take(&mut graph.node);
    let inputs: Vec<String> = graph.input.iter().map(|input| input.name.clone()).collect();
    let mut writer = Writer::new(graph, &nodes, plan, ranges);
    for input in &inputs {
        writer.quantize(input)?;
    }
    for (place, mut node) in nodes.into_iter().enumerate() {
        if let Some(&axis) = plan.products.get(&place) {
            writer.weigh(&mut node, axis)?;
        }
        for input in &mut node.input {
            if let Some(numbers) = writer.dequantized.get(input) {
                input.clone_from(numbers);
            }
        }
        let made = node.output.clone();
        writer.graph.node.push(node);
        for value in &made {
            writer.quantize(value)?;
        }
    }
    Ok(writer.finish())
}

struct Writer<'a> {
    /// The nodes and constants so far.
    graph: GraphProto,
    plan: &'a Plan,
    ranges: &'a Ranges,
    /// Every name of a value, node or constant.
    taken: BTreeSet<String>,
    /// What stands in the place of each value that is bytes.
    dequantized: BTreeMap<String, String>,
}

impl<'a> Writer<'a> {
    fn new(graph: GraphProto, nodes: &[NodeProto], plan: &'a Plan, ranges: &'a Ranges) -> Self {
        let given = graph.initializer.iter().map(|it| &it.name).chain(graph.input.iter().map(|it| &it.name));
        let values = nodes.iter().flat_map(|node| node.output.iter().chain([&node.name]));
        let taken = given.chain(values).cloned().collect();
        Self { graph, plan, ranges, taken, dequantized: BTreeMap::new() }
    }

    /// `value` as bytes, and back, if the plan has it.
    fn quantize(&mut self, value: &str) -> Result<(), QuantizeError> {
        let Some(affine) = self.affine(value)? else { return Ok(()) };
        let [bytes, scale, zero, numbers] = self.names(value);
        self.constant(&scale, DataType::Float32, &[], affine.scale.to_le_bytes().to_vec());
        self.constant(&zero, DataType::UInt8, &[], vec![affine.zero]);
        self.graph.node.push(node("QuantizeLinear", [value, &scale, &zero], &bytes));
        self.graph.node.push(node("DequantizeLinear", [&bytes, &scale, &zero], &numbers));
        self.dequantized.insert(value.to_owned(), numbers);
        Ok(())
    }

    /// Names for what stands for `value`: bytes, scale, zero point, and numbers again. A number comes before the dot if a
    /// name is taken: by the model itself, or because another product reads the same weight.
    fn names(&mut self, value: &str) -> [String; 4] {
        let of = |stem: &str| {
            ["quantized", "scale", "zero_point", "dequantized"].map(|what| format!("{stem}.{what}"))
        };
        let mut names = of(value);
        let mut number = 1u64;
        while names.iter().any(|name| self.taken.contains(name)) {
            number += 1;
            names = of(&format!("{value}_{number}"));
        }
        self.taken.extend(names.iter().cloned());
        names
    }

    /// How a value becomes bytes; `None` if it does not.
    fn affine(&self, value: &str) -> Result<Option<Affine>, QuantizeError> {
        let Some(root) = self.plan.values.get(value) else { return Ok(None) };
        let range = self.ranges.get(root);
        let is_range = |[low, high]: &[f32; 2]| low.is_finite() && high.is_finite() && low <= high;
        match range.filter(is_range) {
            Some(range) => Ok(Some(Affine::of(range))),
            None => {
                let found = range.map_or_else(|| "not known".to_owned(), |range| format!("{range:?}"));
                Err(QuantizeError::Range { value: root.clone(), found })
            }
        }
    }

    /// Weight and bias of a product as whole numbers.
    fn weigh(&mut self, product: &mut NodeProto, axis: usize) -> Result<(), QuantizeError> {
        let input = self.affine(&product.input[0])?.map_or(1.0, |affine| affine.scale);
        let (weight, dims) = self.numbers(&product.input[1])?;
        let bias = product.input.get(2).filter(|bias| !bias.is_empty());
        let bias = bias.map(|name| self.numbers(name)).transpose()?.map(|(bias, _)| bias);
        let channels = dims[axis];
        // ONNX lays a bias of one number over all channels.
        let bias = bias.map(|bias| if bias.len() == channels { bias } else { vec![bias[0]; channels] });
        let made = scale::weight(&weight, &dims, axis, bias.as_deref(), input);
        let bytes = made.numbers.iter().map(|&number| number as u8).collect();
        let zeros = vec![0; channels];
        let constants = [(DataType::Int8, &dims[..], bytes), (DataType::Int8, &[channels], zeros)];
        product.input[1] = self.dequantized(&product.input[1].clone(), constants, &made.scales, axis);
        if let Some(bias) = bias {
            let scales: Vec<f32> = made.scales.iter().map(|scale| scale * input).collect();
            let whole = scale::bias(&bias, &scales);
            let raw = whole.iter().flat_map(|number| number.to_le_bytes()).collect();
            let zeros = vec![0; 4 * channels];
            let constants = [(DataType::Int32, &[channels][..], raw), (DataType::Int32, &[channels], zeros)];
            product.input[2] = self.dequantized(&product.input[2].clone(), constants, &scales, 0);
        }
        Ok(())
    }

    /// A constant of whole numbers with its zero points, turned back into floating point: the name of that.
    fn dequantized(
        &mut self,
        name: &str,
        [whole, zero]: [(DataType, &[usize], Vec<u8>); 2],
        scales: &[f32],
        axis: usize,
    ) -> String {
        let [bytes, scale, zeros, made] = self.names(name);
        self.constant(&bytes, whole.0, whole.1, whole.2);
        let raw = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        self.constant(&scale, DataType::Float32, &[scales.len()], raw);
        self.constant(&zeros, zero.0, zero.1, zero.2);
        let mut node = node("DequantizeLinear", [&bytes, &scale, &zeros], &made);
        node.attribute.push(AttributeProto {
            name: "axis".to_owned(),
            r#type: AttributeType::Int.into(),
            i: Some(axis as i64),
            ..AttributeProto::default()
        });
        self.graph.node.push(node);
        made
    }

    fn constant(&mut self, name: &str, data_type: DataType, dims: &[usize], raw_data: Vec<u8>) {
        self.graph.initializer.push(TensorProto {
            name: name.to_owned(),
            data_type: data_type.code(),
            dims: dims.iter().map(|&size| size as i64).collect(),
            raw_data,
            ..TensorProto::default()
        });
    }

    /// The numbers and the sizes of a constant of float32.
    fn numbers(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>), QuantizeError> {
        let found = self.graph.initializer.iter().find(|it| it.name == name);
        let (raw, listed, dims) = found
            .map_or((&[][..], &[][..], &[][..]), |it| (&it.raw_data[..], &it.float_data[..], &it.dims[..]));
        let numbers: Vec<f32> = match raw.is_empty() {
            true => listed.to_vec(),
            false => raw.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        };
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(&number) => Err(QuantizeError::Weight { name: name.to_owned(), number }),
            None => Ok((numbers, dims.iter().map(|&size| size as usize).collect())),
        }
    }

    /// The graph, without the constants that nothing reads any more.
    fn finish(self) -> GraphProto {
        let mut graph = self.graph;
        let read: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        let outputs: BTreeSet<&String> = graph.output.iter().map(|output| &output.name).collect();
        graph.initializer.retain(|it| read.contains(&it.name) || outputs.contains(&it.name));
        graph
    }
}

/// A node named after what it makes.
fn node(op: &str, inputs: [&str; 3], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: output.to_owned(),
        input: inputs.map(str::to_owned).to_vec(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}
