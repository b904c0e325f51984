//! Ops that are written with several nodes.

use taper_graph::{MaxPool2d, Normalize, Op};

use super::call::Call;
use super::error::ReadError;
use super::{NodeProto, Reader};

/// An op found in the nodes that end in one: what it reads, and its other nodes.
pub(super) struct Found<'a> {
    pub(super) input: &'a str,
    pub(super) parts: Vec<usize>,
    pub(super) form: Form<'a>,
}

pub(super) enum Form<'a> {
    /// `x·(1 + erf(x / √2))·½`.
    Gelu,
    /// `x·σ(x)`.
    Silu,
    /// A max-pool over windows that two `Gather`s laid side by side; the names of their indices.
    SpreadPool([&'a str; 2]),
    /// `(x + (−mean)) ÷ std` or `(x − mean) ÷ std`, with constants for each channel; the sum or difference.
    Normalize(&'a NodeProto),
    /// An average pool behind a `Pad`; the `Pad`.
    PaddedPool(&'a NodeProto),
}

impl<'a> Reader<'a> {
    /// The nodes that are read as parts of the op that ends in the node at `index`, but for those that others read too.
    pub(super) fn parts(&self, index: usize) -> Vec<usize> {
        let is_inner = |part: &usize| {
            let output = self.proto.node[*part].output.first();
            output.is_some_and(|name| self.readers.get(name.as_str()) == Some(&1))
        };
        let found = self.find(&self.proto.node[index]);
        found.map(|found| found.parts.into_iter().filter(is_inner).collect()).unwrap_or_default()
    }

    /// The op of several nodes that ends in `node`.
    pub(super) fn find(&self, node: &'a NodeProto) -> Option<Found<'a>> {
        match node.op_type.as_str() {
            "Mul" => self.find_gelu(node).or_else(|| self.find_silu(node)),
            "Div" => self.find_normalize(node),
            "MaxPool" => self.find_spread(node),
            "AveragePool" => {
                let (pad, index) = self.made_by(node.input.first()?, "Pad")?;
                let form = Form::PaddedPool(pad);
                Some(Found { input: pad.input.first()?, parts: vec![index], form })
            }
            _ => None,
        }
    }

    /// The node of operator `op` that makes a value, and its place.
    fn made_by(&self, value: &str, op: &str) -> Option<(&'a NodeProto, usize)> {
        let index = *self.makers.get(value)?;
        let node = &self.proto.node[index];
        (node.op_type == op && matches!(node.domain.as_str(), "" | "ai.onnx")).then_some((node, index))
    }

    /// The input of a node of two inputs beside the one that is the constant `number`, to f32's precision.
    fn beside(&self, node: &'a NodeProto, number: f32) -> Option<&'a str> {
        let [a, b] = &node.input[..] else { return None };
        let is_number = |name: &str| {
            self.constants.scalar(name).is_some_and(|found| (found - number).abs() <= number * f32::EPSILON)
        };
        match (is_number(a), is_number(b)) {
            (false, true) => Some(a),
            // A quotient has an order.
            (true, false) if node.op_type != "Div" => Some(b),
            _ => None,
        }
    }

    fn find_gelu(&self, node: &'a NodeProto) -> Option<Found<'a>> {
        let (product, product_at) = self.made_by(self.beside(node, 0.5)?, "Mul")?;
        let [a, b] = &product.input[..] else { return None };
        [(a, b), (b, a)].into_iter().find_map(|(x, shifted)| {
            let (shifted, shifted_at) = self.made_by(shifted, "Add")?;
            let (erf, erf_at) = self.made_by(self.beside(shifted, 1.0)?, "Erf")?;
            let (scaled, scaled_at) = self.made_by(erf.input.first()?, "Div")?;
            let input = self.beside(scaled, std::f32::consts::SQRT_2)?;
            let parts = vec![scaled_at, erf_at, shifted_at, product_at];
            (input == x).then_some(Found { input, parts, form: Form::Gelu })
        })
    }

    fn find_silu(&self, node: &'a NodeProto) -> Option<Found<'a>> {
        let [a, b] = &node.input[..] else { return None };
        [(a, b), (b, a)].into_iter().find_map(|(x, sigmoid)| {
            let (sigmoid, index) = self.made_by(sigmoid, "Sigmoid")?;
            let is_silu = sigmoid.input.first() == Some(x);
            is_silu.then_some(Found { input: x, parts: vec![index], form: Form::Silu })
        })
    }

    fn find_normalize(&self, node: &'a NodeProto) -> Option<Found<'a>> {
        let [centred, std] = &node.input[..] else { return None };
        let of = |op| self.made_by(centred, op);
        let (centred, index) = of("Add").or_else(|| of("Sub"))?;
        let [input, mean] = &centred.input[..] else { return None };
        let is_value = !self.constants.has(input);
        let per_channel = |name: &str| self.constants.per_channel(name).is_some();
        let fits = is_value && per_channel(mean) && per_channel(std);
        fits.then_some(Found { input, parts: vec![index], form: Form::Normalize(centred) })
    }

    fn find_spread(&self, node: &'a NodeProto) -> Option<Found<'a>> {
        let gather = |value: &str, axis| {
            let (node, index) = self.made_by(value, "Gather")?;
            let call = self.call(node);
            let [x, indices] = &node.input[..] else { return None };
            (call.int("axis", 0) == axis).then_some((x, indices, index))
        };
        let (between, columns, second) = gather(node.input.first()?, 3)?;
        let (input, rows, first) = gather(between, 2)?;
        Some(Found { input, parts: vec![first, second], form: Form::SpreadPool([rows, columns]) })
    }

    /// `Mul`: the end of a GELU or SiLU.
    pub(super) fn product(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        let Some(found) = self.find(call.node) else {
            return Err(call.unsupported("only the products of GELU and SiLU are read"));
        };
        let op = if matches!(found.form, Form::Gelu) { Op::Gelu } else { Op::Silu };
        let x = self.value(call, found.input)?;
        let name = self.name(call, None);
        self.wire(call, &name, op, &[x])
    }

    /// `Div`: the end of a normalisation.
    pub(super) fn quotient(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        let numbers = |node: &NodeProto| self.constants.per_channel(node.input.get(1)?);
        let found = self.find(call.node).and_then(|found| match found.form {
            Form::Normalize(centred) => {
                let mut mean = numbers(centred)?;
                if centred.op_type == "Add" {
                    mean.iter_mut().for_each(|mean| *mean = -*mean);
                }
                Some((found.input, Normalize { mean, std: numbers(call.node)? }))
            }
            _ => None,
        });
        let Some((input, normalize)) = found else {
            return Err(call.unsupported("only (x − mean) ÷ std with a number for each channel is read"));
        };
        let (x, name) = (self.value(call, input)?, self.name(call, None));
        self.wire(call, &name, Op::Normalize(normalize), &[x])
    }

    /// A max-pool over windows laid side by side; none if the node is not the end of one.
    pub(super) fn spread_pool(&mut self, call: Call<'a>) -> Result<Option<(&'a str, MaxPool2d)>, ReadError> {
        let Some(Found { input, form: Form::SpreadPool(indices), .. }) = self.find(call.node) else {
            return Ok(None);
        };
        let kernel = call.pair("kernel_shape", [1, 1])?;
        let plain = call.pads()? == [[0; 2]; 2]
            && call.pair("strides", [1, 1])? == kernel
            && call.pair("dilations", [1, 1])? == [1, 1]
            && call.int("ceil_mode", 0) == 0;
        let [Some(rows), Some(columns)] = indices.map(|name| self.constants.whole(name)) else {
            return Err(call.unsupported("it reads a `Gather` with other indices than a pool's"));
        };
        let [_, height, width] = self.image(call, input)?;
        let pool = super::pools::spread(kernel, [(height, &rows), (width, &columns)]);
        let pool = pool.filter(|_| plain).ok_or_else(|| {
            call.unsupported("the windows of its `Gather`s are not evenly spaced, as those of a pool are")
        })?;
        self.is_for_candle |= pool.dilation == [1, 1];
        Ok(Some((input, pool)))
    }
}
