//! The backward pass without candle's sums of the gradients of variables.

use std::cell::RefCell;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

use super::storage::gradient;

thread_local! {
    /// While [`backward`] runs on this thread: variables and the gradients that ops found for them.
    static GATHERED: RefCell<Option<Vec<(Tensor, Tensor)>>> = const { RefCell::new(None) };
}

/// [`Tensor::backward`] of `loss`, sooner: where candle makes a tensor of zeros for every variable and another one for the
/// sum, the gradients that [`conv2d`](super::conv2d) and the like find are taken as they are.
///
/// # Errors
/// Candle's, if an op has no gradient.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// let (x, weight) = (Tensor::new(&[[2f32, 3.0]], &Device::Cpu)?, Var::new(&[[1f32, 1.0]], &Device::Cpu)?);
/// let gradients = taper_model::ops::backward(&taper_model::ops::linear(&x, &weight, None)?.sum_all()?)?;
/// let found = gradients.get(&weight).map(Tensor::to_vec2::<f32>).transpose()?;
/// assert_eq!(found, Some(vec![vec![2.0, 3.0]]));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    let gathering = Gathering::begin();
    let mut gradients = loss.backward()?;
    for (variable, gradient) in gathering.end() {
        let sum = match gradients.remove(&variable) {
            Some(other) => (other + gradient)?.detach(),
            None => gradient,
        };
        gradients.insert(&variable, sum);
    }
    Ok(gradients)
}

/// Gives the gradient of a tensor to [`backward`] if that is what runs and it is a variable's; else back, for candle.
pub(super) fn hand_over(of: &Tensor, data: Vec<f32>) -> Result<Option<Tensor>> {
    let found = gradient(data, of.shape())?;
    Ok(GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(gathered) if of.is_variable() => {
            gathered.push((of.clone(), found));
            None
        }
        _ => Some(found),
    }))
}

/// Ends the gathering when it goes, so that after an error or a panic gradients go to candle again.
struct Gathering;

impl Gathering {
    fn begin() -> Self {
        GATHERED.set(Some(Vec::new()));
        Self
    }

    fn end(self) -> Vec<(Tensor, Tensor)> {
        GATHERED.take().unwrap_or_default()
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        GATHERED.set(None);
    }
}
