//! The same network for other images: another input, other classes, pixels normalised first.

use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::op::normalize::Normalize;
use crate::op::{Op, linear::Linear};

impl Graph {
    /// The same layers on images of other sizes, `[C, H, W]`; all shapes are inferred anew, and with them those of the weights.
    ///
    /// # Errors
    /// [`GraphError`] naming the layer that cannot take what the layers before it make of such images.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// let graph = Preset::Residual.graph()?.with_input(&[3, 32, 48])?;
    /// assert_eq!(graph.input_shape().to_string(), "[N, 3, 32, 48]");
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn with_input(&self, item: &[usize]) -> Result<Self, GraphError> {
        let mut graph = Graph::new(self.name(), item)?;
        graph.wire_all(self, |_, op| op.clone())?;
        Ok(graph)
    }

    /// The same network for another number of classes: its last linear layer, behind which nothing may change the number of
    /// features, is made as wide.
    ///
    /// # Errors
    /// [`GraphError::Classes`] if it does not end so, or for no class at all.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// let graph = Preset::LeNet5.graph()?.with_classes(3)?;
    /// assert_eq!(graph.output_shape().to_string(), "[N, 3]");
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn with_classes(&self, classes: usize) -> Result<Self, GraphError> {
        let refuse = || GraphError::Classes {
            graph: self.name().to_owned(),
            output: self.output_shape().clone(),
            classes,
        };
        let is_linear = |op: &Op| matches!(op, Op::Linear(_));
        let last = self.nodes().iter().rposition(|node| is_linear(&node.op)).ok_or_else(refuse)?;
        let mut graph = Graph::new(self.name(), &self.input_shape().item())?;
        let wired = graph.wire_all(self, |index, op| match op {
            Op::Linear(linear) if index == last => {
                Op::Linear(Linear { out_features: classes, ..linear.clone() })
            }
            other => other.clone(),
        });
        match wired {
            Ok(()) if graph.output_shape().item() == [classes] => Ok(graph),
            _ => Err(refuse()),
        }
    }

    /// The same network behind a [`Normalize`] layer, which is called `normalize`; a network that begins with one already stays as
    /// it is.
    ///
    /// # Errors
    /// [`GraphError::Shape`] unless there is a mean and a deviation above 0 for each channel.
    ///
    /// ```
    /// use taper_graph::{Normalize, Op, Preset};
    /// let halves = Normalize { mean: vec![0.5], std: vec![0.25] };
    /// let graph = Preset::LeNet5.graph()?.normalized(halves.clone())?;
    /// assert_eq!(graph.nodes()[0].op, Op::Normalize(halves.clone()));
    /// assert_eq!(graph.normalized(halves)?, graph);
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn normalized(&self, normalize: Normalize) -> Result<Self, GraphError> {
        if self.normalization().is_some() {
            return Ok(self.clone());
        }
        let mut graph = Graph::new(self.name(), &self.input_shape().item())?;
        let is_taken = |name: &str| self.nodes().iter().any(|node| node.name == name);
        let mut name = "normalize".to_owned();
        while is_taken(&name) {
            name.push('_');
        }
        graph.wire(name, Op::Normalize(normalize), &[graph.input()])?;
        graph.wire_all(self, |_, op| op.clone())?;
        Ok(graph)
    }

    /// The normalisation that the network begins with, if all that it reads of its input passes through one.
    #[must_use]
    pub fn normalization(&self) -> Option<&Normalize> {
        let mut readers = self.nodes().iter().filter(|node| node.inputs.contains(&self.input()));
        match (readers.next().map(|node| &node.op), readers.next()) {
            (Some(Op::Normalize(normalize)), None) => Some(normalize),
            _ => None,
        }
    }

    /// Wires the layers of `other` behind what is there, each as `op` has it.
    pub(crate) fn wire_all(
        &mut self,
        other: &Graph,
        op: impl Fn(usize, &Op) -> Op,
    ) -> Result<(), GraphError> {
        let mut values = vec![self.output()];
        for (index, node) in other.nodes().iter().enumerate() {
            let inputs: Vec<ValueId> = node.inputs.iter().map(|value| values[value.index()]).collect();
            values.push(self.wire(node.name.clone(), op(index, &node.op), &inputs)?);
        }
        Ok(())
    }
}
