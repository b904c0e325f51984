//! Which nodes of a graph become one step, and where each value is kept.

mod buffers;

use taper_graph::{Activation, AvgPool2d, BatchNorm2d, Conv2d, Graph, MaxPool2d, Normalize, Op};
use taper_kernels::blocked::Blocked;

use super::chunk::Buffer;

/// The most taps of a max-pool that a convolution can be fused with: which one won is kept in a byte.
const FUSED_TAPS: usize = 254;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Forward with dropout and the batch's statistics, and backward.
    Training,
    /// Forward only, as in evaluation.
    Inference,
}

/// A step before its kernels are chosen.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The nodes it stands for, in order; the first is the one with parameters, if any has.
    pub(crate) nodes: Vec<usize>,
    pub(crate) kind: Kind,
    /// Buffers.
    pub(crate) inputs: Vec<usize>,
    pub(crate) output: usize,
}

/// What is done to the output of a convolution before it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Following {
    pub(crate) relu: bool,
    pub(crate) pool: Option<MaxPool2d>,
    pub(crate) dropout: Option<Drop>,
}

/// Dropout: its probability, and its node, which its draws depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drop {
    pub(crate) p: f32,
    pub(crate) layer: u32,
}

/// What a step computes.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Convolution, and what is done to its output before it is stored.
    Conv {
        conv: Conv2d,
        following: Following,
    },
    Linear,
    /// Batch norm, the sum with a second input, ReLU.
    Norm {
        norm: BatchNorm2d,
        residual: bool,
        relu: bool,
    },
    Normalize(Normalize),
    Activation(Activation),
    Dropout(Drop),
    MaxPool(MaxPool2d),
    AvgPool(AvgPool2d),
    GlobalAvgPool,
    Softmax,
    /// To the order of PyTorch's features.
    Flatten,
    Add {
        relu: bool,
    },
    Concat,
}

/// All steps, and the buffers they read and write; buffer 0 is the input.
#[derive(Debug)]
pub(crate) struct Drafts {
    pub(crate) steps: Vec<Draft>,
    pub(crate) buffers: Vec<Buffer>,
    /// The buffer of the graph's output.
    pub(crate) output: usize,
}

/// Cuts `graph` into steps.
pub(crate) fn draft(graph: &Graph, purpose: Purpose) -> Drafts {
    let mut drafter = Drafter::new(graph, purpose);
    for node in 0..graph.nodes().len() {
        if !drafter.done[node] {
            drafter.node(node);
        }
    }
    let Drafter { steps, layouts, buffer, .. } = drafter;
    let output = buffer[graph.output().index()].unwrap_or_default();
    let buffers = layouts.into_iter().map(|layout| Buffer {
        layout,
        transient: false,
        gradient: false,
        passing: false,
    });
    let mut drafts = Drafts { steps, buffers: buffers.collect(), output };
    drafts.find_halos();
    drafts.find_gradients();
    // The loss writes it, whether anything reads it or not.
    drafts.buffers[output].gradient = true;
    drafts
}

struct Drafter<'a> {
    graph: &'a Graph,
    purpose: Purpose,
    /// By node: whether a step stands for it already.
    done: Vec<bool>,
    /// By value: the nodes that read it.
    readers: Vec<Vec<usize>>,
    /// By value: its buffer, if it has one yet.
    buffer: Vec<Option<usize>>,
    layouts: Vec<Blocked>,
    steps: Vec<Draft>,
}

impl<'a> Drafter<'a> {
    fn new(graph: &'a Graph, purpose: Purpose) -> Self {
        let nodes = graph.nodes().len();
        let mut readers = vec![Vec::new(); nodes + 1];
        for (index, node) in graph.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|value| readers[value.index()].push(index));
        }
        let mut buffer = vec![None; nodes + 1];
        buffer[0] = Some(0);
        let layouts = vec![layout(graph, 0)];
        Self { graph, purpose, done: vec![false; nodes], readers, buffer, layouts, steps: Vec::new() }
    }

    /// Makes the step that starts with this node.
    fn node(&mut self, node: usize) {
        let graph = self.graph;
        let mut chain = vec![node];
        let kind = match &graph.nodes()[node].op {
            Op::Conv2d(conv) => self.conv(conv.clone(), &mut chain),
            Op::BatchNorm2d(norm) => self.norm(norm.clone(), &mut chain),
            Op::Normalize(normalize) => Kind::Normalize(normalize.clone()),
            Op::Add => Kind::Add { relu: self.follow(&mut chain, is_relu).is_some() },
            Op::Linear(_) => Kind::Linear,
            Op::MaxPool2d(pool) => Kind::MaxPool(pool.clone()),
            Op::AvgPool2d(pool) => Kind::AvgPool(pool.clone()),
            Op::GlobalAvgPool => Kind::GlobalAvgPool,
            Op::Softmax => Kind::Softmax,
            Op::Concat => Kind::Concat,
            Op::Dropout(_) if self.purpose == Purpose::Inference && self.reads_alone(node) => {
                return self.pass(node);
            }
            Op::Dropout(dropout) => Kind::Dropout(Drop { p: dropout.p, layer: node as u32 }),
            Op::Flatten if self.order_is_kept(node) => return self.pass(node),
            Op::Flatten => Kind::Flatten,
            Op::Relu => Kind::Activation(Activation::Relu),
            Op::Gelu => Kind::Activation(Activation::Gelu),
            Op::Silu => Kind::Activation(Activation::Silu),
            Op::Tanh => Kind::Activation(Activation::Tanh),
            Op::Sigmoid => Kind::Activation(Activation::Sigmoid),
        };
        self.push(chain, kind);
    }

    /// Convolution with the ReLU, max-pool and dropout that follow it. ReLU and max-pool may change places, unless a window
    /// lies on padding alone, as it only can with dilation: ReLU makes 0 of what is −∞ there, but not if it comes first.
    fn conv(&mut self, conv: Conv2d, chain: &mut Vec<usize>) -> Kind {
        let first = self.follow(chain, is_relu);
        let fits = |pool: &MaxPool2d| pool.kernel[0].saturating_mul(pool.kernel[1]) <= FUSED_TAPS;
        let pool = match self.follow(chain, |op| matches!(op, Op::MaxPool2d(pool) if fits(pool))) {
            Some(Op::MaxPool2d(pool)) => Some(pool.clone()),
            _ => None,
        };
        let swaps = pool.as_ref().is_none_or(|pool| pool.dilation == [1, 1]);
        let relu = first.or_else(|| self.follow(chain, |op| swaps && is_relu(op))).is_some();
        let dropout = self.follow_dropout(chain);
        Kind::Conv { conv, following: Following { relu, pool, dropout } }
    }

    /// Batch norm with the sum and the ReLU that follow it, as at the end of a residual block.
    fn norm(&mut self, norm: BatchNorm2d, chain: &mut Vec<usize>) -> Kind {
        let residual = self.follow(chain, |op| *op == Op::Add).is_some();
        Kind::Norm { norm, residual, relu: self.follow(chain, is_relu).is_some() }
    }

    fn follow_dropout(&mut self, chain: &mut Vec<usize>) -> Option<Drop> {
        match self.follow(chain, |op| matches!(op, Op::Dropout(_))) {
            Some(Op::Dropout(dropout)) if self.purpose == Purpose::Training => {
                Some(Drop { p: dropout.p, layer: chain[chain.len() - 1] as u32 })
            }
            _ => None,
        }
    }

    /// The op that alone reads the end of the chain, if it is `wanted`; it then belongs to the chain.
    fn follow(&self, chain: &mut Vec<usize>, wanted: impl Fn(&Op) -> bool) -> Option<&'a Op> {
        let end = chain[chain.len() - 1] + 1;
        let [reader] = self.readers[end][..] else { return None };
        let node = &self.graph.nodes()[reader];
        // A second input must be there by the time the chain runs.
        let ready = |value: usize| value == end || self.buffer[value].is_some();
        if !wanted(&node.op) || !node.inputs.iter().all(|value| ready(value.index())) {
            return None;
        }
        chain.push(reader);
        Some(&node.op)
    }

    /// A node that does nothing: its output is its input.
    fn pass(&mut self, node: usize) {
        self.buffer[node + 1] = self.buffer[self.graph.nodes()[node].inputs[0].index()];
        self.done[node] = true;
    }

    /// Whether a flattened image can stay as it lies: only linear layers read it, which put their weights in that order.
    fn order_is_kept(&self, node: usize) -> bool {
        let readers = &self.readers[node + 1];
        let is_linear = |&at: &usize| matches!(self.graph.nodes()[at].op, Op::Linear(_));
        !readers.is_empty() && readers.iter().all(is_linear) && self.reads_alone(node)
    }

    /// Whether nothing else reads what this node reads.
    fn reads_alone(&self, node: usize) -> bool {
        let input = self.graph.nodes()[node].inputs[0].index();
        self.readers[input].len() == 1
    }

    fn push(&mut self, nodes: Vec<usize>, kind: Kind) {
        let mut inputs: Vec<usize> = Vec::new();
        for (place, &node) in nodes.iter().enumerate() {
            // Within the chain a node reads the one before it; what else it reads comes from outside.
            let before = place.checked_sub(1).map(|before| nodes[before] + 1);
            let outside = self.graph.nodes()[node].inputs.iter().map(|value| value.index());
            inputs.extend(
                outside.filter(|&value| Some(value) != before).filter_map(|value| self.buffer[value]),
            );
        }
        let output = self.layouts.len();
        let end = nodes[nodes.len() - 1];
        self.layouts.push(layout(self.graph, end + 1));
        self.buffer[end + 1] = Some(output);
        nodes.iter().for_each(|&node| self.done[node] = true);
        self.steps.push(Draft { nodes, kind, inputs, output });
    }
}

fn is_relu(op: &Op) -> bool {
    *op == Op::Relu
}

/// The layout of a value without a halo; a row of features is an image of one pixel.
fn layout(graph: &Graph, value: usize) -> Blocked {
    let shape = match value {
        0 => graph.input_shape(),
        index => &graph.nodes()[index - 1].shape,
    };
    match shape.item()[..] {
        [channels, height, width] => Blocked::new([channels, height, width], 0),
        [channels, ref rest @ ..] => Blocked::new([channels, 1, rest.iter().product()], 0),
        [] => Blocked::new([1, 1, 1], 0),
    }
}
