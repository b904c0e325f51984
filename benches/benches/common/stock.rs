//! The reference CNN as a candle user would write it, from candle-nn's own layers.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Dropout, Linear, Module, VarBuilder};

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
