//! Recurrent layers on tensors, beside candle's own.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::rnn::{Direction, GRUState, LSTMState};
use candle_nn::{GRUConfig, LSTMConfig, RNN, VarBuilder, VarMap};
use taper_export::flow::{GruState, LstmState, gru, lstm};

use super::check::{fill, numbers};

/// Weights that do not depend on the run, which `make` asks for.
fn vars<L>(make: impl Fn(VarBuilder) -> Result<L>) -> VarMap {
    let vars = VarMap::new();
    make(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu)).unwrap();
    fill(&vars);
    vars
}

fn same(ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims());
    let apart = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(apart < 1e-6, "{apart}");
}

#[test]
fn an_lstm_does_what_candles_does() -> Result<()> {
    let config = LSTMConfig { layer_idx: 1, direction: Direction::Backward, ..Default::default() };
    for config in [LSTMConfig::default(), LSTMConfig::default_no_bias(), config] {
        let vars = vars(|vb| candle_nn::lstm(8, 5, config, vb));
        let vb = || VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let (ours, theirs) = (lstm(8, 5, config, vb())?, candle_nn::lstm(8, 5, config, vb())?);
        let (xs, h, c) = (numbers(&[2, 4, 8], 1), numbers(&[2, 5], 2), numbers(&[2, 5], 3));

        let (found, wanted) = (ours.seq(&xs)?, theirs.seq(&xs)?);
        same(&ours.states_to_tensor(&found)?, &theirs.states_to_tensor(&wanted)?);
        same(found.last().unwrap().c(), wanted[3].c());

        let found = ours.seq_init(&xs, &LstmState { h: h.clone(), c: c.clone() })?;
        let wanted = theirs.seq_init(&xs, &LSTMState::new(h, c))?;
        same(&ours.states_to_tensor(&found)?, &theirs.states_to_tensor(&wanted)?);

        let x = xs.narrow(1, 2, 1)?.squeeze(1)?;
        let (found, wanted) = (ours.zero_state::<Tensor>(2)?, theirs.zero_state(2)?);
        same(found.h(), wanted.h());
        let (found, wanted) = (ours.step(&x, &found)?, theirs.step(&x, &wanted)?);
        same(found.h(), wanted.h());
        same(found.c(), wanted.c());
    }
    Ok(())
}

#[test]
fn a_gru_does_what_candles_does() -> Result<()> {
    let config = GRUConfig::default();
    let vars = vars(|vb| candle_nn::gru(8, 5, config, vb));
    let vb = || VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let (ours, theirs) = (gru(8, 5, config, vb())?, candle_nn::gru(8, 5, config, vb())?);
    let (xs, h) = (numbers(&[2, 4, 8], 1), numbers(&[2, 5], 2));

    let (found, wanted) = (ours.seq(&xs)?, theirs.seq(&xs)?);
    same(&ours.states_to_tensor(&found)?, &theirs.states_to_tensor(&wanted)?);

    let found = ours.seq_init(&xs, &GruState { h: h.clone() })?;
    let wanted = theirs.seq_init(&xs, &GRUState { h })?;
    same(&ours.states_to_tensor(&found)?, &theirs.states_to_tensor(&wanted)?);
    same(found.last().unwrap().h(), &wanted[3].h);

    let x = xs.narrow(1, 2, 1)?.squeeze(1)?;
    let (found, wanted) = (ours.zero_state::<Tensor>(2)?, theirs.zero_state(2)?);
    same(ours.step(&x, &found)?.h(), &theirs.step(&x, &wanted)?.h);
    Ok(())
}
