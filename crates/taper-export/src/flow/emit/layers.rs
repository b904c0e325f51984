//! Layers with weights.

use super::super::merge::Step;
use super::{Emitted, Emitter, Trouble};
use crate::onnx::parts::{Size, compose};
use crate::onnx::{DataType, Node, Tensor, Value};

impl Emitter<'_> {
    /// `Gemm` for a matrix, always with its third input, as some runtimes want; for other ranks `MatMul` and `Add`.
    pub(super) fn linear(&mut self, step: &Step, title: &str) -> Emitted {
        let (x, weight) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        let bias = if step.inputs.len() > 2 { Some(self.operand(step, title, 2)?) } else { None };
        if x.fact().rank() == 2 {
            let bias = match bias {
                Some(bias) => bias,
                None => self.filled(&format!("{title}.bias"), &weight, 0, 0.0)?,
            };
            let node = Node::new("Gemm", title).inputs([&x, &weight, &bias]).int("transB", 1);
            return Ok(self.graph.node(node.float("alpha", 1.0).float("beta", 1.0))?);
        }
        let turned = Node::new("Transpose", format!("{title}.weight_t")).input(&weight).ints("perm", [1, 0]);
        let turned = self.graph.node(turned)?;
        let Some(bias) = bias else {
            return Ok(self.graph.node(Node::new("MatMul", title).inputs([&x, &turned]))?);
        };
        let product =
            self.graph.node(Node::new("MatMul", format!("{title}.product")).inputs([&x, &turned]))?;
        Ok(self.graph.node(Node::new("Add", title).inputs([&product, &bias]))?)
    }

    /// A list of one number, as long as a dimension of `like`.
    fn filled(&mut self, name: &str, like: &Value, dim: usize, number: f64) -> Emitted {
        let count = like.fact().sizes[dim].fixed().and_then(|count| usize::try_from(count).ok());
        let Some(count) = count else {
            return Err(Trouble::Refuse(
                "the number of its channels follows from a dynamic size".to_owned(),
                "keep that size fixed",
            ));
        };
        let one = candle_core::Tensor::new(number, &candle_core::Device::Cpu)?;
        let dtype = match like.data_type() {
            DataType::Float64 => candle_core::DType::F64,
            DataType::Float16 => candle_core::DType::F16,
            _ => candle_core::DType::F32,
        };
        let list = one.to_dtype(dtype)?.broadcast_as(count)?;
        Ok(self.graph.helper(name, super::names::data(&list)?)?)
    }

    /// `Conv` or, with an output padding, `ConvTranspose`; every setting is written.
    pub(super) fn conv(
        &mut self,
        step: &Step,
        title: &str,
        op: &str,
        [padding, stride, dilation, groups]: [usize; 4],
        output_padding: Option<usize>,
    ) -> Emitted {
        let weight = self.operand(step, title, 1)?;
        let axes = weight.fact().rank().saturating_sub(2);
        let kernel: Option<Vec<usize>> =
            weight.fact().sizes.iter().skip(2).map(|size| usize::try_from(size.fixed()?).ok()).collect();
        let Some(kernel) = kernel else {
            return Err(Trouble::Refuse(
                "the size of its kernel follows from a dynamic size".to_owned(),
                "keep that size fixed",
            ));
        };
        let mut node = Node::new(op, title).input(&self.operand(step, title, 0)?).input(&weight);
        if step.inputs.len() > 2 {
            node = node.input(&self.operand(step, title, 2)?);
        }
        let all = |value: usize, count: usize| std::iter::repeat_n(value, count);
        node = node
            .ints("dilations", all(dilation, axes))
            .int("group", groups as i64)
            .ints("kernel_shape", kernel);
        if let Some(padding) = output_padding {
            node = node.ints("output_padding", all(padding, axes));
        }
        node = node.ints("pads", all(padding, 2 * axes)).ints("strides", all(stride, axes));
        Ok(self.graph.node(node)?)
    }

    /// `BatchNormalization`, with ones and zeros where there is no weight and no bias.
    pub(super) fn batch_norm(&mut self, step: &Step, title: &str, eps: f64) -> Emitted {
        let (x, mean) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        let variance = self.operand(step, title, 2)?;
        let (weight, bias) = if step.inputs.len() > 3 {
            (self.operand(step, title, 3)?, self.operand(step, title, 4)?)
        } else {
            (
                self.filled(&format!("{title}.weight"), &mean, 0, 1.0)?,
                self.filled(&format!("{title}.bias"), &mean, 0, 0.0)?,
            )
        };
        let node = Node::new("BatchNormalization", title).inputs([&x, &weight, &bias, &mean, &variance]);
        Ok(self.graph.node(node.float("epsilon", eps as f32))?)
    }

    /// `LayerNormalization`, or its parts where the operator set or the profile lacks it, or the mean is kept.
    pub(super) fn layer_norm(&mut self, step: &Step, title: &str, eps: f64, remove_mean: bool) -> Emitted {
        let (x, weight) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        let bias = if step.inputs.len() > 2 { Some(self.operand(step, title, 2)?) } else { None };
        if remove_mean && !self.composes_norms() {
            let node = Node::new("LayerNormalization", title).inputs([&x, &weight]).inputs(&bias);
            return Ok(self.graph.node(node.int("axis", -1).float("epsilon", eps as f32))?);
        }
        let (last, named) = (x.fact().rank().saturating_sub(1), |what: &str| format!("{title}.{what}"));
        let kind = x.data_type();
        let x = self.widened(title, &x)?;
        let eps = self.number(title, "eps", eps, &x)?;
        let graph = &mut self.graph;
        let centred = if remove_mean {
            let mean = compose::reduce(graph, "ReduceMean", &named("mean"), &x, &[last], true)?;
            graph.node(Node::new("Sub", named("centred")).inputs([&x, &mean]))?
        } else {
            x
        };
        let square = graph.node(Node::new("Mul", named("square")).inputs([&centred, &centred]))?;
        let variance = compose::reduce(graph, "ReduceMean", &named("variance"), &square, &[last], true)?;
        let shifted = graph.node(Node::new("Add", named("shifted")).inputs([&variance, &eps]))?;
        let deviation = graph.node(Node::new("Sqrt", named("deviation")).input(&shifted))?;
        let normal = graph.node(Node::new("Div", named("normal")).inputs([&centred, &deviation]))?;
        let normal = self.converted(&named("narrow"), &normal, kind)?;
        let graph = &mut self.graph;
        let Some(bias) = bias else {
            return Ok(graph.node(Node::new("Mul", title).inputs([&normal, &weight]))?);
        };
        let scaled = graph.node(Node::new("Mul", named("scaled")).inputs([&normal, &weight]))?;
        Ok(graph.node(Node::new("Add", title).inputs([&scaled, &bias]))?)
    }

    /// Groups as the channels of an `InstanceNormalization`, as PyTorch writes it.
    pub(super) fn group_norm(&mut self, step: &Step, title: &str, eps: f64, groups: usize) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let (weight, bias) = (self.operand(step, title, 1)?, self.operand(step, title, 2)?);
        let named = |what: &str| format!("{title}.{what}");
        let (sizes, kind) = (x.fact().sizes.clone(), x.data_type());
        let x = self.widened(title, &x)?;
        let shape = self.graph.helper(&named("groups"), Tensor::i64(&[0, groups as i64, -1]))?;
        let joined = self.graph.node(Node::new("Reshape", named("joined")).inputs([&x, &shape]))?;
        let ones = self.filled(&named("ones"), &joined, 1, 1.0)?;
        let zeros = self.filled(&named("zeros"), &joined, 1, 0.0)?;
        let node = Node::new("InstanceNormalization", named("normal")).inputs([&joined, &ones, &zeros]);
        let normal = self.graph.node(node.float("epsilon", eps as f32))?;
        let normal = self.converted(&named("narrow"), &normal, kind)?;
        let normal = self.reshape_to(&named("parted"), &normal, &sizes)?;
        let axes: Vec<usize> = (1..sizes.len() - 1).collect();
        let weight = self.with_axes_of(&named("scale"), "Unsqueeze", &weight, &axes)?;
        let bias = self.with_axes_of(&named("shift"), "Unsqueeze", &bias, &axes)?;
        let scaled = self.graph.node(Node::new("Mul", named("scaled")).inputs([&normal, &weight]))?;
        Ok(self.graph.node(Node::new("Add", title).inputs([&scaled, &bias]))?)
    }

    /// As float32 if it is float16: squares of float16 reach infinity at 256. candle too computes norms so.
    fn widened(&mut self, title: &str, x: &Value) -> Emitted {
        match x.data_type() {
            DataType::Float16 => self.converted(&format!("{title}.wide"), x, DataType::Float32),
            _ => Ok(x.clone()),
        }
    }

    /// The sizes of a value with those of the last dimensions replaced.
    pub(super) fn with_last(x: &Value, last: &[Size]) -> Vec<Size> {
        let kept = x.fact().rank().saturating_sub(last.len());
        [&x.fact().sizes[..kept], last].concat()
    }
}
