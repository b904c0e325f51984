//! Training steps: forward, loss, backward, update.

use candle_core::Tensor;
use taper_graph::{Array, Graph, Op};
use taper_kernels::{DropoutKey, KernelError, Optimizer};

use crate::error::ModelError;
use crate::inference::count_images;
use crate::model::{Model, classes};
use crate::ops::with_all;
use crate::plan::{Batch, Explanation, Plan, Rule};

/// What a [`Trainer`] is told once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainerSettings {
    /// The update rule.
    pub optimizer: Optimizer,
    /// Label smoothing of the cross-entropy, in `[0, 1)`.
    pub label_smoothing: f64,
    /// What dropout is drawn from.
    pub seed: u64,
    /// Gradients longer than this, all of them taken as one vector, are scaled down to it (Pascanu et al. 2013):
    /// [`torch.nn.utils.clip_grad_norm_`](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html).
    /// Gradients are then made twice in every step.
    pub clip_norm: Option<f64>,
    /// Keeps a moving average of the parameters, which after every step goes a share of `1 − decay` towards them. In step
    /// `t` the decay is `min(ema_decay, (1 + t) / (10 + t))`, so that the first weights are soon forgotten (TensorFlow's
    /// [`ExponentialMovingAverage`](https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage) with
    /// `num_updates`).
    pub ema_decay: Option<f64>,
}

impl Default for TrainerSettings {
    /// Adam, with all the rest left out.
    fn default() -> Self {
        let optimizer = Optimizer::adam();
        Self { optimizer, label_smoothing: 0.0, seed: 0, clip_norm: None, ema_decay: None }
    }
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
///
/// While it trains, the weights live in the compiled plan; [`Trainer::model`] brings the model's variables up to date.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) model: Model,
    pub(crate) settings: TrainerSettings,
    pub(crate) plan: Plan,
    pub(crate) step: u64,
    /// Whether the model's variables are those of an earlier step.
    pub(crate) stale: bool,
}

impl Trainer {
    /// A trainer at its first step.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, classes]`, [`ModelError::Softmax`] if it ends in
    /// probabilities, [`ModelError::Kernel`] if `TAPER_ISA` is wrong.
    pub fn new(mut model: Model, settings: TrainerSettings) -> Result<Self, ModelError> {
        Self::check(model.graph())?;
        model.set_seed(settings.seed);
        let mut plan = Plan::training(model.graph())?;
        let variables: Vec<&Tensor> = model.parameters().iter().map(|p| p.var.as_tensor()).collect();
        with_all(&variables, |parameters| plan.set_parameters(parameters))?;
        Ok(Self { model, settings, plan, step: 0, stale: false })
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
        self.stale = true;
        self.step += 1;
        let count = self.step as f64;
        let decay = self.settings.ema_decay.map(|decay| decay.min((1.0 + count) / (10.0 + count)));
        self.plan.update(Rule {
            optimizer: self.settings.optimizer,
            learning_rate,
            gradient_scale: self.gradient_scale()?,
            average_share: decay.map(|decay| (1.0 - decay) as f32),
        })?;
        Ok(step)
    }

    /// What brings the gradients within the norm that is allowed; as in PyTorch, 1e-6 keeps it from dividing by 0.
    fn gradient_scale(&self) -> Result<f32, ModelError> {
        let Some(most) = self.settings.clip_norm else { return Ok(1.0) };
        let parameters = self.model.parameters();
        let gradients = self.plan.gradients()?;
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
        let step = self.run(images, labels)?;
        let mut parameters = Vec::new();
        for (index, data) in self.plan.gradients()? {
            let parameter = &self.model.parameters()[index];
            if parameter.trainable {
                let shape = parameter.var.dims().to_vec();
                parameters.push((index, (parameter.name.clone(), Array { shape, data })));
            }
        }
        parameters.sort_by_key(|(index, _)| *index);
        Ok(Gradients { step, parameters: parameters.into_iter().map(|(_, named)| named).collect() })
    }

    /// Forward, loss and backward.
    fn run(&mut self, images: &[f32], labels: &[u8]) -> Result<Step, ModelError> {
        let graph = self.model.graph();
        if count_images(graph, images)? != labels.len() {
            let expected = labels.len() * graph.input_shape().elements();
            return Err(KernelError::Length { what: "images", expected, found: images.len() }.into());
        }
        if labels.is_empty() {
            return Err(ModelError::EmptyBatch);
        }
        let dropout = DropoutKey { seed: self.settings.seed, step: self.step, layer: 0 };
        let label_smoothing = self.settings.label_smoothing;
        let loss = self.plan.train(&Batch { images, labels, label_smoothing, dropout })?;
        Ok(Step { loss: loss.mean, correct: loss.correct })
    }

    /// The model as it stands.
    ///
    /// # Errors
    /// [`ModelError::Candle`] if a variable cannot be written.
    pub fn model(&mut self) -> Result<&Model, ModelError> {
        if std::mem::take(&mut self.stale) {
            for (index, values) in self.plan.parameters()? {
                self.model.set_parameter(index, values)?;
            }
        }
        Ok(&self.model)
    }

    /// The model with the moving averages in place of its parameters, and its running statistics as they are; the model as it
    /// stands if no averages are kept ([`TrainerSettings::ema_decay`]) or no step was made.
    ///
    /// # Errors
    /// As [`Trainer::model`].
    pub fn averaged_model(&mut self) -> Result<&Model, ModelError> {
        self.model()?;
        if self.settings.ema_decay.is_none() {
            return Ok(&self.model);
        }
        for (index, [.., average]) in self.plan.kept()? {
            if !average.is_empty() {
                self.model.set_parameter(index, average)?;
                self.stale = true;
            }
        }
        Ok(&self.model)
    }

    /// The model that [`Trainer::averaged_model`] gives, when training is over.
    ///
    /// # Errors
    /// As [`Trainer::model`].
    pub fn into_model(mut self) -> Result<Model, ModelError> {
        self.averaged_model()?;
        Ok(self.model)
    }

    /// The steps of the compiled network.
    #[must_use]
    pub fn explain(&self) -> Explanation<'_> {
        self.plan.explain()
    }
}
