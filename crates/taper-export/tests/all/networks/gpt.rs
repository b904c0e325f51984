//! GPT blocks with a causal mask, of dynamic batch and length; the output layer shares the table of the input.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear, linear_no_bias};
use taper_export::flow::{Flow, Layer, ops};

use super::agrees;
use crate::flow::check::{Sample, ids};

const EMBED: usize = 16;
const HEADS: usize = 2;
const BLOCK_SIZE: usize = 20;

fn masked_fill<F: Flow>(on_false: &F, mask: &F, on_true: f32) -> Result<F> {
    let shape = on_false.dims();
    let on_true = F::from(Tensor::new(on_true, on_false.device())?).broadcast_as(shape)?;
    mask.broadcast_as(shape)?.where_cond(&on_true, on_false)
}

struct CausalSelfAttention {
    c_attn: Linear,
    c_proj: Linear,
    mask: Tensor,
}

impl CausalSelfAttention {
    fn new(mask: &Tensor, vb: VarBuilder) -> Result<Self> {
        let c_attn = linear(EMBED, 3 * EMBED, vb.pp("c_attn"))?;
        Ok(Self { c_attn, c_proj: linear(EMBED, EMBED, vb.pp("c_proj"))?, mask: mask.clone() })
    }
}

impl Layer for CausalSelfAttention {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (b, t, c) = xs.dims3()?;
        let mut heads = Vec::new();
        for part in xs.apply(&self.c_attn)?.chunk(3, D::Minus1)? {
            heads.push(part.reshape((b, t, HEADS, c / HEADS))?.transpose(1, 2)?);
        }
        let att =
            (heads[0].contiguous()?.matmul(&heads[1].t()?.contiguous()?)? / ((c / HEADS) as f64).sqrt())?;
        let mask = F::from(self.mask.clone()).narrow(0, 0, t)?.narrow(1, 0, t)?;
        let att = ops::softmax_last_dim(&masked_fill(&att, &mask, f32::NEG_INFINITY)?)?;
        let y = att.matmul(&heads[2].contiguous()?)?.transpose(1, 2)?.reshape((b, t, c))?;
        y.apply(&self.c_proj)
    }
}

struct Block {
    ln_1: LayerNorm,
    attn: CausalSelfAttention,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
}

impl Block {
    fn new(mask: &Tensor, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            ln_1: layer_norm(EMBED, 1e-5, vb.pp("ln_1"))?,
            attn: CausalSelfAttention::new(mask, vb.pp("attn"))?,
            ln_2: layer_norm(EMBED, 1e-5, vb.pp("ln_2"))?,
            c_fc: linear(EMBED, 4 * EMBED, vb.pp("mlp.c_fc"))?,
            c_proj: linear(4 * EMBED, EMBED, vb.pp("mlp.c_proj"))?,
        })
    }
}

impl Layer for Block {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = (xs.clone() + xs.apply(&self.ln_1)?.apply(&self.attn)?)?;
        let ys = xs.apply(&self.ln_2)?.apply(&self.c_fc)?.gelu()?.apply(&self.c_proj)?;
        xs + ys
    }
}

struct Gpt {
    wte: Embedding,
    wpe: Tensor,
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: Linear,
    adapter: Linear,
}

impl Gpt {
    fn new(vb: VarBuilder) -> Result<Self> {
        let mask: Vec<u8> =
            (0..BLOCK_SIZE).flat_map(|i| (0..BLOCK_SIZE).map(move |j| u8::from(j > i))).collect();
        let mask = Tensor::from_vec(mask, (BLOCK_SIZE, BLOCK_SIZE), &Device::Cpu)?;
        let blocks = (0..2).map(|block| Block::new(&mask, vb.pp("h").pp(block)));
        let wte = embedding(29, EMBED, vb.pp("wte"))?;
        Ok(Self {
            wpe: vb.get((BLOCK_SIZE, EMBED), "wpe.weight")?,
            blocks: blocks.collect::<Result<_>>()?,
            ln_f: layer_norm(EMBED, 1e-5, vb.pp("ln_f"))?,
            adapter: linear_no_bias(EMBED, EMBED, vb.pp("adapter"))?,
            lm_head: Linear::new(wte.embeddings().clone(), None),
            wte,
        })
    }
}

impl Layer for Gpt {
    fn forward<F: Flow>(&self, idx: &F) -> Result<F> {
        let (_b, t) = idx.dims2()?;
        let positions = F::from(self.wpe.clone()).narrow(0, 0, t)?;
        let mut xs = idx.apply(&self.wte)?.broadcast_add(&positions)?;
        for block in &self.blocks {
            xs = xs.apply(block)?;
        }
        xs.apply(&self.ln_f)?.apply(&self.adapter)?.apply(&self.lm_head)
    }
}

#[test]
fn gpt() {
    agrees("gpt", Gpt::new, &[Sample::sequence(ids(&[4, 9], 29, 1))], true);
}
