//! Training steps: forward, loss, backward, update.

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result as CandleResult};
use taper_kernels::{Moments, Optimizer};

use crate::error::ModelError;
use crate::model::{Mode, Model};
use crate::ops;

/// What a [`Trainer`] is told once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainerSettings {
    /// The update rule.
    pub optimizer: Optimizer,
    /// Label smoothing of the cross-entropy, in `[0, 1)`.
    pub label_smoothing: f64,
    /// What dropout is drawn from.
    pub seed: u64,
}

/// What one training step found, before its update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss over the batch, in nats.
    pub loss: f64,
    /// How many images of the batch were classified correctly.
    pub correct: usize,
}

/// A model with the state of its optimiser.
#[derive(Debug)]
pub struct Trainer {
    model: Model,
    settings: TrainerSettings,
    moments: Vec<Moments>,
    step: u64,
}

impl Trainer {
    /// A trainer at its first step.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, classes]`.
    pub fn new(mut model: Model, settings: TrainerSettings) -> Result<Self, ModelError> {
        model.classes()?;
        model.set_seed(settings.seed);
        let moments = model.trainable().map(|_| Moments::default()).collect();
        Ok(Self { model, settings, moments, step: 0 })
    }

    /// One step on a batch of images `[N, C, H, W]` with their labels `[N]`.
    ///
    /// # Errors
    /// [`ModelError`] if the images do not fit the network, or a label is not one of its classes.
    pub fn step(&mut self, images: &[f32], labels: &[u8], learning_rate: f64) -> Result<Step, ModelError> {
        let xs = self.model.images_tensor(images)?;
        let logits = self.model.forward(&xs, Mode::Train { step: self.step })?;
        let (loss, found) = ops::cross_entropy(&logits, labels, self.settings.label_smoothing)?;
        let gradients = loss.backward()?;
        for ((_, var), moments) in self.model.trainable().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(var.as_tensor()) else { continue };
            let update =
                Update { optimizer: self.settings.optimizer, moments: Mutex::new(moments), learning_rate };
            var.as_tensor().inplace_op2(&gradient.contiguous()?, &update)?;
        }
        self.step += 1;
        Ok(Step { loss: found.mean, correct: found.correct })
    }

    /// The model as it stands.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model, when training is over.
    pub fn into_model(self) -> Model {
        self.model
    }
}

/// An optimiser step on a variable's own memory.
struct Update<'a> {
    optimizer: Optimizer,
    moments: Mutex<&'a mut Moments>,
    learning_rate: f64,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimizer step"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> CandleResult<()> {
        let refuse = |error: String| candle_core::Error::Msg(error);
        let (CpuStorage::F32(parameter), Some((start, end))) =
            (parameter, parameter_layout.contiguous_offsets())
        else {
            candle_core::bail!("an optimiser step needs a contiguous f32 parameter")
        };
        let gradient = ops::slice(gradient, gradient_layout)?;
        let mut moments = self.moments.lock().map_err(|error| refuse(error.to_string()))?;
        let parameter = &mut parameter[start..end];
        self.optimizer
            .step(parameter, gradient, &mut moments, self.learning_rate)
            .map_err(|error| refuse(error.to_string()))
    }
}
