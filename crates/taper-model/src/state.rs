//! What a trainer needs to go on where another stopped.

use std::collections::BTreeMap;

use taper_graph::{Array, Weights};

use crate::error::ModelError;
use crate::trainer::Trainer;

/// All that decides what a [`Trainer`]'s next steps give, beside its settings: with it another one goes on bit for bit.
///
/// Dropout needs no state of its own: it is drawn anew for each step, from the seed and the step's number.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainerState {
    /// Steps that were made.
    pub step: u64,
    /// Parameters and running statistics.
    pub weights: Weights,
    /// The optimiser's first and second moments, by the name of the parameter and of its shape. Empty before the first
    /// step, and where [`Optimizer::keeps`](crate::Optimizer::keeps) says so.
    pub moments: [BTreeMap<String, Array>; 2],
    /// The moving average of the parameters. Empty before the first step, and without
    /// [`TrainerSettings::ema_decay`](crate::TrainerSettings::ema_decay).
    pub average: BTreeMap<String, Array>,
}

/// What is kept beside a parameter.
const KEPT: [&str; 3] = ["the first moment", "the second moment", "the moving average"];

impl TrainerState {
    fn kept(&self) -> [&BTreeMap<String, Array>; 3] {
        [&self.moments[0], &self.moments[1], &self.average]
    }
}

impl Trainer {
    /// What is needed to go on from here.
    ///
    /// # Errors
    /// As [`Trainer::model`].
    ///
    /// ```
    /// use taper_graph::{Graph, Linear, Op};
    /// use taper_model::{Model, Optimizer, Trainer, TrainerSettings};
    ///
    /// let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear::new(3))])?;
    /// let settings = TrainerSettings { optimizer: Optimizer::adam(), ..TrainerSettings::default() };
    /// let mut trainer = Trainer::new(Model::new(graph.clone(), 0)?, settings)?;
    /// trainer.step(&[0.5, 1.0], &[2], 0.1)?;
    /// let state = trainer.state()?;
    ///
    /// let mut other = Trainer::new(Model::new(graph, 7)?, settings)?;
    /// other.restore(&state)?;
    /// assert_eq!(trainer.step(&[1.0, 0.0], &[1], 0.1)?, other.step(&[1.0, 0.0], &[1], 0.1)?);
    /// assert_eq!(trainer.state()?, other.state()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&mut self) -> Result<TrainerState, ModelError> {
        let weights = self.model()?.weights()?;
        let [first, second, average] = self.kept()?;
        Ok(TrainerState { step: self.step, weights, moments: [first, second], average })
    }

    /// Goes on from `state`, which a trainer of the same network with the same settings was in.
    ///
    /// # Errors
    /// [`ModelError::Weights`] and [`ModelError::Moments`] for the state of another network or update rule; the trainer
    /// is then as it was.
    pub fn restore(&mut self, state: &TrainerState) -> Result<(), ModelError> {
        self.check_moments(state)?;
        self.model.set_weights(&state.weights)?;
        let parameters: Vec<&[f32]> = state.weights.iter().map(|(_, array)| &array.data[..]).collect();
        self.engine.set_parameters(&parameters)?;
        let of = |name: &str| state.kept().map(|all| all.get(name).map_or(&[][..], |array| &array.data));
        let kept: Vec<[&[f32]; 3]> = state.weights.iter().map(|(name, _)| of(name)).collect();
        self.engine.set_kept(state.step, &kept)?;
        (self.step, self.stale) = (state.step, false);
        Ok(())
    }

    /// What is kept beside the parameters, by their names.
    pub(crate) fn kept(&self) -> Result<[BTreeMap<String, Array>; 3], ModelError> {
        let mut named = [const { BTreeMap::new() }; 3];
        for (index, kept) in self.engine.kept()? {
            let parameter = &self.model.parameters()[index];
            for (all, data) in named.iter_mut().zip(kept).filter(|(_, data)| !data.is_empty()) {
                all.insert(parameter.name.clone(), Array { shape: parameter.var.dims().to_vec(), data });
            }
        }
        Ok(named)
    }

    /// Whether there is something kept of exactly the parameters of which there should be.
    fn check_moments(&self, state: &TrainerState) -> Result<(), ModelError> {
        let [first, second] = self.settings.optimizer.keeps();
        let keeps = [first, second, self.settings.ema_decay.is_some()].map(|kept| kept && state.step > 0);
        for (what, (found, kept)) in KEPT.into_iter().zip(state.kept().into_iter().zip(keeps)) {
            let refuse = |parameter: &str, reason| {
                Err(ModelError::Moments { what, parameter: parameter.to_owned(), reason })
            };
            let parameters = self.model.parameters().iter();
            let expected: BTreeMap<&str, &[usize]> = parameters
                .filter(|parameter| parameter.trainable && kept)
                .map(|parameter| (parameter.name.as_str(), parameter.var.dims()))
                .collect();
            if let Some(name) = expected.keys().find(|name| !found.contains_key(**name)) {
                return refuse(name, "is missing");
            }
            for (name, array) in found {
                match expected.get(name.as_str()) {
                    None => return refuse(name, "has no place here"),
                    Some(shape)
                        if *shape != array.shape || array.data.len() != shape.iter().product::<usize>() =>
                    {
                        return refuse(name, "has another shape");
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}
