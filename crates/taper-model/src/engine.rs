//! Forward and backward through a graph on buffers that are made once.
//!
//! Candle's autograd serves hand-written models; for a graph, whose wiring is known, this does the same on the same
//! kernels without making a tensor for every value and gradient of every step.

use taper_graph::{Graph, Node};
use taper_kernels::{DropoutKey, Loss, cross_entropy};

use crate::error::ModelError;
use crate::layer::{Pass, Saved};

/// All values and gradients of a training step.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    /// Every value of the graph for the whole batch.
    values: Vec<Vec<f32>>,
    /// The loss's gradient with respect to every value.
    gradients: Vec<Vec<f32>>,
    /// Whether a gradient holds a first contribution; a value with several readers sums theirs.
    begun: Vec<bool>,
    /// What each layer's backward needs of its forward.
    saved: Vec<Saved>,
    /// The loss's gradient with respect to every parameter; empty for statistics.
    parameters: Vec<Vec<f32>>,
    /// A further contribution, before it is added.
    scratch: Vec<f32>,
}

/// The parameters of every node, in graph order.
pub(crate) type Parameters<'a> = [&'a [f32]];

impl Engine {
    /// Buffers for a batch of `batch` images; those of an earlier batch of that size are used again.
    fn prepare(&mut self, graph: &Graph, batch: usize) {
        let values = graph.nodes().len() + 1;
        self.values.resize_with(values, Vec::new);
        self.gradients.resize_with(values, Vec::new);
        self.saved.resize_with(graph.nodes().len(), Saved::default);
        self.begun.clear();
        self.begun.resize(values, false);
        let shapes = std::iter::once(graph.input_shape()).chain(graph.nodes().iter().map(|node| &node.shape));
        for ((value, gradient), shape) in self.values.iter_mut().zip(&mut self.gradients).zip(shapes) {
            value.resize(batch * shape.elements(), 0.0);
            gradient.resize(batch * shape.elements(), 0.0);
        }
        // Nothing reads the gradient of the images.
        self.gradients[0] = Vec::new();
        let sizes =
            graph.params().map(|named| if named.param.trainable { named.param.elements() } else { 0 });
        self.parameters.resize_with(graph.params().count(), Vec::new);
        self.parameters.iter_mut().zip(sizes).for_each(|(gradient, size)| gradient.resize(size, 0.0));
    }

    /// Forward in training mode, loss, and backward: fills the gradients of all parameters.
    pub(crate) fn run(
        &mut self,
        graph: &Graph,
        parameters: &Parameters<'_>,
        images: &[f32],
        labels: &[u8],
        label_smoothing: f64,
        dropout: DropoutKey,
    ) -> Result<Loss, ModelError> {
        let batch = images.len() / graph.input_shape().elements();
        self.prepare(graph, batch);
        self.values[0].copy_from_slice(images);
        let mut own = 0;
        for (index, node) in graph.nodes().iter().enumerate() {
            let parameters = &parameters[own..own + node.params.len()];
            own += node.params.len();
            let pass = Pass { graph, node, batch, key: DropoutKey { layer: index as u32, ..dropout } };
            let (before, after) = self.values.split_at_mut(index + 1);
            let inputs: Vec<&[f32]> = node.inputs.iter().map(|value| &before[value.index()][..]).collect();
            pass.forward(&inputs, parameters, &mut after[0], &mut self.saved[index])?;
        }
        let output = graph.nodes().len();
        let classes = graph.output_shape().elements();
        let loss = cross_entropy(
            classes,
            &self.values[output],
            labels,
            label_smoothing,
            &mut self.gradients[output],
        )?;
        self.backward(graph, parameters, batch, dropout)?;
        Ok(loss)
    }

    fn backward(
        &mut self,
        graph: &Graph,
        parameters: &Parameters<'_>,
        batch: usize,
        dropout: DropoutKey,
    ) -> Result<(), ModelError> {
        let mut end = self.parameters.len();
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            let own = end - node.params.len()..end;
            end = own.start;
            let pass = Pass { graph, node, batch, key: DropoutKey { layer: index as u32, ..dropout } };
            let inputs: Vec<&[f32]> =
                node.inputs.iter().map(|value| &self.values[value.index()][..]).collect();
            let (before, after) = self.gradients.split_at_mut(index + 1);
            let (y, dy) = (&self.values[index + 1], &after[0]);
            let layer = pass.with(&inputs, &parameters[own.clone()], &self.saved[index]);
            for (place, value) in node.inputs.iter().enumerate() {
                let value = value.index();
                // Nothing reads the gradient of the images; a value read twice sums what comes back.
                let (wanted, again) = (value != 0, std::mem::replace(&mut self.begun[value], true));
                let direct = &mut before[value];
                let dx = if again { &mut self.scratch } else { &mut *direct };
                dx.resize(if wanted { self.values[value].len() } else { 0 }, 0.0);
                layer.backward(
                    place,
                    y,
                    dy,
                    wanted.then_some(&mut dx[..]),
                    &mut self.parameters[own.clone()],
                )?;
                if wanted && again {
                    direct.iter_mut().zip(&self.scratch).for_each(|(sum, part)| *sum += part);
                }
            }
        }
        Ok(())
    }

    /// The loss's gradient with respect to a parameter; empty for a statistic.
    pub(crate) fn parameter_gradient(&self, index: usize) -> &[f32] {
        &self.parameters[index]
    }

    /// What a batch norm found in the batch.
    pub(crate) fn saved(&self, index: usize) -> &Saved {
        &self.saved[index]
    }
}

/// The number of elements of one item of a node's input.
pub(crate) fn item(graph: &Graph, node: &Node, place: usize) -> usize {
    graph.shape(node.inputs[place]).elements()
}
