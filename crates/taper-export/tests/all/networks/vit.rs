//! A vision transformer with a class token.

use candle_core::{D, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, LayerNorm, Linear, VarBuilder, conv2d, layer_norm, linear};
use taper_export::flow::{Flow, Layer, ops};

use super::agrees;
use crate::flow::check::{Sample, numbers};

const DIM: usize = 24;
const HEADS: usize = 3;

struct Attention {
    qkv: Linear,
    proj: Linear,
}

impl Layer for Attention {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (b, n, c) = xs.dims3()?;
        let qkv = xs
            .apply(&self.qkv)?
            .reshape((b, n, 3, HEADS, c / HEADS))?
            .transpose(1, 2)? // 02134
            .transpose(0, 1)? // 20134
            .transpose(2, 3)?; // 20314
        let q = (qkv.i(0)? * ((c / HEADS) as f64).powf(-0.5))?;
        let k = qkv.i(1)?.contiguous()?;
        let v = qkv.i(2)?.contiguous()?;
        let attn = ops::softmax(&q.matmul(&k.t()?)?, D::Minus1)?;
        attn.matmul(&v)?.transpose(1, 2)?.reshape((b, n, c))?.apply(&self.proj)
    }
}

struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Block {
    fn new(vb: VarBuilder) -> Result<Self> {
        let qkv = linear(DIM, 3 * DIM, vb.pp("attn.qkv"))?;
        Ok(Self {
            norm1: layer_norm(DIM, 1e-6, vb.pp("norm1"))?,
            attn: Attention { qkv, proj: linear(DIM, DIM, vb.pp("attn.proj"))? },
            norm2: layer_norm(DIM, 1e-6, vb.pp("norm2"))?,
            fc1: linear(DIM, 4 * DIM, vb.pp("mlp.fc1"))?,
            fc2: linear(4 * DIM, DIM, vb.pp("mlp.fc2"))?,
        })
    }
}

impl Layer for Block {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = (xs.apply(&self.norm1)?.apply(&self.attn)? + xs)?;
        let ys = xs.apply(&self.norm2)?.apply(&self.fc1)?.gelu()?.apply(&self.fc2)?;
        xs + ys
    }
}

struct VisionTransformer {
    patch_embed: Conv2d,
    cls_token: Tensor,
    pos_embed: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl VisionTransformer {
    fn new(vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride: 8, ..Default::default() };
        let blocks = (0..2).map(|block| Block::new(vb.pp("blocks").pp(block)));
        Ok(Self {
            patch_embed: conv2d(3, DIM, 8, config, vb.pp("patch_embed.proj"))?,
            cls_token: vb.get((1, 1, DIM), "cls_token")?,
            pos_embed: vb.get((1, 17, DIM), "pos_embed")?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: layer_norm(DIM, 1e-6, vb.pp("norm"))?,
            head: linear(DIM, 10, vb.pp("head"))?,
        })
    }
}

impl Layer for VisionTransformer {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = xs.apply(&self.patch_embed)?.flatten_from(2)?.transpose(1, 2)?;
        let (b, _, c) = xs.dims3()?;
        let cls_token = F::from(self.cls_token.clone()).expand((b, 1, c))?;
        let xs = F::cat(&[cls_token, xs], 1)?;
        let mut xs = xs.broadcast_add(&F::from(self.pos_embed.clone()))?;
        for block in &self.blocks {
            xs = xs.apply(block)?;
        }
        xs.apply(&self.norm)?.i((.., 0))?.apply(&self.head)
    }
}

#[test]
fn vit() {
    agrees("vit", VisionTransformer::new, &[Sample::batch(numbers(&[4, 3, 32, 32], 1))], true);
}
