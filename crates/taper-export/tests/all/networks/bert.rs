//! A transformer encoder as in BERT, with a padding mask, of dynamic batch and length.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear};
use taper_export::flow::{Flow, Model, ops};

use super::agrees;
use crate::flow::check::{Sample, ids};

const HIDDEN: usize = 16;
const HEADS: usize = 4;

struct Embeddings {
    word: Embedding,
    position: Tensor,
    token_type: Embedding,
    norm: LayerNorm,
}

impl Embeddings {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            word: embedding(31, HIDDEN, vb.pp("word_embeddings"))?,
            position: vb.pp("position_embeddings").get((24, HIDDEN), "weight")?,
            token_type: embedding(2, HIDDEN, vb.pp("token_type_embeddings"))?,
            norm: layer_norm(HIDDEN, 1e-12, vb.pp("LayerNorm"))?,
        })
    }

    fn forward<F: Flow>(&self, input_ids: &F, token_type_ids: &F) -> Result<F> {
        let (_bsize, seq_len) = input_ids.dims2()?;
        let embeddings = (input_ids.apply(&self.word)? + token_type_ids.apply(&self.token_type)?)?;
        let positions = F::from(self.position.clone()).narrow(0, 0, seq_len)?;
        embeddings.broadcast_add(&positions)?.apply(&self.norm)
    }
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    dense: Linear,
    norm: LayerNorm,
}

impl Attention {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            query: linear(HIDDEN, HIDDEN, vb.pp("self.query"))?,
            key: linear(HIDDEN, HIDDEN, vb.pp("self.key"))?,
            value: linear(HIDDEN, HIDDEN, vb.pp("self.value"))?,
            dense: linear(HIDDEN, HIDDEN, vb.pp("output.dense"))?,
            norm: layer_norm(HIDDEN, 1e-12, vb.pp("output.LayerNorm"))?,
        })
    }

    fn transpose_for_scores<F: Flow>(xs: &F) -> Result<F> {
        let mut new_shape = xs.dims().to_vec();
        new_shape.pop();
        new_shape.push(HEADS);
        new_shape.push(HIDDEN / HEADS);
        xs.reshape(new_shape)?.transpose(1, 2)?.contiguous()
    }

    fn forward<F: Flow>(&self, xs: &F, mask: &F) -> Result<F> {
        let query = Self::transpose_for_scores(&xs.apply(&self.query)?)?;
        let key = Self::transpose_for_scores(&xs.apply(&self.key)?)?;
        let value = Self::transpose_for_scores(&xs.apply(&self.value)?)?;
        let scores = (query.matmul(&key.t()?)? / ((HIDDEN / HEADS) as f64).sqrt())?;
        let probs = ops::softmax(&scores.broadcast_add(mask)?, candle_core::D::Minus1)?;
        let context = probs.matmul(&value)?.transpose(1, 2)?.contiguous()?.flatten_from(2)?;
        (context.apply(&self.dense)? + xs)?.apply(&self.norm)
    }
}

struct Encoder {
    attention: Attention,
    intermediate: Linear,
    output: Linear,
    norm: LayerNorm,
}

impl Encoder {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            attention: Attention::new(vb.pp("attention"))?,
            intermediate: linear(HIDDEN, 4 * HIDDEN, vb.pp("intermediate.dense"))?,
            output: linear(4 * HIDDEN, HIDDEN, vb.pp("output.dense"))?,
            norm: layer_norm(HIDDEN, 1e-12, vb.pp("output.LayerNorm"))?,
        })
    }

    fn forward<F: Flow>(&self, xs: &F, mask: &F) -> Result<F> {
        let xs = self.attention.forward(xs, mask)?;
        let ys = xs.apply(&self.intermediate)?.gelu_erf()?.apply(&self.output)?;
        (ys + xs)?.apply(&self.norm)
    }
}

struct Bert {
    embeddings: Embeddings,
    layers: Vec<Encoder>,
    pooler: Linear,
}

impl Bert {
    fn new(vb: VarBuilder) -> Result<Self> {
        let layers = (0..2).map(|layer| Encoder::new(vb.pp("encoder.layer").pp(layer)));
        Ok(Self {
            embeddings: Embeddings::new(vb.pp("embeddings"))?,
            layers: layers.collect::<Result<_>>()?,
            pooler: linear(HIDDEN, HIDDEN, vb.pp("pooler.dense"))?,
        })
    }
}

impl Model for Bert {
    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
        let [input_ids, token_type_ids, attention_mask] = inputs else {
            candle_core::bail!("ids, token types and mask are needed")
        };
        let mask = attention_mask.unsqueeze(1)?.unsqueeze(2)?.to_dtype(DType::F32)?;
        let mask = ((mask.ones_like()? - &mask)? * -1e9)?;
        let mut xs = self.embeddings.forward(input_ids, token_type_ids)?;
        for layer in &self.layers {
            xs = layer.forward(&xs, &mask)?;
        }
        let pooled = xs.narrow(1, 0, 1)?.squeeze(1)?.apply(&self.pooler)?.tanh()?;
        Ok(vec![xs, pooled])
    }
}

#[test]
fn bert() {
    let samples = [
        Sample::sequence(ids(&[4, 7], 31, 1)),
        Sample::sequence(ids(&[4, 7], 2, 2)),
        Sample::sequence(ids(&[4, 7], 2, 3)),
    ];
    agrees("bert", Bert::new, &samples, true);
}
