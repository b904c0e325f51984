//! From candle's storage to slices and back.

use std::fmt::Display;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor};

/// The elements of a contiguous f32 storage.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => candle_core::bail!("this op needs a contiguous tensor; call .contiguous() first"),
    }
}

/// Runs `work` on the elements of f32 tensors on the CPU.
pub(super) fn with_slices<const N: usize, T>(
    tensors: [&Tensor; N],
    work: impl FnOnce([&[f32]; N]) -> Result<T>,
) -> Result<T> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = [&[][..]; N];
    for (to, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else {
            candle_core::bail!("this op needs a tensor on the CPU")
        };
        *to = slice(storage, layout)?;
    }
    work(slices)
}

/// As [`with_slices`], of any number of variables, which are contiguous.
pub(crate) fn with_variables<T>(
    variables: &[&Tensor],
    work: impl FnOnce(&[&[f32]]) -> std::result::Result<T, crate::ModelError>,
) -> std::result::Result<T, crate::ModelError> {
    let guards: Vec<_> = variables.iter().map(|variable| variable.storage_and_layout()).collect();
    let mut slices = Vec::with_capacity(guards.len());
    for (storage, layout) in &guards {
        let Storage::Cpu(storage) = &**storage else {
            return Err(refuse("this model needs its parameters on the CPU").into());
        };
        slices.push(slice(storage, layout)?);
    }
    work(&slices)
}

/// What a forward pass returns to candle.
pub(super) fn output(data: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(data), shape.into())
}

/// A gradient as a tensor on the CPU.
pub(super) fn gradient(data: Vec<f32>, shape: &Shape) -> Result<Tensor> {
    Tensor::from_vec(data, shape, &Device::Cpu)
}

/// `[C, H, W]` and the batch of an image tensor.
pub(super) fn image_dims(shape: &Shape) -> Result<(usize, [usize; 3])> {
    let (batch, channels, height, width) = shape.dims4()?;
    Ok((batch, [channels, height, width]))
}

/// Any error of Taper's as candle's.
pub(crate) fn refuse(error: impl Display) -> candle_core::Error {
    candle_core::Error::Msg(error.to_string())
}
