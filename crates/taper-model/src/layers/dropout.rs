//! Seeded dropout.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{ModuleT, Result, Tensor};
use taper_kernels::DropoutKey;

use crate::ops;

/// Dropout that can be drawn again: the mask of call number n is a function of seed, layer and n.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use taper_model::layers::Dropout;
/// let x = Tensor::ones((4, 100), DType::F32, &Device::Cpu)?;
/// let drawn = |dropout: Dropout| dropout.forward(&x, true)?.to_vec2::<f32>();
/// assert_eq!(drawn(Dropout::new(0.5, 42, 0))?, drawn(Dropout::new(0.5, 42, 0))?);
/// assert_ne!(drawn(Dropout::new(0.5, 42, 0))?, drawn(Dropout::new(0.5, 42, 1))?);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Dropout {
    p: f32,
    seed: u64,
    layer: u32,
    /// Training calls so far.
    calls: AtomicU64,
}

impl Dropout {
    /// Dropout with probability `p`, in `[0, 1)`. Layers of one model have one seed and different numbers.
    #[must_use]
    pub fn new(p: f32, seed: u64, layer: u32) -> Self {
        Self { p, seed, layer, calls: AtomicU64::new(0) }
    }

    /// Zeroes elements and scales the others while training; does nothing otherwise.
    ///
    /// # Errors
    /// A probability outside `[0, 1)`, or a tensor that is not f32.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        if train { ops::dropout(xs, self.p, self.next_key()) } else { Ok(xs.clone()) }
    }

    /// Goes on as after `calls` training calls, as when a run is continued.
    pub fn continue_after(&self, calls: u64) {
        self.calls.store(calls, Ordering::Relaxed);
    }

    /// What the next training call is drawn from.
    pub(super) fn next_key(&self) -> DropoutKey {
        let step = self.calls.fetch_add(1, Ordering::Relaxed);
        DropoutKey { seed: self.seed, step, layer: self.layer }
    }

    pub(super) fn probability(&self) -> f32 {
        self.p
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(xs, train)
    }
}
