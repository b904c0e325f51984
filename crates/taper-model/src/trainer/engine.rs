//! What runs a trainer's batches: a compiled plan of Taper's kernels, or candle.

use super::autograd::Autograd;
use crate::error::ModelError;
use crate::model::Model;
use crate::ops::with_all;
use crate::plan::{Batch, Kept, Plan, Rule};

/// It has the weights while they are trained.
#[derive(Debug)]
pub(crate) enum Engine {
    Plan(Box<Plan>),
    Candle(Box<Autograd>),
}

impl Engine {
    /// For a model, with its weights.
    pub(crate) fn new(model: &Model) -> Result<Self, ModelError> {
        if model.is_on_candle() {
            return Ok(Self::Candle(Box::new(Autograd::new(model.copy()?))));
        }
        let mut plan = Plan::training(model.graph())?;
        let variables: Vec<_> = model.parameters().iter().map(|p| p.var.as_tensor()).collect();
        with_all(&variables, |parameters| plan.set_parameters(parameters))?;
        Ok(Self::Plan(Box::new(plan)))
    }

    /// The plan, for what only a plan can do.
    pub(crate) fn plan(&self) -> Result<&Plan, ModelError> {
        match self {
            Self::Plan(plan) => Ok(plan),
            Self::Candle(_) => Err(ModelError::OnCandle),
        }
    }

    /// As [`Engine::plan`].
    pub(crate) fn plan_mut(&mut self) -> Result<&mut Plan, ModelError> {
        match self {
            Self::Plan(plan) => Ok(plan),
            Self::Candle(_) => Err(ModelError::OnCandle),
        }
    }

    /// Forward in training mode, loss, and backward. Gives the sum of the images' losses, and how many were classified
    /// correctly. With a `rule`, [`Engine::update`] as well.
    pub(crate) fn train(
        &mut self,
        batch: &Batch<'_>,
        rule: Option<Rule>,
    ) -> Result<(f64, usize), ModelError> {
        match self {
            Self::Plan(plan) => plan.train(batch, rule),
            Self::Candle(candle) => {
                let found = candle.train(batch)?;
                rule.map_or(Ok(()), |rule| candle.update(rule))?;
                Ok(found)
            }
        }
    }

    /// Moves all parameters against the gradients of the last [`Engine::train`].
    pub(crate) fn update(&mut self, rule: Rule) -> Result<(), ModelError> {
        match self {
            Self::Plan(plan) => plan.update(rule),
            Self::Candle(candle) => candle.update(rule),
        }
    }

    /// The gradients of the last [`Engine::train`], in PyTorch's layouts, each with its place among the graph's parameters.
    pub(crate) fn gradients(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        match self {
            Self::Plan(plan) => plan.gradients(),
            Self::Candle(candle) => candle.gradients(),
        }
    }

    /// All parameters, likewise.
    pub(crate) fn parameters(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        match self {
            Self::Plan(plan) => plan.parameters(),
            Self::Candle(candle) => candle.parameters(),
        }
    }

    /// Takes over all parameters, in the graph's order.
    pub(crate) fn set_parameters(&mut self, parameters: &[&[f32]]) -> Result<(), ModelError> {
        match self {
            Self::Plan(plan) => plan.set_parameters(parameters),
            Self::Candle(candle) => candle.set_parameters(parameters),
        }
    }

    /// What is kept beside all parameters, as [`Engine::parameters`].
    pub(crate) fn kept(&self) -> Result<Vec<(usize, Kept)>, ModelError> {
        match self {
            Self::Plan(plan) => plan.kept(),
            Self::Candle(candle) => candle.kept(),
        }
    }

    /// Takes over what was kept, in the graph's order, after `steps` steps.
    pub(crate) fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Result<(), ModelError> {
        match self {
            Self::Plan(plan) => plan.set_kept(steps, kept),
            Self::Candle(candle) => candle.set_kept(steps, kept),
        }
    }
}
