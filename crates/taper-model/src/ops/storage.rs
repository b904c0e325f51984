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
    with_all(&tensors, |slices| {
        let mut all = [&[][..]; N];
        all.copy_from_slice(slices);
        work(all)
    })
}

/// As [`with_slices`], of any number.
pub(crate) fn with_all<T, E: From<candle_core::Error>>(
    tensors: &[&Tensor],
    work: impl FnOnce(&[&[f32]]) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let contiguous = tensors.iter().map(|tensor| tensor.contiguous()).collect::<Result<Vec<Tensor>>>()?;
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = Vec::with_capacity(guards.len());
    for (storage, layout) in &guards {
        let Storage::Cpu(storage) = &**storage else {
            return Err(refuse("this needs its tensors on the CPU").into());
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
