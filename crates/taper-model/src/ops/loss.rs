//! Softmax cross-entropy.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, Result, Shape, Tensor};
use taper_kernels::Loss;

use super::composed;
use super::record::{Argument, InputGradients, Operation, apply};
use super::storage::{gradient, output, refuse, slice};

/// Mean cross-entropy of `logits` `[N, classes]` against `labels`, with label smoothing: the loss as a scalar tensor to
/// differentiate, and as numbers with the count of correct arg-maxima.
///
/// # Errors
/// Lengths that do not agree, a label outside the classes, or logits that are not f32.
pub fn cross_entropy(logits: &Tensor, labels: &[u8], label_smoothing: f64) -> Result<(Tensor, Loss)> {
    if !logits.device().is_cpu() {
        return composed::cross_entropy(logits, labels, label_smoothing);
    }
    let found = Found::default();
    let op = CrossEntropyOp { labels: labels.to_vec(), label_smoothing, found: Arc::clone(&found) };
    let loss = apply(op, &[logits])?;
    match found.get() {
        Some((numbers, _)) => Ok((loss, *numbers)),
        None => candle_core::bail!("cross_entropy did not run"),
    }
}

/// The loss and its gradient, which the forward pass finds along the way.
type Found = Arc<OnceLock<(Loss, Vec<f32>)>>;

struct CrossEntropyOp {
    labels: Vec<u8>,
    label_smoothing: f64,
    found: Found,
}

impl Operation for CrossEntropyOp {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (logits, layout) = inputs[0];
        let (_, classes) = layout.shape().dims2()?;
        let logits = slice(logits, layout)?;
        let mut dlogits = vec![0.0; logits.len()];
        let loss =
            taper_kernels::cross_entropy(classes, logits, &self.labels, self.label_smoothing, &mut dlogits)
                .map_err(refuse)?;
        self.found.get_or_init(|| (loss, dlogits));
        Ok(output(vec![loss.mean as f32], ()))
    }

    fn backward(&self, inputs: &[&Tensor], _loss: &Tensor, dloss: &Tensor) -> Result<InputGradients> {
        let Some((_, dlogits)) = self.found.get() else {
            candle_core::bail!("cross_entropy: backward before forward")
        };
        let scale = dloss.to_scalar::<f32>()?;
        let dlogits = dlogits.iter().map(|d| d * scale).collect();
        Ok(vec![Some(gradient(dlogits, inputs[0].shape())?)])
    }
}
