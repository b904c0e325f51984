//! Training steps: forward, loss, backward, update.

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result as CandleResult, Tensor};
use taper_graph::{Array, Graph, Op};
use taper_kernels::{DropoutKey, Moments, Optimizer};

use crate::engine::Engine;
use crate::error::ModelError;
use crate::layer::Saved;
use crate::model::{Model, classes};
use crate::ops::with_variables;

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

/// What one batch says about the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// The loss that they are the gradients of.
    pub step: Step,
    /// Name and gradient of every trainable parameter, in graph order.
    pub parameters: Vec<(String, Array)>,
}

/// A model with the state of its optimiser.
#[derive(Debug)]
pub struct Trainer {
    model: Model,
    settings: TrainerSettings,
    engine: Engine,
    /// One for each parameter; those of statistics stay empty.
    moments: Vec<Moments>,
    step: u64,
}

impl Trainer {
    /// A trainer at its first step.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, classes]`, [`ModelError::Softmax`] if it ends in
    /// probabilities.
    pub fn new(mut model: Model, settings: TrainerSettings) -> Result<Self, ModelError> {
        Self::check(model.graph())?;
        model.set_seed(settings.seed);
        let moments = model.parameters().iter().map(|_| Moments::default()).collect();
        Ok(Self { model, settings, engine: Engine::default(), moments, step: 0 })
    }

    /// Proves that a network can be trained as a classifier, without making its parameters.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn check(graph: &Graph) -> Result<(), ModelError> {
        graph.check_complete()?;
        classes(graph)?;
        match graph.nodes().last() {
            Some(last) if last.op == Op::Softmax => Err(ModelError::Softmax { node: last.name.clone() }),
            _ => Ok(()),
        }
    }

    /// One step on a batch of images `[N, C, H, W]` with their labels `[N]`.
    ///
    /// # Errors
    /// [`ModelError`] if the images do not fit the network, or a label is not one of its classes.
    pub fn step(&mut self, images: &[f32], labels: &[u8], learning_rate: f64) -> Result<Step, ModelError> {
        let step = self.run(images, labels)?;
        self.update_statistics(labels.len())?;
        let parameters = self.model.parameters().iter().zip(&mut self.moments).enumerate();
        for (index, (parameter, moments)) in parameters.filter(|(_, (parameter, _))| parameter.trainable) {
            let update = Update {
                optimizer: self.settings.optimizer,
                gradient: self.engine.parameter_gradient(index),
                moments: Mutex::new(moments),
                learning_rate,
            };
            parameter.var.as_tensor().inplace_op1(&update)?;
        }
        self.step += 1;
        Ok(step)
    }

    /// The gradients that [`Trainer::step`] would follow; nothing is changed.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn gradients(&mut self, images: &[f32], labels: &[u8]) -> Result<Gradients, ModelError> {
        let step = self.run(images, labels)?;
        let parameters = self.model.parameters().iter().enumerate().filter(|(_, p)| p.trainable);
        let parameters = parameters.map(|(index, parameter)| {
            let data = self.engine.parameter_gradient(index).to_vec();
            (parameter.name.clone(), Array { shape: parameter.var.dims().to_vec(), data })
        });
        Ok(Gradients { step, parameters: parameters.collect() })
    }

    /// Forward, loss and backward.
    fn run(&mut self, images: &[f32], labels: &[u8]) -> Result<Step, ModelError> {
        self.model.count_images(images)?;
        let dropout = DropoutKey { seed: self.settings.seed, step: self.step, layer: 0 };
        let tensors: Vec<&Tensor> = self.model.parameters().iter().map(|p| p.var.as_tensor()).collect();
        let (graph, smoothing) = (self.model.graph(), self.settings.label_smoothing);
        let engine = &mut self.engine;
        let loss = with_variables(&tensors, |parameters| {
            engine.run(graph, parameters, images, labels, smoothing, dropout)
        })?;
        Ok(Step { loss: loss.mean, correct: loss.correct })
    }

    /// Moves the running averages of every batch norm towards the batch.
    fn update_statistics(&self, batch: usize) -> Result<(), ModelError> {
        for (index, node) in self.model.graph().nodes().iter().enumerate() {
            if let (Op::BatchNorm2d(norm), Saved::Statistics(statistics)) =
                (&node.op, self.engine.saved(index))
            {
                let elements = batch * node.shape.elements();
                self.model.update_running_statistics(index, statistics, norm.momentum, elements)?;
            }
        }
        Ok(())
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
    gradient: &'a [f32],
    moments: Mutex<&'a mut Moments>,
    learning_rate: f64,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimizer step"
    }

    fn cpu_fwd(&self, parameter: &mut CpuStorage, layout: &Layout) -> CandleResult<()> {
        let refuse = |error: &dyn std::fmt::Display| candle_core::Error::Msg(error.to_string());
        let (CpuStorage::F32(parameter), Some((start, end))) = (parameter, layout.contiguous_offsets())
        else {
            candle_core::bail!("an optimiser step needs a contiguous f32 parameter")
        };
        let mut moments = self.moments.lock().map_err(|error| refuse(&error))?;
        self.optimizer
            .step(&mut parameter[start..end], self.gradient, &mut moments, self.learning_rate)
            .map_err(|error| refuse(&error))
    }
}
