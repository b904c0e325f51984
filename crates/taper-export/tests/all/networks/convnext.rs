//! A ConvNeXt block behind its stem, on images of dynamic size.

use candle_core::{D, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Linear, VarBuilder, conv2d, layer_norm, linear};
use taper_export::flow::{Flow, Layer};

use super::agrees;
use crate::flow::check::{Sample, numbers};

struct Block {
    dwconv: Conv2d,
    norm: LayerNorm,
    pwconv1: Linear,
    pwconv2: Linear,
    gamma: Tensor,
}

impl Block {
    fn new(dim: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { groups: dim, padding: 3, ..Default::default() };
        Ok(Self {
            dwconv: conv2d(dim, dim, 7, config, vb.pp("conv_dw"))?,
            norm: layer_norm(dim, 1e-6, vb.pp("norm"))?,
            pwconv1: linear(dim, 4 * dim, vb.pp("mlp.fc1"))?,
            pwconv2: linear(4 * dim, dim, vb.pp("mlp.fc2"))?,
            gamma: vb.get(dim, "gamma")?,
        })
    }
}

impl Layer for Block {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let residual = xs;
        let xs = xs
            .apply(&self.dwconv)?
            .permute((0, 2, 3, 1))?
            .apply(&self.norm)?
            .apply(&self.pwconv1)?
            .gelu_erf()?
            .apply(&self.pwconv2)?
            .broadcast_mul(&F::from(self.gamma.clone()))?
            .permute((0, 3, 1, 2))?;
        xs + residual
    }
}

struct ConvNeXt {
    stem: Conv2d,
    norm: LayerNorm,
    block: Block,
    head: Linear,
}

impl ConvNeXt {
    fn new(vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride: 4, ..Default::default() };
        Ok(Self {
            stem: conv2d(3, 16, 4, config, vb.pp("stem.0"))?,
            norm: layer_norm(16, 1e-6, vb.pp("stem.1"))?,
            block: Block::new(16, vb.pp("blocks.0"))?,
            head: linear(16, 10, vb.pp("head"))?,
        })
    }
}

impl Layer for ConvNeXt {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = xs.apply(&self.stem)?.permute((0, 2, 3, 1))?.apply(&self.norm)?.permute((0, 3, 1, 2))?;
        xs.apply(&self.block)?.mean(D::Minus1)?.mean(D::Minus1)?.apply(&self.head)
    }
}

#[test]
fn convnext_block() {
    let sample = Sample::image(numbers(&[4, 3, 32, 24], 1), 4);
    agrees("convnext", ConvNeXt::new, &[sample], true);
}
