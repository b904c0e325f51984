//! Element by element.

use candle_core::DType;

use super::super::call::{Binary, Compare, Reduction, Unary};
use super::super::merge::Step;
use super::{Emitted, Emitter, Trouble};
use crate::onnx::parts::compose;
use crate::onnx::{DataType, Node, Profile, Tensor, Value};

impl Emitter<'_> {
    fn opset(&self) -> i64 {
        self.graph.opset().opset()
    }

    pub(super) fn number(&mut self, title: &str, what: &str, number: f64, like: &Value) -> Emitted {
        Ok(compose::scalar(&mut self.graph, &format!("{title}.{what}"), number, like)?)
    }

    pub(super) fn unary(&mut self, step: &Step, title: &str, function: Unary) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let plain = |op: &str| Node::new(op, title).input(&x);
        let node = match function {
            Unary::Abs => plain("Abs"),
            Unary::Ceil => plain("Ceil"),
            Unary::Cos => plain("Cos"),
            Unary::Elu(alpha) => plain("Elu").float("alpha", alpha as f32),
            Unary::Erf => plain("Erf"),
            Unary::Exp => plain("Exp"),
            Unary::Floor => plain("Floor"),
            Unary::Gelu if self.opset() >= 20 => plain("Gelu").text("approximate", "tanh"),
            Unary::Gelu => return Ok(compose::gelu_tanh(&mut self.graph, title, &x)?),
            Unary::GeluErf if self.opset() >= 20 => plain("Gelu").text("approximate", "none"),
            Unary::GeluErf => return Ok(compose::gelu(&mut self.graph, title, &x)?),
            Unary::HardSigmoid => plain("HardSigmoid").float("alpha", 1.0 / 6.0).float("beta", 0.5),
            Unary::LeakyRelu(slope) => plain("LeakyRelu").float("alpha", slope as f32),
            Unary::Log => plain("Log"),
            Unary::Mish => return self.mish(title, &x),
            Unary::Neg => plain("Neg"),
            Unary::Recip => plain("Reciprocal"),
            Unary::Relu => plain("Relu"),
            Unary::Round => return self.round(title, &x),
            Unary::Selu { alpha, gamma } => {
                // rten has no `Selu`.
                let elu = Node::new("Elu", format!("{title}.elu")).input(&x).float("alpha", alpha as f32);
                let (elu, gamma) = (self.graph.node(elu)?, self.number(title, "gamma", gamma, &x)?);
                Node::new("Mul", title).inputs([&elu, &gamma])
            }
            Unary::Sigmoid => plain("Sigmoid"),
            Unary::Sign => plain("Sign"),
            Unary::Silu => return Ok(compose::silu(&mut self.graph, title, &x)?),
            Unary::Sin => plain("Sin"),
            Unary::Sqr => Node::new("Mul", title).inputs([&x, &x]),
            Unary::Sqrt => plain("Sqrt"),
            Unary::Tanh => plain("Tanh"),
        };
        Ok(self.graph.node(node)?)
    }

    /// `x·tanh(softplus(x))`: there is no `Mish` before opset 18, and none in rten.
    fn mish(&mut self, title: &str, x: &Value) -> Emitted {
        let softplus = self.graph.node(Node::new("Softplus", format!("{title}.softplus")).input(x))?;
        let tanh = self.graph.node(Node::new("Tanh", format!("{title}.tanh")).input(&softplus))?;
        Ok(self.graph.node(Node::new("Mul", title).inputs([x, &tanh]))?)
    }

    /// ONNX rounds halves to even, candle away from zero: `sign(x)·(floor(|x|) + (|x| - floor(|x|) ≥ ½))`, in which nothing
    /// but the result is rounded.
    fn round(&mut self, title: &str, x: &Value) -> Emitted {
        let named = |what: &str| format!("{title}.{what}");
        let half = self.number(title, "half", 0.5, x)?;
        let size = self.graph.node(Node::new("Abs", named("size")).input(x))?;
        let floor = self.graph.node(Node::new("Floor", named("floor")).input(&size))?;
        let rest = self.graph.node(Node::new("Sub", named("rest")).inputs([&size, &floor]))?;
        let up = self.graph.node(Node::new("GreaterOrEqual", named("up")).inputs([&rest, &half]))?;
        let up = Node::new("Cast", named("one")).input(&up).int("to", i64::from(x.data_type().code()));
        let up = self.graph.node(up)?;
        let whole = self.graph.node(Node::new("Add", named("whole")).inputs([&floor, &up]))?;
        let sign = self.graph.node(Node::new("Sign", named("sign")).input(x))?;
        Ok(self.graph.node(Node::new("Mul", title).inputs([&sign, &whole]))?)
    }

    /// `exp(y·log(x))`, as candle computes it: of a negative `x` it is NaN, also where `Pow` would have an answer.
    fn pow(&mut self, title: &str, x: &Value, y: &Value) -> Emitted {
        let log = self.graph.node(Node::new("Log", format!("{title}.log")).input(x))?;
        let scaled = self.graph.node(Node::new("Mul", format!("{title}.scaled")).inputs([&log, y]))?;
        Ok(self.graph.node(Node::new("Exp", title).input(&scaled))?)
    }

    pub(super) fn binary(&mut self, step: &Step, title: &str, function: Binary) -> Emitted {
        let op = match function {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Maximum => "Max",
            Binary::Minimum => "Min",
            Binary::Pow => {
                let (left, right) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
                return self.pow(title, &left, &right);
            }
        };
        if function == Binary::Sub && self.dtype(step, 0) == Some(DType::U32) {
            let reason = "candle's u32 has no numbers below zero: they wrap around".to_owned();
            return Err(Trouble::Refuse(reason, "convert both with `to_dtype(DType::I64)` first"));
        }
        let (left, right) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        if !is_narrow(&left) {
            return Ok(self.graph.node(Node::new(op, title).inputs([&left, &right]))?);
        }
        let wide = self.wide_pair(op, &format!("{title}.wide"), &left, &right)?;
        let cast = Node::new("Cast", title).input(&wide).int("to", i64::from(left.data_type().code()));
        Ok(self.graph.node(cast)?)
    }

    /// An operator on two values, those of 8 and 16 bits as int32: many runtimes have no arithmetic on fewer bits.
    fn wide_pair(&mut self, op: &str, title: &str, left: &Value, right: &Value) -> Emitted {
        let mut node = Node::new(op, title);
        for value in [left, right] {
            node = match is_narrow(value) {
                true => {
                    let cast = Node::new("Cast", format!("{title}.int32")).input(value);
                    node.input(&self.graph.node(cast.int("to", i64::from(DataType::Int32.code())))?)
                }
                false => node.input(value),
            };
        }
        Ok(self.graph.node(node)?)
    }

    pub(super) fn compare(&mut self, step: &Step, title: &str, how: Compare) -> Emitted {
        let (left, right) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        let op = match how {
            Compare::Eq => "Equal",
            Compare::Ne => {
                let equal = self.wide_pair("Equal", &format!("{title}.equal"), &left, &right)?;
                return Ok(self.graph.node(Node::new("Not", title).input(&equal))?);
            }
            Compare::Lt => "Less",
            Compare::Le => "LessOrEqual",
            Compare::Gt => "Greater",
            Compare::Ge => "GreaterOrEqual",
        };
        self.wide_pair(op, title, &left, &right)
    }

    pub(super) fn affine(&mut self, step: &Step, title: &str, mul: f64, add: f64) -> Emitted {
        let mut x = self.operand(step, title, 0)?;
        if is_narrow(&x) {
            let reason = format!(
                "candle's {} has no signs and no fractions, so that the numbers are cut off",
                x.data_type()
            );
            return Err(Trouble::Refuse(reason, "convert it with `to_dtype` first"));
        }
        let is_whole = |number: f64| number >= 0.0 && number.fract() == 0.0;
        if self.dtype(step, 0) == Some(DType::U32) && !(is_whole(mul) && is_whole(add)) {
            let reason =
                format!("candle's u32 has no signs and no fractions, so that {mul} and {add} are cut off");
            return Err(Trouble::Refuse(reason, "convert it with `to_dtype(DType::I64)` first"));
        }
        if mul != 1.0 {
            let factor = self.number(title, "factor", mul, &x)?;
            let name = if add == 0.0 { title.to_owned() } else { format!("{title}.scaled") };
            x = self.graph.node(Node::new("Mul", name).inputs([&x, &factor]))?;
        }
        if add != 0.0 {
            let summand = self.number(title, "summand", add, &x)?;
            x = self.graph.node(Node::new("Add", title).inputs([&x, &summand]))?;
        }
        Ok(x)
    }

    pub(super) fn powf(&mut self, step: &Step, title: &str, exponent: f64) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let exponent = self.number(title, "exponent", exponent, &x)?;
        Ok(self.graph.node(Node::new("Pow", title).inputs([&x, &exponent]))?)
    }

    pub(super) fn clamp(&mut self, step: &Step, title: &str, min: f64, max: f64) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let (min, max) = (self.number(title, "min", min, &x)?, self.number(title, "max", max, &x)?);
        Ok(self.graph.node(Node::new("Clip", title).inputs([&x, &min, &max]))?)
    }

    pub(super) fn choose(&mut self, step: &Step, title: &str) -> Emitted {
        let mut mask = self.any_operand(step, title, 0)?;
        if mask.data_type() != DataType::Bool {
            let cast = Node::new("Cast", format!("{title}.mask")).input(&mask);
            mask = self.graph.node(cast.int("to", i64::from(DataType::Bool.code())))?;
        }
        let (yes, no) = (self.operand(step, title, 1)?, self.operand(step, title, 2)?);
        let kind = yes.data_type();
        if !is_narrow(&yes) {
            return Ok(self.graph.node(Node::new("Where", title).inputs([&mask, &yes, &no]))?);
        }
        let yes = self.converted(&format!("{title}.int32"), &yes, DataType::Int32)?;
        let no = self.converted(&format!("{title}.int32"), &no, DataType::Int32)?;
        let wide = Node::new("Where", format!("{title}.wide")).inputs([&mask, &yes, &no]);
        let wide = self.graph.node(wide)?;
        self.converted(title, &wide, kind)
    }

    /// One number in the shape of the input.
    pub(super) fn like(&mut self, step: &Step, title: &str, number: f64) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let number = self.number(title, "number", number, &x)?;
        let sizes = self.list(title, &x.fact().sizes.clone())?;
        Ok(self.graph.node(Node::new("Expand", title).inputs([&number, &sizes]))?)
    }

    pub(super) fn softmax(&mut self, step: &Step, title: &str, dim: usize, log: bool) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let op = if log { "LogSoftmax" } else { "Softmax" };
        Ok(compose::softmax(&mut self.graph, op, title, &x, dim)?)
    }

    pub(super) fn reduce(
        &mut self,
        step: &Step,
        title: &str,
        how: Reduction,
        dims: &[usize],
        keep: bool,
    ) -> Emitted {
        let x = self.operand(step, title, 0)?;
        if dims.is_empty() {
            return Ok(x);
        }
        let op = match how {
            Reduction::Sum => "ReduceSum",
            Reduction::Mean => "ReduceMean",
            Reduction::Max => "ReduceMax",
            Reduction::Min => "ReduceMin",
            Reduction::LogSumExp => "ReduceLogSumExp",
        };
        Ok(compose::reduce(&mut self.graph, op, title, &x, dims, keep)?)
    }

    pub(super) fn arg(&mut self, step: &Step, title: &str, is_max: bool, dim: usize, keep: bool) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let node = Node::new(if is_max { "ArgMax" } else { "ArgMin" }, title).input(&x);
        Ok(self.graph.node(node.int("axis", dim as i64).int("keepdims", i64::from(keep)))?)
    }

    pub(super) fn cumsum(&mut self, step: &Step, title: &str, dim: usize) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let axis = Tensor::raw(DataType::Int64, &[], (dim as i64).to_le_bytes().to_vec());
        let axis = self.graph.helper(&format!("{title}.axis"), axis)?;
        Ok(self.graph.node(Node::new("CumSum", title).inputs([&x, &axis]))?)
    }

    /// Whether the profile's runtimes lack `LayerNormalization`.
    pub(super) fn composes_norms(&self) -> bool {
        self.opset() < 17 || self.profile == Profile::Candle
    }
}

/// Whole numbers of 8 or 16 bits.
fn is_narrow(value: &Value) -> bool {
    matches!(value.data_type(), DataType::UInt8 | DataType::Int16)
}
