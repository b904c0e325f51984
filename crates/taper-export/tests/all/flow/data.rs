//! Numbers that look random, the same every time.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarMap;

/// Numbers between -1 and 1 without a pattern, the same every time.
pub(crate) fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| draw()).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// Numbers between 0.1 and 2.1.
pub(crate) fn positive(shape: &[usize], seed: u64) -> Tensor {
    (numbers(shape, seed) + 1.1).unwrap()
}

/// Whole numbers from 0 to `end`, excluded.
pub(crate) fn ids(shape: &[usize], end: u32, seed: u64) -> Tensor {
    let numbers = ((numbers(shape, seed) + 1.0).unwrap() * (f64::from(end) / 2.0)).unwrap();
    numbers.to_dtype(DType::U32).unwrap()
}

/// Gives every weight values that do not depend on the run; variances and scales stay near 1.
pub(crate) fn fill(vars: &VarMap) {
    let data = vars.data().lock().unwrap();
    let mut names: Vec<_> = data.keys().cloned().collect();
    names.sort();
    for (seed, name) in names.iter().enumerate() {
        let var = &data[name];
        let numbers = numbers(var.dims(), seed as u64 + 100);
        let fan = (var.elem_count() / var.dims().first().copied().unwrap_or(1)).max(1) as f64;
        let values = match name.rsplit('.').next().unwrap() {
            "running_var" => numbers.affine(0.3, 1.0).unwrap(),
            "running_mean" | "bias" => (numbers * 0.3).unwrap(),
            _ if var.rank() == 1 => numbers.affine(0.3, 1.0).unwrap(),
            _ => (numbers * (1.7 / fan.sqrt())).unwrap(),
        };
        var.set(&values.to_dtype(var.dtype()).unwrap()).unwrap();
    }
}
