//! Training steps: forward, loss, backward, update.

use taper_graph::Array;
use taper_kernels::{DropoutKey, KernelError};

use super::Trainer;
use crate::error::ModelError;
use crate::inference::count_images;
use crate::plan::{Batch, Rule};
use crate::shards::Summed;

/// What one training step found, before its update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss over the batch, in nats.
    pub loss: f64,
    /// How many images of the batch were classified correctly.
    pub correct: usize,
}

/// What one batch says about the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// The loss that they are the gradients of.
    pub step: Step,
    /// Name and gradient of every trainable parameter, in graph order.
    pub parameters: Vec<(String, Array)>,
}

impl Trainer {
    /// One step on a batch of images `[N, C, H, W]` with their labels `[N]`.
    ///
    /// # Errors
    /// [`ModelError`] if the images do not fit the network, a label is not one of its classes, or another rank has ended.
    pub fn step(&mut self, images: &[f32], labels: &[u8], learning_rate: f64) -> Result<Step, ModelError> {
        let (images, own) = self.own(images, labels)?;
        self.step_on_own(labels.len(), images, own, learning_rate)
    }

    /// [`Trainer::step`] on a batch of `batch` images, given those of them that are this rank's:
    /// [`Shards::own_images`](crate::Shards::own_images) says which.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn step_on_own(
        &mut self,
        batch: usize,
        images: &[f32],
        labels: &[u8],
        learning_rate: f64,
    ) -> Result<Step, ModelError> {
        let rule = self.rule(learning_rate);
        // Before parameters can move, a norm wants to know all gradients, and shards must be added up.
        let at_once = self.settings.clip_norm.is_none() && self.shards.count() == 1;
        let (step, summed) = self.run(batch, images, labels, at_once.then_some(rule))?;
        self.stale = true;
        self.step += 1;
        if at_once {
            return Ok(step);
        }
        let rule = Rule { gradient_scale: self.gradient_scale(summed.as_ref())?, ..rule };
        match summed {
            None => self.engine.update(rule)?,
            Some(summed) => {
                self.engine.plan_mut()?.update_by(summed.gradients(), summed.statistics(), rule)?;
                self.spare.keep(summed);
            }
        }
        Ok(step)
    }

    /// How the next step moves parameters, if gradients are taken as they are.
    fn rule(&self, learning_rate: f64) -> Rule {
        let count = (self.step + 1) as f64;
        let decay = self.settings.ema_decay.map(|decay| decay.min((1.0 + count) / (10.0 + count)));
        Rule {
            optimizer: self.settings.optimizer,
            learning_rate,
            gradient_scale: 1.0,
            average_share: decay.map(|decay| (1.0 - decay) as f32),
        }
    }

    /// What brings the gradients within the norm that is allowed; as in PyTorch, 1e-6 keeps it from dividing by 0.
    fn gradient_scale(&self, summed: Option<&Summed>) -> Result<f32, ModelError> {
        let Some(most) = self.settings.clip_norm else { return Ok(1.0) };
        let parameters = self.model.parameters();
        let gradients = self.unpacked(summed)?;
        let trained = gradients.iter().filter(|(index, _)| parameters[*index].trainable);
        let square = |gradient: &Vec<f32>| gradient.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let norm = trained.map(|(_, gradient)| square(gradient)).sum::<f64>().sqrt();
        Ok((most / (norm + 1e-6)).min(1.0) as f32)
    }

    /// The gradients that [`Trainer::step`] would follow; nothing is changed.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn gradients(&mut self, images: &[f32], labels: &[u8]) -> Result<Gradients, ModelError> {
        let (images, own) = self.own(images, labels)?;
        let (step, summed) = self.run(labels.len(), images, own, None)?;
        let mut parameters = Vec::new();
        for (index, data) in self.unpacked(summed.as_ref())? {
            let parameter = &self.model.parameters()[index];
            if parameter.trainable {
                let shape = parameter.var.dims().to_vec();
                parameters.push((index, (parameter.name.clone(), Array { shape, data })));
            }
        }
        parameters.sort_by_key(|(index, _)| *index);
        Ok(Gradients { step, parameters: parameters.into_iter().map(|(_, named)| named).collect() })
    }

    /// Of a batch, the images and labels that are this rank's.
    fn own<'a>(&self, images: &'a [f32], labels: &'a [u8]) -> Result<(&'a [f32], &'a [u8]), ModelError> {
        self.check_images(images, labels)?;
        let (own, len) = (self.shards.own_images(labels.len()), self.model.graph().input_shape().elements());
        Ok((&images[own.start * len..own.end * len], &labels[own]))
    }

    fn check_images(&self, images: &[f32], labels: &[u8]) -> Result<(), ModelError> {
        let graph = self.model.graph();
        if count_images(graph, images)? != labels.len() {
            let expected = labels.len() * graph.input_shape().elements();
            return Err(KernelError::Length { what: "images", expected, found: images.len() }.into());
        }
        Ok(())
    }

    /// Forward, loss and backward of a batch of `batch` images, of which `images` and `labels` are this rank's. The
    /// gradients are in the engine if batches are run whole, and parameters are moved by `rule` if there is one.
    fn run(
        &mut self,
        batch: usize,
        images: &[f32],
        labels: &[u8],
        rule: Option<Rule>,
    ) -> Result<(Step, Option<Summed>), ModelError> {
        self.check_images(images, labels)?;
        let own = self.shards.own_images(batch).len();
        if labels.len() != own {
            return Err(KernelError::Length { what: "labels", expected: own, found: labels.len() }.into());
        }
        if batch == 0 {
            return Err(ModelError::EmptyBatch);
        }
        if self.shards.count() > 1 {
            let summed = self.sum_shards(batch, images, labels)?;
            return Ok((summed.step(batch), Some(summed)));
        }
        let dropout = DropoutKey { seed: self.settings.seed, step: self.step, layer: 0 };
        let label_smoothing = self.settings.label_smoothing;
        let whole = Batch { images, labels, first: 0, whole: batch, label_smoothing, dropout };
        let (loss, correct) = self.engine.train(&whole, rule)?;
        Ok((Step { loss: loss / batch as f64, correct }, None))
    }

    /// The gradients that [`Trainer::run`] found, in PyTorch's layouts, each with its place among the parameters.
    fn unpacked(&self, summed: Option<&Summed>) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        match summed {
            Some(summed) => self.engine.plan()?.unpack_gradients(summed.gradients()),
            None => self.engine.gradients(),
        }
    }
}
