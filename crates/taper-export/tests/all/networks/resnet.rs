//! ResNet-18, with an eighth of its channels.

use candle_core::{D, Result};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, VarBuilder, batch_norm, conv2d_no_bias, linear};
use taper_export::flow::{Flow, Inference, LayerT};

use super::agrees;
use crate::flow::check::{Sample, numbers};

fn conv(
    c_in: usize,
    c_out: usize,
    ksize: usize,
    padding: usize,
    stride: usize,
    vb: VarBuilder,
) -> Result<Conv2d> {
    conv2d_no_bias(c_in, c_out, ksize, Conv2dConfig { stride, padding, ..Default::default() }, vb)
}

struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl BasicBlock {
    fn new(c_in: usize, c_out: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let downsample = if stride != 1 || c_in != c_out {
            let vb = vb.pp("downsample");
            Some((conv(c_in, c_out, 1, 0, stride, vb.pp(0))?, batch_norm(c_out, 1e-5, vb.pp(1))?))
        } else {
            None
        };
        Ok(Self {
            conv1: conv(c_in, c_out, 3, 1, stride, vb.pp("conv1"))?,
            bn1: batch_norm(c_out, 1e-5, vb.pp("bn1"))?,
            conv2: conv(c_out, c_out, 3, 1, 1, vb.pp("conv2"))?,
            bn2: batch_norm(c_out, 1e-5, vb.pp("bn2"))?,
            downsample,
        })
    }
}

impl LayerT for BasicBlock {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let ys = xs
            .apply(&self.conv1)?
            .apply_t(&self.bn1, train)?
            .relu()?
            .apply(&self.conv2)?
            .apply_t(&self.bn2, train)?;
        let shortcut = match &self.downsample {
            Some((conv, bn)) => xs.apply(conv)?.apply_t(bn, train)?,
            None => xs.clone(),
        };
        (shortcut + ys)?.relu()
    }
}

struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    blocks: Vec<BasicBlock>,
    fc: Linear,
}

impl ResNet {
    fn new(vb: VarBuilder) -> Result<Self> {
        let mut blocks = Vec::new();
        for (layer, (c_in, c_out, stride)) in
            [(8, 8, 1), (8, 16, 2), (16, 32, 2), (32, 64, 2)].into_iter().enumerate()
        {
            let vb = vb.pp(format!("layer{}", layer + 1));
            blocks.push(BasicBlock::new(c_in, c_out, stride, vb.pp(0))?);
            blocks.push(BasicBlock::new(c_out, c_out, 1, vb.pp(1))?);
        }
        Ok(Self {
            conv1: conv(3, 8, 7, 3, 2, vb.pp("conv1"))?,
            bn1: batch_norm(8, 1e-5, vb.pp("bn1"))?,
            blocks,
            fc: linear(64, 10, vb.pp("fc"))?,
        })
    }
}

impl LayerT for ResNet {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let mut xs = xs
            .apply(&self.conv1)?
            .apply_t(&self.bn1, train)?
            .relu()?
            .pad_with_same(D::Minus1, 1, 1)?
            .pad_with_same(D::Minus2, 1, 1)?
            .max_pool2d_with_stride(3, 2)?;
        for block in &self.blocks {
            xs = xs.apply_t(block, train)?;
        }
        xs.mean(D::Minus1)?.mean(D::Minus1)?.apply(&self.fc)
    }
}

#[test]
fn resnet18() {
    let sample = Sample::batch(numbers(&[4, 3, 32, 32], 1));
    agrees("resnet18", |vb| Ok(Inference(ResNet::new(vb)?)), &[sample], false);
}
