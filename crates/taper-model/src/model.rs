//! A graph with its parameters, run on candle tensors.

mod device;
mod nodes;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, ModuleT, Result as CandleResult, Tensor, Var};
use taper_graph::{Array, Graph, Weights};
use taper_kernels::BatchStatistics;

use crate::error::ModelError;
use crate::inference::{Inference, count_images};
use crate::init::initial_values;

/// How a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Dropout does nothing, batch norm uses its running averages, and no gradients are tracked.
    Eval,
    /// Dropout is drawn for this training step, batch norm uses the batch's statistics and updates its averages, and
    /// gradients are tracked.
    Train {
        /// The number of the step; the same number draws the same dropout.
        step: u64,
    },
}

/// A [`Graph`] with its parameters, as a candle module: for a classifier, `[N, C, H, W]` images in and `[N, classes]` logits out.
#[derive(Debug)]
pub struct Model {
    graph: Graph,
    /// In the order of [`Graph::params`].
    parameters: Vec<Parameter>,
    /// For every node, which parameters are its own.
    of_node: Vec<Range<usize>>,
    /// For every value of the graph, the last node that reads it.
    last_reader: Vec<usize>,
    seed: u64,
    /// Counts the steps of [`ModuleT::forward_t`], which is not told them.
    steps: AtomicU64,
    device: Device,
    /// Whether candle's own ops run it, instead of a plan or Taper's kernels.
    on_candle: bool,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) var: Var,
    pub(crate) trainable: bool,
}

impl Model {
    /// A model with PyTorch's default initialisation, a function of `seed`; dropout is drawn from the same seed.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the graph is incomplete.
    pub fn new(graph: Graph, seed: u64) -> Result<Self, ModelError> {
        graph.check_complete()?;
        let parameters = graph.params().enumerate().map(|(index, named)| {
            let values = initial_values(named.param.init, seed, index, named.param.elements());
            let tensor = Tensor::from_vec(values, named.param.shape.as_slice(), &Device::Cpu)?;
            let var = Var::from_tensor(&tensor)?;
            Ok(Parameter { name: named.name, var, trainable: named.param.trainable })
        });
        let parameters = parameters.collect::<CandleResult<Vec<Parameter>>>()?;
        let mut end = 0;
        let of_node = graph.nodes().iter().map(|node| {
            let start = end;
            end += node.params.len();
            start..end
        });
        let of_node = of_node.collect();
        let mut last_reader = vec![0; graph.nodes().len() + 1];
        for (index, node) in graph.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|value| last_reader[value.index()] = index);
        }
        last_reader[graph.output().index()] = usize::MAX;
        let (steps, device) = (AtomicU64::new(0), Device::Cpu);
        Ok(Self { graph, parameters, of_node, last_reader, seed, steps, device, on_candle: false })
    }

    /// A model with given weights.
    ///
    /// # Errors
    /// As [`Model::new`], and [`ModelError::Weights`] if the weights are another network's.
    pub fn from_weights(graph: Graph, weights: &Weights) -> Result<Self, ModelError> {
        let mut model = Self::new(graph, 0)?;
        model.set_weights(weights)?;
        Ok(model)
    }

    /// The network.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Gives every dropout of the network the probability `p`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] unless `p` is in `[0, 1)`.
    ///
    /// ```
    /// let mut model = taper_model::Model::new(taper_graph::Preset::Tutorial.graph()?, 0)?;
    /// model.set_dropout(0.1)?;
    /// assert_eq!(model.graph(), &taper_graph::Preset::Tutorial.graph()?.with_dropout(0.1)?);
    /// assert!(model.set_dropout(1.0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_dropout(&mut self, p: f32) -> Result<(), ModelError> {
        self.graph = self.graph.with_dropout(p)?;
        Ok(())
    }

    /// The number of classes, the width of the logits.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, classes]`.
    pub fn classes(&self) -> Result<usize, ModelError> {
        classes(&self.graph)
    }

    /// A copy of all parameters and running statistics.
    ///
    /// # Errors
    /// [`ModelError::Candle`] if a tensor cannot be read.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        let arrays = self.parameters.iter().map(|parameter| {
            let data = parameter.var.flatten_all()?.to_vec1::<f32>()?;
            Ok((parameter.name.clone(), Array { shape: parameter.var.dims().to_vec(), data }))
        });
        let arrays = arrays.collect::<CandleResult<BTreeMap<String, Array>>>()?;
        Ok(Weights::new(&self.graph, arrays)?)
    }

    /// Replaces all parameters and running statistics.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if the weights are another network's.
    pub fn set_weights(&mut self, weights: &Weights) -> Result<(), ModelError> {
        let arrays = weights.iter().map(|(name, array)| (name.to_owned(), array.clone())).collect();
        let weights = Weights::new(&self.graph, arrays)?;
        for (parameter, (_, array)) in self.parameters.iter().zip(weights.iter()) {
            parameter.var.set(&self.tensor(&array.data, &array.shape)?)?;
        }
        Ok(())
    }

    /// The variables that gradients are found for, with their names, in graph order.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.parameters.iter().filter(|p| p.trainable).map(|p| (p.name.as_str(), &p.var))
    }

    /// Logits of images given as plain numbers, in evaluation mode: `[N, C, H, W]` in, `[N, classes]` out, row-major.
    ///
    /// It compiles the network for this one call; who asks again and again keeps [`Model::inference`].
    ///
    /// # Errors
    /// [`ModelError::Images`] if the numbers are no whole number of images, [`ModelError::Output`] if the network does
    /// not end in `[N, F]`.
    pub fn logits(&self, images: &[f32]) -> Result<Vec<f32>, ModelError> {
        count_images(&self.graph, images)?;
        self.inference()?.logits(images)
    }

    /// The network compiled for evaluation, with the weights as they stand.
    ///
    /// # Errors
    /// [`ModelError::Output`] if the network does not end in `[N, F]`.
    pub fn inference(&self) -> Result<Inference, ModelError> {
        if self.on_candle {
            Inference::of_copy(self.copy()?)
        } else {
            Inference::new(&self.graph, &self.weights()?)
        }
    }

    /// All parameters and statistics, in the order of [`Graph::params`].
    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Draws dropout from another seed than the parameters were.
    pub(crate) fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Replaces the values of one parameter.
    pub(crate) fn set_parameter(&self, index: usize, values: Vec<f32>) -> Result<(), ModelError> {
        let var = &self.parameters[index].var;
        Ok(var.set(&self.tensor(&values, var.dims())?)?)
    }

    /// Runs the network on `xs`, `[N, C, H, W]`.
    ///
    /// # Errors
    /// Candle's, for a tensor that does not fit.
    pub fn forward(&self, xs: &Tensor, mode: Mode) -> CandleResult<Tensor> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.graph.nodes().len() + 1];
        values[0] = Some(xs.clone());
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let inputs: Vec<Tensor> =
                node.inputs.iter().filter_map(|value| values[value.index()].clone()).collect();
            // What nothing reads any more is freed at once; while training, candle's own record keeps it.
            for value in &node.inputs {
                if self.last_reader[value.index()] == index {
                    values[value.index()] = None;
                }
            }
            values[index + 1] = Some(self.run_node(index, node, &inputs, mode)?);
        }
        match values.pop().flatten() {
            Some(output) => Ok(output),
            None => candle_core::bail!("the graph has no output"),
        }
    }
}

/// Running mean and variance moved towards those of a batch with `count` values a channel.
pub(crate) fn moved_statistics(
    running: [Vec<f32>; 2],
    batch: &BatchStatistics,
    momentum: f64,
    count: usize,
) -> [Vec<f32>; 2] {
    let moved = |running: f32, batch: f64| ((1.0 - momentum) * f64::from(running) + momentum * batch) as f32;
    let unbiased = count as f64 / (count as f64 - 1.0);
    let [mean, variance] = running;
    let means = mean.iter().zip(&batch.mean).map(|(&running, &batch)| moved(running, batch));
    let variances =
        variance.iter().zip(&batch.variance).map(|(&running, &batch)| moved(running, batch * unbiased));
    [means.collect(), variances.collect()]
}

/// The number of classes that a network tells apart.
pub(crate) fn classes(graph: &Graph) -> Result<usize, ModelError> {
    let output = graph.output_shape();
    let refuse = |_| ModelError::Output { graph: graph.name().to_owned(), output: output.clone() };
    output.features().map_err(refuse)
}

impl ModuleT for Model {
    /// Training mode draws new dropout at every call; see [`Model::forward`] to say which.
    fn forward_t(&self, xs: &Tensor, train: bool) -> CandleResult<Tensor> {
        let mode = match train {
            true => Mode::Train { step: self.steps.fetch_add(1, Ordering::Relaxed) },
            false => Mode::Eval,
        };
        self.forward(xs, mode)
    }
}
