//! A model that is trained, alone or on one of several ranks.

mod autograd;
mod engine;
mod step;

use std::sync::Arc;

use taper_graph::{Graph, Op};
use taper_kernels::Optimizer;

use self::engine::Engine;
pub use self::step::{Gradients, Step};

use crate::error::ModelError;
use crate::exchange::{Alone, Exchange};
use crate::model::{Model, classes};
use crate::plan::{Explanation, Plan};
use crate::shards::{Shards, Spare};

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
    /// How many shards a batch is cut into, each run by itself, before their gradients are added; 0 stands for one for each
    /// rank. With one, a batch is run whole. With more, less of a batch is in memory at a time, a batch norm sees the
    /// statistics of a shard, and sums are made in another order; nothing else differs.
    pub shards: usize,
}

impl Default for TrainerSettings {
    /// Adam, with all the rest left out.
    fn default() -> Self {
        let optimizer = Optimizer::adam();
        Self { optimizer, label_smoothing: 0.0, seed: 0, clip_norm: None, ema_decay: None, shards: 0 }
    }
}

/// A model with the state of its optimiser.
///
/// While it trains, the weights live in the compiled plan, or on the device that the model is on; [`Trainer::model`] brings the model's variables up to date.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) model: Model,
    pub(crate) settings: TrainerSettings,
    pub(crate) engine: Engine,
    pub(crate) step: u64,
    /// Whether the model's variables are those of an earlier step.
    pub(crate) stale: bool,
    pub(crate) exchange: Arc<dyn Exchange>,
    pub(crate) shards: Shards,
    pub(crate) spare: Spare,
    /// Whether this rank wants the run to end, and whether any did in the last step.
    pub(crate) votes: bool,
    pub(crate) voted: bool,
}

impl Trainer {
    /// A trainer at its first step.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, classes]`, [`ModelError::Softmax`] if it ends in
    /// probabilities, [`ModelError::Kernel`] if `TAPER_ISA` is wrong.
    pub fn new(model: Model, settings: TrainerSettings) -> Result<Self, ModelError> {
        Self::on_rank(model, settings, Arc::new(Alone))
    }

    /// A trainer that shares its batches with those of other ranks, each of which has an equal model and the same settings.
    /// It gives the same bits, whatever the number of ranks.
    ///
    /// # Errors
    /// As [`Trainer::new`]; [`ModelError::Shards`] unless [`TrainerSettings::shards`] is a multiple of the ranks;
    /// [`ModelError::OnCandle`] for shards of a model on another device.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use taper_graph::{Graph, Linear, Op};
    /// use taper_model::exchange::Threads;
    /// use taper_model::{Model, Trainer, TrainerSettings};
    ///
    /// let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear::new(3))])?;
    /// let settings = TrainerSettings { shards: 2, ..TrainerSettings::default() };
    /// let (images, labels) = ([0.5, 1.0, 0.0, 2.0], [2, 0]);
    /// let mut alone = Trainer::new(Model::new(graph.clone(), 0)?, settings)?;
    /// let step = alone.step(&images, &labels, 0.1)?;
    ///
    /// let ranks = Threads::ranks(2).into_iter().map(|rank| {
    ///     let graph = graph.clone();
    ///     std::thread::spawn(move || {
    ///         let mut trainer = Trainer::on_rank(Model::new(graph, 0)?, settings, Arc::new(rank))?;
    ///         trainer.step(&images, &labels, 0.1)
    ///     })
    /// });
    /// for rank in ranks.collect::<Vec<_>>() {
    ///     assert_eq!(rank.join().map_err(|_| "a rank panicked")??, step);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_rank(
        mut model: Model,
        settings: TrainerSettings,
        exchange: Arc<dyn Exchange>,
    ) -> Result<Self, ModelError> {
        Self::check(model.graph())?;
        let (rank, ranks) = (exchange.rank(), exchange.size());
        let shards = Shards::new(if settings.shards == 0 { ranks } else { settings.shards }, rank, ranks)?;
        model.set_seed(settings.seed);
        let engine = Engine::new(&model)?;
        if shards.count() > 1 {
            engine.plan()?;
        }
        Ok(Self {
            model,
            settings,
            engine,
            step: 0,
            stale: false,
            exchange,
            shards,
            spare: Spare::default(),
            votes: false,
            voted: false,
        })
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

    /// How batches are cut, and which of their images are this rank's.
    #[must_use]
    pub fn shards(&self) -> Shards {
        self.shards
    }

    /// The way to the other ranks.
    #[must_use]
    pub fn exchange(&self) -> &Arc<dyn Exchange> {
        &self.exchange
    }

    /// Lets the other ranks know, with the next step, whether this one wants the run to end; see [`Trainer::voted`].
    pub fn vote(&mut self, to_end: bool) {
        self.votes = to_end;
    }

    /// Whether a rank wanted the run to end in the last step, which all ranks hear alike. (A trainer without other ranks hears
    /// nothing if it runs its batches whole.)
    #[must_use]
    pub fn voted(&self) -> bool {
        self.voted
    }

    /// The model as it stands.
    ///
    /// # Errors
    /// [`ModelError::Candle`] if a variable cannot be written.
    pub fn model(&mut self) -> Result<&Model, ModelError> {
        if std::mem::take(&mut self.stale) {
            for (index, values) in self.engine.parameters()? {
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
        for (index, [.., average]) in self.engine.kept()? {
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

    /// The steps of the compiled network; none if candle trains it.
    #[must_use]
    pub fn explain(&self) -> Option<Explanation<'_>> {
        self.engine.plan().ok().map(Plan::explain)
    }
}
