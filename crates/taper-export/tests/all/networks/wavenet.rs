//! A WaveNet: causal convolutions of growing dilation with gates and skip connections, of dynamic batch and length.

use candle_core::Result;
use candle_nn::{Conv1d, Conv1dConfig, Embedding, VarBuilder, conv1d, embedding};
use taper_export::flow::{Flow, Layer, ops};

use super::agrees;
use crate::flow::check::{Sample, ids};

const WIDTH: usize = 6;
const LEVELS: usize = 16;

struct Block {
    dilation: usize,
    gate: Conv1d,
    residual: Conv1d,
    skip: Conv1d,
}

impl Block {
    fn new(dilation: usize, vb: VarBuilder) -> Result<Self> {
        let dilated = Conv1dConfig { dilation, ..Default::default() };
        Ok(Self {
            dilation,
            gate: conv1d(WIDTH, 2 * WIDTH, 2, dilated, vb.pp("gate"))?,
            residual: conv1d(WIDTH, WIDTH, 1, Default::default(), vb.pp("residual"))?,
            skip: conv1d(WIDTH, 2 * WIDTH, 1, Default::default(), vb.pp("skip"))?,
        })
    }

    /// What goes on, and what goes to the end.
    fn forward<F: Flow>(&self, xs: &F) -> Result<(F, F)> {
        let gates = xs.pad_with_zeros(2, self.dilation, 0)?.apply(&self.gate)?;
        let (values, gates) = (gates.narrow(1, 0, WIDTH)?, gates.narrow(1, WIDTH, WIDTH)?);
        let ys = (values.tanh()? * ops::sigmoid(&gates)?)?;
        Ok(((ys.apply(&self.residual)? + xs)?, ys.apply(&self.skip)?))
    }
}

struct WaveNet {
    levels: Embedding,
    blocks: Vec<Block>,
    first: Conv1d,
    second: Conv1d,
}

impl WaveNet {
    fn new(vb: VarBuilder) -> Result<Self> {
        let blocks = (0..4).map(|place| Block::new(1 << place, vb.pp("blocks").pp(place)));
        Ok(Self {
            levels: embedding(LEVELS, WIDTH, vb.pp("levels"))?,
            blocks: blocks.collect::<Result<_>>()?,
            first: conv1d(2 * WIDTH, WIDTH, 1, Default::default(), vb.pp("head.first"))?,
            second: conv1d(WIDTH, LEVELS, 1, Default::default(), vb.pp("head.second"))?,
        })
    }
}

impl Layer for WaveNet {
    fn forward<F: Flow>(&self, signal: &F) -> Result<F> {
        let mut xs = signal.apply(&self.levels)?.transpose(1, 2)?;
        let mut skips = Vec::new();
        for block in &self.blocks {
            let skip;
            (xs, skip) = block.forward(&xs)?;
            skips.push(skip);
        }
        let sum = F::stack(&skips, 0)?.sum(0)?;
        sum.relu()?.apply(&self.first)?.relu()?.apply(&self.second)?.transpose(1, 2)
    }
}

#[test]
fn wavenet() {
    agrees("wavenet", WaveNet::new, &[Sample::sequence(ids(&[3, 11], LEVELS as u32, 1))], false);
}
