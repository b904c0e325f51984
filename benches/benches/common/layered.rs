//! The reference CNN as a candle user would write it on Taper's layers: candle's autograd, Taper's kernels.

use candle_core::{DType, Device, Module as _, ModuleT as _, Result, Tensor};
use candle_nn::{Conv2dConfig, Optimizer as _, VarBuilder};
use taper_graph::{Activation, MaxPool2d, Weights};
use taper_model::layers::{self, ConvReluPool, Dropout, Linear, UpdateRule, VarOptimizer};
use taper_model::{Optimizer, ops};

use crate::weights::variables;

/// The network and its optimiser.
pub(crate) struct Layered {
    blocks: [ConvReluPool; 3],
    fc1: Linear,
    fc2: Linear,
    dropout: Dropout,
    optimizer: VarOptimizer,
}

impl Layered {
    pub(crate) fn new(weights: &Weights, learning_rate: f64) -> Result<Self> {
        let variables = variables(weights)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let block = |number: u32, from, to, pool| -> Result<ConvReluPool> {
            let conv = layers::conv2d(from, to, 3, padded, vb.pp(format!("layer{}.0", number + 1)))?;
            Ok(ConvReluPool::new(conv, pool).with_dropout(Dropout::new(0.3, 1, number)))
        };
        let pool = MaxPool2d::new(2);
        let last = MaxPool2d { padding: [1, 1], ..pool.clone() };
        let blocks = [block(0, 1, 32, pool.clone())?, block(1, 32, 64, pool)?, block(2, 64, 128, last)?];
        let fc1 = layers::linear(2048, 625, vb.pp("fc1"))?;
        let fc2 = layers::linear(625, 10, vb.pp("fc2"))?;
        let rule = UpdateRule { optimizer: Optimizer::adam(), learning_rate };
        let optimizer = VarOptimizer::new(variables.all_vars(), rule)?;
        Ok(Self { blocks, fc1, fc2, dropout: Dropout::new(0.3, 1, 3), optimizer })
    }

    pub(crate) fn step(&mut self, images: &[f32], labels: &[u8]) -> Result<f64> {
        let images = Tensor::from_slice(images, (labels.len(), 1, 28, 28), &Device::Cpu)?;
        let x = self.blocks.iter().try_fold(images, |x, block| block.forward_t(&x, true))?;
        let x = ops::activation(&self.fc1.forward(&x.flatten_from(1)?)?, Activation::Relu)?;
        let logits = self.fc2.forward(&self.dropout.forward(&x, true)?)?;
        let (loss, numbers) = ops::cross_entropy(&logits, labels, 0.0)?;
        self.optimizer.backward_step(&loss)?;
        Ok(numbers.mean)
    }
}
