//! The reference CNN as a candle user would write it, from candle-nn's own layers.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{
    AdamW, Conv2d, Conv2dConfig, Dropout, Linear, Module, Optimizer as _, ParamsAdamW, VarBuilder,
};
use taper_graph::{Array, Weights};

use crate::weights::variables;

/// The reference CNN.
pub(crate) struct Stock {
    convolutions: [Conv2d; 3],
    fc1: Linear,
    fc2: Linear,
    dropout: Dropout,
}

impl Stock {
    /// With the weights of `vb`, whose names are those of Taper's preset.
    pub(crate) fn new(vb: &VarBuilder<'_>) -> Result<Self> {
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let conv = |from, to, name| candle_nn::conv2d(from, to, 3, padded, vb.pp(name));
        let convolutions = [conv(1, 32, "layer1.0")?, conv(32, 64, "layer2.0")?, conv(64, 128, "layer3.0")?];
        let fc1 = candle_nn::linear(2048, 625, vb.pp("fc1"))?;
        let fc2 = candle_nn::linear(625, 10, vb.pp("fc2"))?;
        Ok(Self { convolutions, fc1, fc2, dropout: Dropout::new(0.3) })
    }

    /// With weights that do not change, of which candle records no history.
    #[allow(dead_code, reason = "what compiles this file trains or infers, not both")]
    pub(crate) fn fixed(weights: &Weights) -> Result<Self> {
        let tensor = |(name, array): (&str, &Array)| {
            let tensor = Tensor::from_slice(&array.data, &array.shape[..], &Device::Cpu)?;
            Ok((name.to_owned(), tensor))
        };
        let tensors = weights.iter().map(tensor).collect::<Result<_>>()?;
        Self::new(&VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
    }

    /// Logits of images `[N, 1, 28, 28]`.
    pub(crate) fn forward(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = images.clone();
        for (layer, conv) in self.convolutions.iter().enumerate() {
            x = conv.forward(&x)?.relu()?;
            if layer == 2 {
                // candle's max-pool cannot pad; after a ReLU, zeros do.
                x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
            }
            x = self.dropout.forward(&x.max_pool2d(2)?, train)?;
        }
        let x = self.fc1.forward(&x.flatten_from(1)?)?.relu()?;
        self.fc2.forward(&self.dropout.forward(&x, train)?)
    }
}

/// The network and candle's own optimiser.
#[allow(dead_code, reason = "what compiles this file trains or infers, not both")]
pub(crate) struct StockTrainer {
    network: Stock,
    optimizer: AdamW,
}

#[allow(dead_code, reason = "what compiles this file trains or infers, not both")]
impl StockTrainer {
    pub(crate) fn new(weights: &Weights, learning_rate: f64) -> Result<Self> {
        let variables = variables(weights)?;
        let network = Stock::new(&VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
        let settings = ParamsAdamW { lr: learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
        let optimizer = AdamW::new(variables.all_vars(), settings)?;
        Ok(Self { network, optimizer })
    }

    /// One step on images `[N, 1, 28, 28]`; gives the loss.
    pub(crate) fn step(&mut self, images: &[f32], labels: &[u8]) -> Result<f32> {
        let images = Tensor::from_slice(images, (labels.len(), 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu)?.to_dtype(DType::U32)?;
        let loss = candle_nn::loss::cross_entropy(&self.network.forward(&images, true)?, &labels)?;
        self.optimizer.backward_step(&loss)?;
        loss.to_scalar()
    }
}
