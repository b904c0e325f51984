//! A graph compiled for a batch: fused steps, each value's layout, and all buffers, made once.

mod barriers;
mod build;
mod chunk;
mod draft;
mod explain;
#[cfg(test)]
mod gate;
mod infer;
mod memory;
mod operation;
mod run;
mod step;
mod steps;
mod tail;
mod team;
mod train;
mod update;

use std::ops::Range;
use std::sync::Mutex;

use taper_graph::Graph;
use taper_kernels::Isa;

use crate::error::ModelError;
use crate::isa::isa;
use crate::model::classes;
use chunk::{Buffer, Chunk};
use draft::Purpose;
pub use explain::Explanation;
pub(crate) use operation::Around;
pub(crate) use step::{Kept, Rule};
use step::{Scratch, Step};
pub(crate) use tail::Part;
use tail::Tail;
pub(crate) use train::{Batch, check_labels};

/// A network compiled to steps: what can be fused is, each value has the layout that its readers want, and all buffers are
/// made once.
///
/// [`Trainer`](crate::Trainer) and [`Inference`](crate::Inference) run plans; here one can be looked at.
#[derive(Debug)]
pub struct Plan {
    name: String,
    isa: Isa,
    buffers: Vec<Buffer>,
    /// The buffer of the network's output.
    output: usize,
    steps: Vec<Node>,
    /// The steps between two barriers, cut into runs of steps that want the same number of images at a time; those of the tail
    /// are not among them.
    phases: Vec<Phase>,
    tail: Option<Tail>,
    purpose: Purpose,
    /// The most images that a run works on at a time, among those with transient buffers.
    transient_images: usize,
    /// The chunks of the batch under way, in training.
    chunks: Vec<Chunk>,
    /// What the tail needs of them.
    tails: Vec<Chunk>,
    /// Chunks and scratch that wait for work.
    idle: Mutex<Vec<Chunk>>,
    scratch: Mutex<Vec<Scratch>>,
}

/// A step and what it is wired to.
#[derive(Debug)]
struct Node {
    /// The names of the graph's nodes that it stands for.
    names: Vec<String>,
    step: Box<dyn Step>,
    /// Buffers.
    inputs: Vec<usize>,
    output: usize,
    /// Of each input, whether its gradient is wanted, and whether this step is the first in the backward pass to
    /// give one, so that nothing has to be added.
    gradients: Vec<Option<Contribution>>,
    /// Its parameters among those of the graph.
    parameters: Range<usize>,
    /// Multiply-adds for one image.
    macs: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contribution {
    First,
    Further,
}

/// Steps that every chunk can run through without waiting for the others. The first of a later phase is a barrier.
#[derive(Debug, Clone)]
struct Phase {
    /// The first step, if it is a barrier.
    barrier: Option<usize>,
    /// Never empty.
    runs: Vec<Run>,
}

/// Steps that are run one after the other on `images` images at a time.
#[derive(Debug, Clone)]
struct Run {
    steps: Range<usize>,
    images: usize,
}

impl Plan {
    /// Compiles `graph` for training: forward, backward and update.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the graph is incomplete, [`ModelError::Output`] if it does not end in `[N, F]`,
    /// [`ModelError::Kernel`] if `TAPER_ISA` is wrong.
    pub fn training(graph: &Graph) -> Result<Self, ModelError> {
        Self::new(graph, Purpose::Training)
    }

    /// Compiles `graph` for evaluation.
    ///
    /// # Errors
    /// As [`Plan::training`].
    pub fn inference(graph: &Graph) -> Result<Self, ModelError> {
        Self::new(graph, Purpose::Inference)
    }

    fn new(graph: &Graph, purpose: Purpose) -> Result<Self, ModelError> {
        graph.check_complete()?;
        classes(graph)?;
        build::build(graph, purpose, None, isa()?)
    }

    /// Elements of one image of the input, `[C, H, W]`.
    fn input_len(&self) -> usize {
        let layout = self.buffers[0].layout;
        layout.channels * layout.pixels()
    }

    /// Classes, or whatever the output's features are.
    pub(crate) fn classes(&self) -> usize {
        self.buffers[self.output].layout.channels
    }

    /// Takes over all parameters, in PyTorch's layouts and the graph's order.
    pub(crate) fn set_parameters(&mut self, parameters: &[&[f32]]) -> Result<(), ModelError> {
        for node in &mut self.steps {
            node.step.set_parameters(&parameters[node.parameters.clone()])?;
        }
        Ok(())
    }

    /// All parameters, in PyTorch's layouts, each with its place among the graph's.
    pub(crate) fn parameters(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut all = Vec::new();
        for node in &self.steps {
            all.extend(node.parameters.clone().zip(node.step.parameters()?));
        }
        Ok(all)
    }

    /// What is kept beside all parameters, in PyTorch's layouts, each with its place among the graph's.
    pub(crate) fn kept(&self) -> Result<Vec<(usize, Kept)>, ModelError> {
        let mut all = Vec::new();
        for node in &self.steps {
            all.extend(node.parameters.clone().zip(node.step.kept()?));
        }
        Ok(all)
    }

    /// Takes over what was kept, in the graph's order, after `steps` steps.
    pub(crate) fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Result<(), ModelError> {
        for node in &mut self.steps {
            node.step.set_kept(steps, &kept[node.parameters.clone()])?;
        }
        Ok(())
    }
}
