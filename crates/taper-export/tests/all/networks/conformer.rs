//! A Conformer block behind a stem that halves the frames, as for speech, of dynamic batch and length.

use candle_core::{D, Result};
use candle_nn::{
    BatchNorm, Conv1d, Conv1dConfig, LayerNorm, Linear, VarBuilder, batch_norm, conv1d, conv1d_no_bias,
    layer_norm, linear,
};
use taper_export::flow::{Flow, Layer, ops};

use super::agrees;
use crate::flow::check::{Sample, numbers};

const WIDTH: usize = 12;
const HEADS: usize = 3;

struct FeedForward {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            norm: layer_norm(WIDTH, 1e-5, vb.pp("norm"))?,
            up: linear(WIDTH, 4 * WIDTH, vb.pp("up"))?,
            down: linear(4 * WIDTH, WIDTH, vb.pp("down"))?,
        })
    }
}

impl Layer for FeedForward {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let ys = xs.apply(&self.norm)?.apply(&self.up)?.silu()?.apply(&self.down)?;
        xs.add(&(ys * 0.5)?)
    }
}

struct Attention {
    norm: LayerNorm,
    qkv: Linear,
    out: Linear,
}

impl Attention {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            norm: layer_norm(WIDTH, 1e-5, vb.pp("norm"))?,
            qkv: linear(WIDTH, 3 * WIDTH, vb.pp("qkv"))?,
            out: linear(WIDTH, WIDTH, vb.pp("out"))?,
        })
    }
}

impl Layer for Attention {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (b, t, c) = xs.dims3()?;
        let qkv = xs.apply(&self.norm)?.apply(&self.qkv)?.reshape((b, t, 3, HEADS, c / HEADS))?;
        let qkv = qkv.permute((2, 0, 3, 1, 4))?;
        let (q, k, v) = (qkv.get(0)?, qkv.get(1)?.contiguous()?, qkv.get(2)?.contiguous()?);
        let scale = 1.0 / ((c / HEADS) as f64).sqrt();
        let attention = (q.contiguous()?.matmul(&k.transpose(D::Minus2, D::Minus1)?.contiguous()?)? * scale)?;
        let ys = ops::softmax_last_dim(&attention)?.matmul(&v)?.transpose(1, 2)?.reshape((b, t, c))?;
        xs.add(&ys.apply(&self.out)?)
    }
}

struct Convolution {
    norm: LayerNorm,
    gated: Conv1d,
    depthwise: Conv1d,
    batch: BatchNorm,
    pointwise: Conv1d,
}

impl Convolution {
    fn new(vb: VarBuilder) -> Result<Self> {
        let wide = Conv1dConfig { padding: 3, groups: WIDTH, ..Default::default() };
        Ok(Self {
            norm: layer_norm(WIDTH, 1e-5, vb.pp("norm"))?,
            gated: conv1d(WIDTH, 2 * WIDTH, 1, Default::default(), vb.pp("gated"))?,
            depthwise: conv1d_no_bias(WIDTH, WIDTH, 7, wide, vb.pp("depthwise"))?,
            batch: batch_norm(WIDTH, 1e-5, vb.pp("batch"))?,
            pointwise: conv1d(WIDTH, WIDTH, 1, Default::default(), vb.pp("pointwise"))?,
        })
    }
}

impl Layer for Convolution {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let ys = xs.apply(&self.norm)?.transpose(1, 2)?.apply(&self.gated)?.chunk(2, 1)?;
        let ys = (ys[0].clone() * ops::sigmoid(&ys[1])?)?;
        let ys = ys.apply(&self.depthwise)?.apply_t(&self.batch, false)?.silu()?;
        xs.add(&ys.apply(&self.pointwise)?.transpose(1, 2)?)
    }
}

struct Conformer {
    stem: Conv1d,
    first: FeedForward,
    attention: Attention,
    convolution: Convolution,
    second: FeedForward,
    norm: LayerNorm,
    head: Linear,
}

impl Conformer {
    fn new(vb: VarBuilder) -> Result<Self> {
        let halving = Conv1dConfig { padding: 1, stride: 2, ..Default::default() };
        Ok(Self {
            stem: conv1d(8, WIDTH, 3, halving, vb.pp("stem"))?,
            first: FeedForward::new(vb.pp("block.ff1"))?,
            attention: Attention::new(vb.pp("block.attention"))?,
            convolution: Convolution::new(vb.pp("block.conv"))?,
            second: FeedForward::new(vb.pp("block.ff2"))?,
            norm: layer_norm(WIDTH, 1e-5, vb.pp("block.norm"))?,
            head: linear(WIDTH, 5, vb.pp("head"))?,
        })
    }
}

impl Layer for Conformer {
    fn forward<F: Flow>(&self, frames: &F) -> Result<F> {
        let xs = frames.transpose(1, 2)?.apply(&self.stem)?.relu()?.transpose(1, 2)?;
        let xs = xs.apply(&self.first)?.apply(&self.attention)?.apply(&self.convolution)?;
        let xs = xs.apply(&self.second)?.apply(&self.norm)?;
        ops::log_softmax(&xs.apply(&self.head)?, D::Minus1)
    }
}

#[test]
fn conformer() {
    agrees("conformer", Conformer::new, &[Sample::sequence(numbers(&[3, 9, 8], 1))], true);
}
