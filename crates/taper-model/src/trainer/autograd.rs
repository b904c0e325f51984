//! Training steps through candle's record of a computation, on any device.

use candle_core::{Result as CandleResult, Tensor};

use crate::error::ModelError;
use crate::model::{Mode, Model, Parameter, classes};
use crate::ops;
use crate::ops::composed::{Moments, update};
use crate::plan::{Batch, Kept, Rule, check_labels};

/// A network that candle trains. It keeps all that it needs on the network's device.
#[derive(Debug)]
pub(crate) struct Autograd {
    model: Model,
    /// In the order of the graph's parameters, like the others.
    gradients: Vec<Option<Tensor>>,
    /// Running statistics that the last batch has moved, until the update.
    moved: Vec<Option<Tensor>>,
    kept: Vec<Beside>,
}

/// What is kept beside a parameter.
#[derive(Debug, Clone, Default)]
struct Beside {
    moments: Moments,
    average: Option<Tensor>,
}

impl Autograd {
    pub(super) fn new(model: Model) -> Self {
        let count = model.parameters().len();
        let (gradients, moved) = (vec![None; count], vec![None; count]);
        Self { model, gradients, moved, kept: vec![Beside::default(); count] }
    }

    pub(super) fn train(&mut self, batch: &Batch<'_>) -> Result<(f64, usize), ModelError> {
        let graph = self.model.graph();
        check_labels(batch, classes(graph)?)?;
        let shape = graph.input_shape().with_batch(batch.labels.len());
        let images = self.model.tensor(batch.images, &shape)?;
        let statistics = self.statistics()?;
        let logits = self.model.forward(&images, Mode::Train { step: batch.dropout.step });
        self.moved = self.statistics()?;
        // Until the update they stay what they were.
        self.set_statistics(&statistics)?;
        let (loss, found) = ops::cross_entropy(&logits?, batch.labels, batch.label_smoothing)?;
        let gradients = loss.backward()?;
        let of = |parameter: &Parameter| gradients.get(&parameter.var).cloned();
        self.gradients = self.model.parameters().iter().map(of).collect();
        Ok((found.mean * batch.labels.len() as f64, found.correct))
    }

    pub(super) fn update(&mut self, rule: Rule) -> Result<(), ModelError> {
        self.set_statistics(&self.moved)?;
        let parameters = self.model.parameters().iter().zip(&self.gradients).zip(&mut self.kept);
        for ((Parameter { var, trainable, .. }, gradient), Beside { moments, average }) in parameters {
            if !trainable {
                continue;
            }
            let gradient = match gradient {
                Some(gradient) if rule.gradient_scale == 1.0 => gradient.clone(),
                Some(gradient) => gradient.affine(f64::from(rule.gradient_scale), 0.0)?,
                None => var.zeros_like()?,
            };
            let before = var.as_detached_tensor().copy()?;
            update(&rule.optimizer, var, &gradient, moments, rule.learning_rate)?;
            if let Some(share) = rule.average_share {
                let earlier = average.take().unwrap_or(before);
                let way = (var.as_detached_tensor() - &earlier)?;
                *average = Some((earlier + way.affine(f64::from(share), 0.0)?)?);
            }
        }
        Ok(())
    }

    pub(super) fn gradients(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let parameters = self.model.parameters().iter().zip(&self.gradients).enumerate();
        let trainable = parameters.filter(|(_, (parameter, _))| parameter.trainable);
        let all = trainable.map(|(index, (parameter, gradient))| {
            let zeros = || vec![0.0; parameter.var.elem_count()];
            Ok((index, gradient.as_ref().map_or_else(|| Ok(zeros()), numbers)?))
        });
        Ok(all.collect::<CandleResult<_>>()?)
    }

    pub(super) fn parameters(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let parameters = self.model.parameters().iter().enumerate();
        Ok(parameters
            .map(|(index, p)| Ok((index, numbers(p.var.as_tensor())?)))
            .collect::<CandleResult<_>>()?)
    }

    pub(super) fn set_parameters(&mut self, parameters: &[&[f32]]) -> Result<(), ModelError> {
        for (index, values) in parameters.iter().enumerate() {
            self.model.set_parameter(index, values.to_vec())?;
        }
        Ok(())
    }

    pub(super) fn kept(&self) -> Result<Vec<(usize, Kept)>, ModelError> {
        let kept = self.kept.iter().enumerate().map(|(index, Beside { moments, average })| {
            let [first, second] = &moments.kept;
            let read = |kept: &Option<Tensor>| kept.as_ref().map_or_else(|| Ok(Vec::new()), numbers);
            Ok((index, [read(first)?, read(second)?, read(average)?]))
        });
        Ok(kept.collect::<CandleResult<_>>()?)
    }

    pub(super) fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Result<(), ModelError> {
        let parameters = self.model.parameters().iter().zip(&mut self.kept);
        for ((parameter, beside), values) in parameters.zip(kept) {
            let write = |values: &[f32]| match values {
                [] => Ok(None),
                values => self.model.tensor(values, parameter.var.dims()).map(Some),
            };
            let [first, second, average] = values.map(write);
            *beside = Beside { moments: Moments { step: steps, kept: [first?, second?] }, average: average? };
        }
        Ok(())
    }

    /// Copies of the parameters that are not trained.
    fn statistics(&self) -> Result<Vec<Option<Tensor>>, ModelError> {
        let copy = |p: &Parameter| (!p.trainable).then(|| p.var.as_detached_tensor().copy()).transpose();
        Ok(self.model.parameters().iter().map(copy).collect::<CandleResult<_>>()?)
    }

    fn set_statistics(&self, statistics: &[Option<Tensor>]) -> Result<(), ModelError> {
        for (parameter, values) in self.model.parameters().iter().zip(statistics) {
            if let Some(values) = values {
                parameter.var.set(values)?;
            }
        }
        Ok(())
    }
}

/// All elements, in order.
fn numbers(tensor: &Tensor) -> CandleResult<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}
