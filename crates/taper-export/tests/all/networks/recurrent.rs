//! Classifiers of sequences: a stack of two LSTMs, and a GRU, of dynamic batch and length.

use candle_core::Result;
use candle_nn::{Embedding, Linear, VarBuilder, embedding, linear};
use taper_export::flow::{Flow, Gru, Layer, Lstm, gru, lstm};

use super::agrees;
use crate::flow::check::{Sample, ids};

struct LstmClassifier {
    embed: Embedding,
    lstm1: Lstm,
    lstm2: Lstm,
    fc: Linear,
}

impl LstmClassifier {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            embed: embedding(23, 8, vb.pp("embed"))?,
            lstm1: lstm(8, 12, Default::default(), vb.pp("lstm1"))?,
            lstm2: lstm(12, 12, Default::default(), vb.pp("lstm2"))?,
            fc: linear(12, 3, vb.pp("fc"))?,
        })
    }
}

impl Layer for LstmClassifier {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let states = self.lstm1.seq(&xs.apply(&self.embed)?)?;
        let xs = self.lstm1.states_to_tensor(&states)?;
        let states = self.lstm2.seq(&xs)?;
        states.last().unwrap().h().apply(&self.fc)
    }
}

struct GruClassifier {
    embed: Embedding,
    gru: Gru,
    fc: Linear,
}

impl GruClassifier {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            embed: embedding(23, 8, vb.pp("embed"))?,
            gru: gru(8, 12, Default::default(), vb.pp("gru"))?,
            fc: linear(12, 3, vb.pp("fc"))?,
        })
    }
}

impl Layer for GruClassifier {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let states = self.gru.seq(&xs.apply(&self.embed)?)?;
        states.last().unwrap().h().apply(&self.fc)
    }
}

#[test]
fn lstm_classifier() {
    // candle-onnx reshapes all states of an LSTM where it should transpose them.
    agrees("lstm_classifier", LstmClassifier::new, &[Sample::sequence(ids(&[4, 7], 23, 1))], false);
}

#[test]
fn gru_classifier() {
    agrees("gru_classifier", GruClassifier::new, &[Sample::sequence(ids(&[4, 7], 23, 1))], false);
}
