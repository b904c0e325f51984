//! What the nodes of a graph compute on candle tensors.

use candle_core::{Result, Tensor};
use taper_graph::{Node, Op};
use taper_kernels::{BatchStatistics, DropoutKey};

use super::{Mode, Model, Parameter, moved_statistics};
use crate::ops::{self, composed};

impl Model {
    /// What the node `index` makes of its inputs.
    pub(crate) fn run_node(
        &self,
        index: usize,
        node: &Node,
        inputs: &[Tensor],
        mode: Mode,
    ) -> Result<Tensor> {
        /// An op on Taper's kernels, or the one of the same name that is composed of candle's.
        macro_rules! run {
            ($op:ident($($argument:expr),+)) => {
                if self.on_candle { composed::$op($($argument),+) } else { ops::$op($($argument),+) }
            };
        }
        let x = &inputs[0];
        let parameters = self.node_parameters(index, mode);
        let parameter = |at: usize| &parameters[at];
        match (&node.op, mode) {
            (Op::Conv2d(conv), _) => run!(conv2d(x, parameter(0), parameters.get(1), conv)),
            (Op::Linear(_), _) => run!(linear(x, parameter(0), parameters.get(1))),
            (Op::MaxPool2d(pool), _) => run!(max_pool2d(x, pool)),
            (Op::AvgPool2d(pool), _) => run!(avg_pool2d(x, pool)),
            (Op::GlobalAvgPool, _) => run!(global_avg_pool(x)),
            (Op::BatchNorm2d(norm), Mode::Train { .. }) => {
                let (y, statistics) = run!(batch_norm_train(x, parameter(0), parameter(1), norm.eps))?;
                self.update_running_statistics(index, &statistics, norm.momentum, x.elem_count())?;
                Ok(y)
            }
            (Op::BatchNorm2d(norm), Mode::Eval) => {
                run!(batch_norm_eval(x, parameter(0), parameter(1), [parameter(2), parameter(3)], norm.eps))
            }
            (Op::Normalize(normalize), _) => run!(normalize(x, normalize)),
            (Op::Dropout(dropout), Mode::Train { step }) => {
                run!(dropout(x, dropout.p, DropoutKey { seed: self.seed, step, layer: index as u32 }))
            }
            (Op::Dropout(_), Mode::Eval) => Ok(x.clone()),
            (Op::Relu | Op::Gelu | Op::Silu | Op::Tanh | Op::Sigmoid, _) => match node.op.activation() {
                Some(function) => run!(activation(x, function)),
                None => candle_core::bail!("{} is no activation", node.op.name()),
            },
            (Op::Softmax, _) => run!(softmax(x)),
            (Op::Flatten, _) => x.flatten_from(1),
            (Op::Add, _) => x + &inputs[1],
            (Op::Concat, _) => Tensor::cat(inputs, 1),
        }
    }

    /// A node's parameters; tracked for gradients only while training and only if trainable.
    fn node_parameters(&self, index: usize, mode: Mode) -> Vec<Tensor> {
        let tracked = |parameter: &Parameter| match mode {
            Mode::Train { .. } if parameter.trainable => parameter.var.as_tensor().clone(),
            _ => parameter.var.as_detached_tensor(),
        };
        self.parameters[self.of_node[index].clone()].iter().map(tracked).collect()
    }

    /// Moves batch norm's running averages towards the batch: the variance by its unbiased estimate, as in PyTorch.
    fn update_running_statistics(
        &self,
        index: usize,
        statistics: &BatchStatistics,
        momentum: f64,
        elements: usize,
    ) -> Result<()> {
        let own = &self.parameters[self.of_node[index].clone()];
        let running = [own[2].var.to_vec1()?, own[3].var.to_vec1()?];
        let moved = moved_statistics(running, statistics, momentum, elements / statistics.mean.len());
        for (parameter, values) in own[2..].iter().zip(moved) {
            parameter.var.set(&self.tensor(&values, &[values.len()])?)?;
        }
        Ok(())
    }
}
