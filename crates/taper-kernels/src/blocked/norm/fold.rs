//! Batch norm in evaluation as part of the convolution before it.

use crate::error::{KernelError, check_len};

/// Scale and shift of each channel such that `x·scale + shift` is batch norm by running averages:
/// `scale = weight/√(running variance + eps)`, `shift = bias − running mean·scale`. All slices are `[C]`.
///
/// # Errors
/// [`KernelError::Length`] if the slices differ in length.
///
/// ```
/// use taper_kernels::blocked::fold_norm;
/// let (mut scale, mut shift) = ([0.0], [0.0]);
/// fold_norm([&[2.0], &[0.5], &[1.0], &[4.0]], 0.0, &mut scale, &mut shift)?;
/// assert_eq!((scale, shift), ([1.0], [-0.5]));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn fold_norm(
    [weight, bias, running_mean, running_var]: [&[f32]; 4],
    eps: f64,
    scale: &mut [f32],
    shift: &mut [f32],
) -> Result<(), KernelError> {
    let lens = [bias.len(), running_mean.len(), running_var.len(), scale.len(), shift.len()];
    lens.iter().try_for_each(|&len| check_len("a parameter", len, weight.len()))?;
    for channel in 0..weight.len() {
        let (factor, rest) = folded(channel, [weight, bias, running_mean, running_var], eps);
        (scale[channel], shift[channel]) = (factor as f32, rest as f32);
    }
    Ok(())
}

/// Changes the weight `[out_channels, …]` and bias of a convolution so that it does what it did and batch norm by running
/// averages after it. The norm's parameters are `[weight, bias, running mean, running variance]`, each
/// `[out_channels]`. A convolution without a bias gets one: give zeros.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have an element for each channel, or the weight not a whole number of
/// them.
///
/// ```
/// use taper_kernels::blocked::fold_norm_into_conv;
/// let (mut weight, mut bias) = ([3.0, 4.0], [1.0]);
/// fold_norm_into_conv([&[2.0], &[0.5], &[1.0], &[4.0]], 0.0, &mut weight, &mut bias)?;
/// assert_eq!((weight, bias), ([3.0, 4.0], [0.5]));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn fold_norm_into_conv(
    norm: [&[f32]; 4],
    eps: f64,
    conv_weight: &mut [f32],
    conv_bias: &mut [f32],
) -> Result<(), KernelError> {
    let channels = conv_bias.len();
    norm.iter().try_for_each(|values| check_len("a parameter", values.len(), channels))?;
    let filter = conv_weight.len() / channels.max(1);
    check_len("weight", conv_weight.len(), filter * channels)?;
    for (channel, bias) in conv_bias.iter_mut().enumerate() {
        let (scale, shift) = folded(channel, norm, eps);
        let filter = &mut conv_weight[channel * filter..][..filter];
        filter.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        *bias = (f64::from(*bias) * scale + shift) as f32;
    }
    Ok(())
}

/// Scale and shift of one channel.
fn folded(channel: usize, [weight, bias, mean, variance]: [&[f32]; 4], eps: f64) -> (f64, f64) {
    let [weight, bias, mean, variance] =
        [weight, bias, mean, variance].map(|values| f64::from(values[channel]));
    let scale = weight / (variance + eps).sqrt();
    (scale, bias - mean * scale)
}
