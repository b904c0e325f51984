//! From one element type to another.

use candle_core::DType;

use super::super::merge::Step;
use super::{Emitted, Emitter, Trouble, data_type};
use crate::onnx::{DataType, Node, Tensor, Value};

impl Emitter<'_> {
    pub(super) fn cast(&mut self, step: &Step, title: &str, dtype: DType) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        let Some(wanted) = data_type(dtype) else {
            let reason = format!("it makes {dtype:?}, which few runtimes have");
            return Err(Trouble::Refuse(reason, "use f16 or f32"));
        };
        let is_float = matches!(x.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64);
        match range(dtype) {
            Some(range) if is_float => self.saturated(title, &x, range, wanted),
            // A mask stands for u8 until its numbers are needed.
            _ if x.data_type() == DataType::Bool && wanted == DataType::UInt8 => Ok(x),
            _ => self.converted(title, &x, wanted),
        }
    }

    /// `Cast`, or nothing if the type is the same.
    pub(super) fn converted(&mut self, title: &str, x: &Value, wanted: DataType) -> Emitted {
        if x.data_type() == wanted {
            return Ok(x.clone());
        }
        Ok(self.graph.node(Node::new("Cast", title).input(x).int("to", i64::from(wanted.code())))?)
    }

    /// Numbers with fractions as whole ones, of which candle makes the nearest there is, and ONNX anything at all. int64
    /// is left as it is: nothing that a model computes reaches its ends.
    fn saturated(&mut self, title: &str, x: &Value, [least, most]: [i64; 2], wanted: DataType) -> Emitted {
        let named = |what: &str| format!("{title}.{what}");
        let x = match x.data_type() {
            DataType::Float16 => self.converted(&named("wide"), x, DataType::Float32)?,
            _ => x.clone(),
        };
        // float32 has no 2³² - 1: up to 2³² first, and the rest among whole numbers.
        let is_exact = x.data_type() == DataType::Float64 || most < 1 << 24;
        let end = if is_exact { most } else { most + 1 };
        let low = self.number(title, "least", least as f64, &x)?;
        let high = self.number(title, "most", end as f64, &x)?;
        let held = self.graph.node(Node::new("Clip", named("held")).inputs([&x, &low, &high]))?;
        if is_exact {
            return self.converted(title, &held, wanted);
        }
        let name = if wanted == DataType::Int64 { named("whole") } else { named("long") };
        let whole = self.converted(&name, &held, DataType::Int64)?;
        let most = self
            .graph
            .helper(&named("last"), Tensor::raw(DataType::Int64, &[], most.to_le_bytes().to_vec()))?;
        let name = if wanted == DataType::Int64 { title.to_owned() } else { named("whole") };
        let whole = self.graph.node(Node::new("Min", name).inputs([&whole, &most]))?;
        self.converted(title, &whole, wanted)
    }
}

/// The smallest and largest number of a type.
fn range(dtype: DType) -> Option<[i64; 2]> {
    match dtype {
        DType::U8 => Some([0, i64::from(u8::MAX)]),
        DType::U32 => Some([0, i64::from(u32::MAX)]),
        DType::I16 => Some([i64::from(i16::MIN), i64::from(i16::MAX)]),
        DType::I32 => Some([i64::from(i32::MIN), i64::from(i32::MAX)]),
        _ => None,
    }
}
