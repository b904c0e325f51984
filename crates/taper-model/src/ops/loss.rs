//! Softmax cross-entropy.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use taper_kernels::Loss;

use super::storage::{gradient, output, refuse, slice};

/// Mean cross-entropy of `logits` `[N, classes]` against `labels`, with label smoothing: the loss as a scalar tensor to
/// differentiate, and as numbers with the count of correct arg-maxima.
///
/// # Errors
/// Lengths that do not agree, a label outside the classes, or logits that are not f32 on the CPU.
pub fn cross_entropy(logits: &Tensor, labels: &[u8], label_smoothing: f64) -> Result<(Tensor, Loss)> {
    let shared = Arc::new(Mutex::new(None));
    let op = CrossEntropyOp { labels: labels.to_vec(), label_smoothing, found: Arc::clone(&shared) };
    let loss = logits.contiguous()?.apply_op1(op)?;
    let found = shared.lock().map_err(refuse)?;
    match &*found {
        Some((numbers, _)) => Ok((loss, *numbers)),
        None => candle_core::bail!("cross_entropy did not run"),
    }
}

/// The loss and its gradient, which the forward pass finds along the way.
type Found = Arc<Mutex<Option<(Loss, Vec<f32>)>>>;

struct CrossEntropyOp {
    labels: Vec<u8>,
    label_smoothing: f64,
    found: Found,
}

impl CustomOp1 for CrossEntropyOp {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, classes) = layout.shape().dims2()?;
        let logits = slice(logits, layout)?;
        let mut dlogits = vec![0.0; logits.len()];
        let loss =
            taper_kernels::cross_entropy(classes, logits, &self.labels, self.label_smoothing, &mut dlogits)
                .map_err(refuse)?;
        *self.found.lock().map_err(refuse)? = Some((loss, dlogits));
        Ok(output(vec![loss.mean as f32], ()))
    }

    fn bwd(&self, logits: &Tensor, _loss: &Tensor, dloss: &Tensor) -> Result<Option<Tensor>> {
        let found = self.found.lock().map_err(refuse)?;
        let Some((_, dlogits)) = &*found else {
            candle_core::bail!("cross_entropy: backward before forward")
        };
        let scale = dloss.to_scalar::<f32>()?;
        gradient(dlogits.iter().map(|d| d * scale).collect(), logits.shape()).map(Some)
    }
}
