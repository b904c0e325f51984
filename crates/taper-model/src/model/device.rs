//! Where a model's parameters are, and what computes with them.

use candle_core::{Device, Tensor, Var};

use super::{Model, Parameter};
use crate::error::ModelError;

impl Model {
    /// The model on `device`, which may be the CPU, run by the ops that are [`composed`](crate::ops::composed) of candle's
    /// instead of Taper's kernels.
    ///
    /// [`Model::forward`], [`Trainer`](crate::Trainer), [`Inference`](crate::Inference) and all that is built on them then work
    /// there; gradients are the same but for rounding, dropout is the same. On the CPU this is several times slower than
    /// without, and there for tests: what runs there is what runs on a GPU, but for candle's own kernels.
    ///
    /// # Errors
    /// [`ModelError::Candle`] if the parameters cannot be brought there.
    ///
    /// ```
    /// use candle_core::Device;
    /// use taper_graph::Preset;
    /// use taper_model::Model;
    ///
    /// let images = [0.5; 784];
    /// let plain = Model::new(Preset::LeNet5.graph()?, 42)?.logits(&images)?;
    /// // With candle built for it: `&Device::new_cuda(0)?`.
    /// let other = Model::new(Preset::LeNet5.graph()?, 42)?.on_candle(&Device::Cpu)?.logits(&images)?;
    /// assert!(plain.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_candle(mut self, device: &Device) -> Result<Self, ModelError> {
        for Parameter { var, .. } in &mut self.parameters {
            *var = Var::from_tensor(&var.as_detached_tensor().to_device(device)?)?;
        }
        self.device = device.clone();
        self.on_candle = true;
        Ok(self)
    }

    /// Where the parameters are.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether candle's ops run it, as [`Model::on_candle`] says.
    #[must_use]
    pub fn is_on_candle(&self) -> bool {
        self.on_candle
    }

    /// Another model of the same network with the same weights in the same place, that draws the same dropout.
    pub(crate) fn copy(&self) -> Result<Self, ModelError> {
        let mut copy = Self::from_weights(self.graph.clone(), &self.weights()?)?;
        copy.seed = self.seed;
        if self.on_candle { copy.on_candle(&self.device) } else { Ok(copy) }
    }

    /// Values as a tensor beside the parameters.
    pub(crate) fn tensor(&self, values: &[f32], shape: &[usize]) -> candle_core::Result<Tensor> {
        Tensor::from_slice(values, shape, &self.device)
    }
}
