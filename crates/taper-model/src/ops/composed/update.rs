//! Optimiser steps, in the arithmetic of [`Optimizer::step`].

use candle_core::{Result, Tensor, Var};
use taper_kernels::Optimizer;

/// What an optimiser remembers of a variable, on the variable's device.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    /// Steps taken.
    pub step: u64,
    /// The first and the second moment; none before the first step, and where the rule keeps none.
    pub kept: [Option<Tensor>; 2],
}

/// Moves a variable one step against its gradient: [`Optimizer::step`].
///
/// # Errors
/// A gradient or moments of another shape or device.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use taper_model::Optimizer;
/// use taper_model::ops::composed::{Moments, update};
/// let (x, gradient) = (Var::new(&[1f32], &Device::Cpu)?, Tensor::new(&[0.5f32], &Device::Cpu)?);
/// update(&Optimizer::sgd(0.0), &x, &gradient, &mut Moments::default(), 0.1)?;
/// assert_eq!(x.to_vec1::<f32>()?, [0.95]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn update(
    optimizer: &Optimizer,
    variable: &Var,
    gradient: &Tensor,
    moments: &mut Moments,
    learning_rate: f64,
) -> Result<()> {
    moments.step = moments.step.saturating_add(1);
    let value = variable.as_detached_tensor();
    let penalised = |penalty: f64| match penalty {
        0.0 => Ok(gradient.clone()),
        penalty => value.affine(penalty, 0.0)? + gradient,
    };
    let kept = |moment: &Option<Tensor>| moment.clone().map_or_else(|| value.zeros_like(), Ok);
    let moved = match *optimizer {
        Optimizer::Sgd { momentum, nesterov, weight_decay } => {
            let gradient = penalised(weight_decay)?;
            let direction = if momentum == 0.0 {
                gradient
            } else {
                let velocity = (kept(&moments.kept[0])?.affine(momentum, 0.0)? + &gradient)?;
                moments.kept[0] = Some(velocity.clone());
                if nesterov { (velocity.affine(momentum, 0.0)? + gradient)? } else { velocity }
            };
            (value - direction.affine(learning_rate, 0.0)?)?
        }
        Optimizer::Adam { beta1, beta2, eps, weight_decay }
        | Optimizer::AdamW { beta1, beta2, eps, weight_decay } => {
            let is_decoupled = matches!(optimizer, Optimizer::AdamW { .. });
            let gradient = penalised(if is_decoupled { 0.0 } else { weight_decay })?;
            let first = kept(&moments.kept[0])?;
            let first = (&first + (&gradient - &first)?.affine(1.0 - beta1, 0.0)?)?;
            let second = kept(&moments.kept[1])?.affine(beta2, 0.0)?;
            let second = (second + gradient.sqr()?.affine(1.0 - beta2, 0.0)?)?;
            let [correction1, correction2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(moments.step as f64));
            let denominator = second.sqrt()?.affine(1.0 / correction2.sqrt(), eps)?;
            let direction = (&first / denominator)?.affine(learning_rate / correction1, 0.0)?;
            moments.kept = [Some(first), Some(second)];
            let shrink = if is_decoupled { learning_rate * weight_decay } else { 0.0 };
            (value.affine(1.0 - shrink, 0.0)? - direction)?
        }
    };
    variable.set(&moved)
}
