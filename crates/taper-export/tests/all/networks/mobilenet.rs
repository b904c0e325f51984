//! MobileNetV2, with a quarter of its channels.

use candle_core::Result;
use candle_nn::{
    BatchNorm, Conv2d, Conv2dConfig, Dropout, Linear, VarBuilder, batch_norm, conv2d_no_bias, linear,
};
use taper_export::flow::{Flow, Inference, LayerT};

use super::agrees;
use crate::flow::check::{Sample, numbers};

/// A convolution, batch norm and ReLU6; without the last where `is_linear`.
struct ConvBnRelu {
    conv: Conv2d,
    bn: BatchNorm,
    is_linear: bool,
}

impl ConvBnRelu {
    fn new(
        channels: (usize, usize),
        ksize: usize,
        stride: usize,
        groups: usize,
        is_linear: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        let config = Conv2dConfig { padding: ksize / 2, stride, groups, ..Default::default() };
        let conv = conv2d_no_bias(channels.0, channels.1, ksize, config, vb.pp(0))?;
        Ok(Self { conv, bn: batch_norm(channels.1, 1e-5, vb.pp(1))?, is_linear })
    }
}

impl LayerT for ConvBnRelu {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let xs = xs.apply(&self.conv)?.apply_t(&self.bn, train)?;
        if self.is_linear { Ok(xs) } else { xs.clamp(0., 6.) }
    }
}

struct InvertedResidual {
    convs: Vec<ConvBnRelu>,
    use_res_connect: bool,
}

impl InvertedResidual {
    fn new(c_in: usize, c_out: usize, stride: usize, expand: usize, vb: VarBuilder) -> Result<Self> {
        let hidden = c_in * expand;
        let vb = vb.pp("conv");
        let mut convs = Vec::new();
        if expand != 1 {
            convs.push(ConvBnRelu::new((c_in, hidden), 1, 1, 1, false, vb.pp(convs.len()))?);
        }
        convs.push(ConvBnRelu::new((hidden, hidden), 3, stride, hidden, false, vb.pp(convs.len()))?);
        convs.push(ConvBnRelu::new((hidden, c_out), 1, 1, 1, true, vb.pp(convs.len()))?);
        Ok(Self { convs, use_res_connect: stride == 1 && c_in == c_out })
    }
}

impl LayerT for InvertedResidual {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let mut ys = xs.clone();
        for conv in &self.convs {
            ys = ys.apply_t(conv, train)?;
        }
        if self.use_res_connect { xs.clone() + ys } else { Ok(ys) }
    }
}

struct MobileNetV2 {
    first: ConvBnRelu,
    blocks: Vec<InvertedResidual>,
    last: ConvBnRelu,
    dropout: Dropout,
    classifier: Linear,
}

impl MobileNetV2 {
    fn new(vb: VarBuilder) -> Result<Self> {
        let features = vb.pp("features");
        // Expansion, channels, repeats and stride of every stage, as in the paper, with a quarter of the channels.
        let stages = [
            (1, 4, 1, 1),
            (6, 6, 2, 2),
            (6, 8, 3, 2),
            (6, 16, 4, 2),
            (6, 24, 3, 1),
            (6, 40, 3, 2),
            (6, 80, 1, 1),
        ];
        let (mut blocks, mut c_in) = (Vec::new(), 8);
        for (expand, c_out, repeats, stride) in stages {
            for repeat in 0..repeats {
                let stride = if repeat == 0 { stride } else { 1 };
                blocks.push(InvertedResidual::new(
                    c_in,
                    c_out,
                    stride,
                    expand,
                    features.pp(blocks.len() + 1),
                )?);
                c_in = c_out;
            }
        }
        Ok(Self {
            first: ConvBnRelu::new((3, 8), 3, 2, 1, false, features.pp(0))?,
            last: ConvBnRelu::new((c_in, 160), 1, 1, 1, false, features.pp(blocks.len() + 1))?,
            blocks,
            dropout: Dropout::new(0.2),
            classifier: linear(160, 10, vb.pp("classifier.1"))?,
        })
    }
}

impl LayerT for MobileNetV2 {
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        let mut xs = xs.apply_t(&self.first, train)?;
        for block in &self.blocks {
            xs = xs.apply_t(block, train)?;
        }
        let xs = xs.apply_t(&self.last, train)?.mean((2, 3))?;
        xs.apply_t(&self.dropout, train)?.apply(&self.classifier)
    }
}

#[test]
fn mobilenet_v2() {
    let sample = Sample::batch(numbers(&[4, 3, 32, 32], 1));
    agrees("mobilenet_v2", |vb| Ok(Inference(MobileNetV2::new(vb)?)), &[sample], true);
}
