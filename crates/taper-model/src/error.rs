//! What can go wrong in building or running a model.

use taper_graph::{GraphError, Shape, ShapeError, WeightsError};
use taper_kernels::KernelError;

use crate::device::DeviceKind;
use crate::exchange::ExchangeError;

/// Why a model cannot be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The graph is not complete.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The weights are another network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A layer does not fit what it reads.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A kernel refuses: a label that the logits do not have, sizes beyond all reason, or a `TAPER_ISA` that names an
    /// instruction set this processor lacks.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The images do not fit the network's input.
    #[error(
        "{found} numbers are no whole number of images for the network `{graph}`, whose input is {input}; \
         give a multiple of {}", input.elements()
    )]
    Images {
        /// How many numbers there are.
        found: usize,
        /// The graph's name.
        graph: String,
        /// The shape of its input.
        input: Shape,
    },
    /// A training step on nothing.
    #[error("a batch without images has no loss; give at least one image")]
    EmptyBatch,
    /// The network does not end in one row of logits for each image.
    #[error(
        "the network `{graph}` ends in {output}; a classifier must end in [N, classes], so flatten before the last linear layer"
    )]
    Output {
        /// The graph's name.
        graph: String,
        /// The shape of its output.
        output: Shape,
    },
    /// The network ends in softmax, which the loss applies by itself.
    #[error(
        "the network ends in the softmax `{node}`, but the loss takes logits and applies softmax itself; delete that layer"
    )]
    Softmax {
        /// The node's name.
        node: String,
    },
    /// A batch norm saw one value a channel, which has no variance.
    #[error(
        "batch norm `{node}` sees one value a channel while training, which has no variance; use a larger batch, or \
         fewer shards"
    )]
    SingleValue {
        /// The node's name.
        node: String,
    },
    /// Shards that cannot be dealt evenly.
    #[error("{shards} shards of a batch cannot be dealt evenly to {ranks} ranks; give a multiple of {ranks}")]
    Shards {
        /// How many shards a batch was to be cut into.
        shards: usize,
        /// How many ranks there are.
        ranks: usize,
    },
    /// Shards, or several ranks, of a model that candle trains.
    #[error(
        "shards and several ranks run on Taper's own kernels only; train on the CPU, or with batches run whole by one rank"
    )]
    OnCandle,
    /// The ranks could not talk to each other.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// What the optimiser kept belongs to another network or update rule.
    #[error(
        "{what} of the parameter `{parameter}` {reason}; go on with the network and the settings that the state was made with"
    )]
    Moments {
        /// `the first moment`, `the second moment` or `the moving average`.
        what: &'static str,
        /// The name of the parameter.
        parameter: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not one image, where the gradient of one logit was asked for.
    #[error("{found} images have {found} logits of a class; give one image")]
    OneImage {
        /// How many images there are.
        found: usize,
    },
    /// A value that the network does not have.
    #[error("the network `{graph}` has no value {index}; take it from this network's own graph")]
    UnknownValue {
        /// The value's place.
        index: usize,
        /// The network's name.
        graph: String,
    },
    /// A value that is no feature maps.
    #[error(
        "the value `{value}` is {shape}, not feature maps [N, K, H, W]; choose one before the network is flattened"
    )]
    NoMaps {
        /// The value's name.
        value: String,
        /// Its shape.
        shape: Shape,
    },
    /// A device that this build has not.
    #[error(
        "this build cannot use {device}; build it with `--features {device}` (which needs the {} to build), or use the CPU",
        if *device == DeviceKind::Metal { "macOS SDK" } else { "CUDA toolkit" }
    )]
    DeviceNotBuilt {
        /// Its kind.
        device: DeviceKind,
    },
    /// A device that this machine has not.
    #[error("there is no {device} device to use ({cause}); look after its driver, or use the CPU")]
    NoDevice {
        /// Its kind.
        device: DeviceKind,
        /// What candle says.
        cause: candle_core::Error,
    },
    /// Candle refused an operation.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}
