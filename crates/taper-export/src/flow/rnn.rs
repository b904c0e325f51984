//! Recurrent layers that keep their weights at hand and go through a whole sequence in one operation.

use candle_core::{Result, Tensor};
use candle_nn::rnn::{Direction, GRUState, LSTMState};
use candle_nn::{GRUConfig, LSTMConfig, RNN, VarBuilder};

use super::Flow;
use super::call::{Call, Kind};

/// The states after each step of a sequence; the last ones are at hand, as of candle's list of states.
#[derive(Debug, Clone)]
pub struct States<F, S> {
    /// All hidden states, `[N, T, H]`.
    all: F,
    last: S,
}

impl<F, S> States<F, S> {
    /// The state after the last step.
    pub fn last(&self) -> Option<&S> {
        Some(&self.last)
    }
}

/// The state of an LSTM, as candle's.
#[derive(Debug, Clone)]
pub struct LstmState<F> {
    /// The hidden state `[N, H]`, which is the output.
    pub h: F,
    /// The cell state `[N, H]`.
    pub c: F,
}

impl<F> LstmState<F> {
    /// The hidden state `[N, H]`, which is the output.
    pub fn h(&self) -> &F {
        &self.h
    }

    /// The cell state `[N, H]`.
    pub fn c(&self) -> &F {
        &self.c
    }
}

/// The state of a GRU, as candle's.
#[derive(Debug, Clone)]
pub struct GruState<F> {
    /// The hidden state `[N, H]`, which is the output.
    pub h: F,
}

impl<F> GruState<F> {
    /// The hidden state `[N, H]`, which is the output.
    pub fn h(&self) -> &F {
        &self.h
    }
}

/// Both weights, and both biases if there are any.
#[derive(Debug, Clone)]
struct Weights(Vec<Tensor>);

impl Weights {
    fn new(
        vb: &VarBuilder<'_>,
        [rows, inputs, hidden]: [usize; 3],
        suffix: &str,
        [weight_ih, weight_hh]: [candle_nn::Init; 2],
        biases: [Option<candle_nn::Init>; 2],
    ) -> Result<Self> {
        let mut weights = vec![
            vb.get_with_hints((rows, inputs), &format!("weight_ih_{suffix}"), weight_ih)?,
            vb.get_with_hints((rows, hidden), &format!("weight_hh_{suffix}"), weight_hh)?,
        ];
        for (name, init) in ["bias_ih", "bias_hh"].into_iter().zip(biases) {
            weights.push(match init {
                Some(init) => vb.get_with_hints(rows, &format!("{name}_{suffix}"), init)?,
                None => Tensor::zeros(rows, vb.dtype(), vb.device())?,
            });
        }
        Ok(Self(weights))
    }

    /// `xs`, the weights and the state before the first step, if it is not zero, as one operation, which makes all hidden
    /// states and the last ones.
    #[track_caller]
    fn record<F: Flow>(
        &self,
        call: Call,
        xs: &F,
        state: &[&F],
        compute: impl FnOnce(&Tensor, &[&Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<F>> {
        let weights: Vec<F> = self.0.iter().map(|weight| F::from(weight.clone())).collect();
        let inputs: Vec<&F> = std::iter::once(xs).chain(&weights).chain(state.iter().copied()).collect();
        F::call_many(call, &inputs, |inputs| compute(inputs[0], &inputs[1 + weights.len()..]))
    }

    /// Zeros `[N, H]`.
    #[track_caller]
    fn zeros<F: Flow>(&self, batch: usize, hidden: usize) -> Result<F> {
        let zeros = self.0[0].zeros_like()?.narrow(0, 0, 1)?.narrow(1, 0, 1)?;
        F::from(zeros).broadcast_as((batch, hidden))
    }
}

/// candle's `LSTM`, which hides its weights, with the weights kept beside it: made by [`lstm`].
#[derive(Debug, Clone)]
pub struct Lstm {
    inner: candle_nn::LSTM,
    weights: Weights,
    hidden: usize,
}

/// In the place of `candle_nn::lstm`, with the same arguments.
///
/// # Errors
/// Those of candle: a weight is missing.
pub fn lstm(in_dim: usize, hidden_dim: usize, config: LSTMConfig, vb: VarBuilder<'_>) -> Result<Lstm> {
    let suffix = match config.direction {
        Direction::Forward => format!("l{}", config.layer_idx),
        Direction::Backward => format!("l{}_reverse", config.layer_idx),
    };
    let (weights, biases) = ([config.w_ih_init, config.w_hh_init], [config.b_ih_init, config.b_hh_init]);
    let inner = candle_nn::lstm(in_dim, hidden_dim, config, vb.clone())?;
    let weights = Weights::new(&vb, [4 * hidden_dim, in_dim, hidden_dim], &suffix, weights, biases)?;
    Ok(Lstm { inner, weights, hidden: hidden_dim })
}

impl Lstm {
    /// The state before the first step: zeros.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    pub fn zero_state<F: Flow>(&self, batch_dim: usize) -> Result<LstmState<F>> {
        let zeros: F = self.weights.zeros(batch_dim, self.hidden)?;
        Ok(LstmState { h: zeros.clone(), c: zeros })
    }

    /// The state after one step, on `[N, I]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn step<F: Flow>(&self, input: &F, state: &LstmState<F>) -> Result<LstmState<F>> {
        Ok(self.seq_init(&input.unsqueeze(1)?, state)?.last)
    }

    /// Goes through `[N, T, I]` from a state of zeros.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn seq<F: Flow>(&self, xs: &F) -> Result<States<F, LstmState<F>>> {
        self.through(xs, &[])
    }

    /// Goes through `[N, T, I]` from `init_state`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn seq_init<F: Flow>(&self, xs: &F, init_state: &LstmState<F>) -> Result<States<F, LstmState<F>>> {
        self.through(xs, &[&init_state.h, &init_state.c])
    }

    #[track_caller]
    fn through<F: Flow>(&self, xs: &F, state: &[&F]) -> Result<States<F, LstmState<F>>> {
        let call = Call::new("lstm", Kind::Lstm { hidden: self.hidden });
        let made = self.weights.record(call, xs, state, |xs, state| {
            let states = match state {
                [h, c] => self.inner.seq_init(xs, &LSTMState::new((*h).clone(), (*c).clone()))?,
                _ => self.inner.seq(xs)?,
            };
            let all = self.inner.states_to_tensor(&states)?;
            let last = states.last().ok_or_else(empty)?;
            Ok(vec![all, last.h.clone(), last.c.clone()])
        })?;
        let [all, h, c] = <[F; 3]>::try_from(made).map_err(|_| empty())?;
        Ok(States { all, last: LstmState { h, c } })
    }

    /// All hidden states, `[N, T, H]`.
    ///
    /// # Errors
    /// None; as candle's.
    pub fn states_to_tensor<F: Flow>(&self, states: &States<F, LstmState<F>>) -> Result<F> {
        Ok(states.all.clone())
    }
}

/// candle's `GRU`, which hides its weights, with the weights kept beside it: made by [`gru`].
#[derive(Debug, Clone)]
pub struct Gru {
    inner: candle_nn::GRU,
    weights: Weights,
    hidden: usize,
}

/// In the place of `candle_nn::gru`, with the same arguments.
///
/// # Errors
/// Those of candle: a weight is missing.
pub fn gru(in_dim: usize, hidden_dim: usize, config: GRUConfig, vb: VarBuilder<'_>) -> Result<Gru> {
    let (weights, biases) = ([config.w_ih_init, config.w_hh_init], [config.b_ih_init, config.b_hh_init]);
    let inner = candle_nn::gru(in_dim, hidden_dim, config, vb.clone())?;
    let weights = Weights::new(&vb, [3 * hidden_dim, in_dim, hidden_dim], "l0", weights, biases)?;
    Ok(Gru { inner, weights, hidden: hidden_dim })
}

impl Gru {
    /// The state before the first step: zeros.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    pub fn zero_state<F: Flow>(&self, batch_dim: usize) -> Result<GruState<F>> {
        Ok(GruState { h: self.weights.zeros(batch_dim, self.hidden)? })
    }

    /// The state after one step, on `[N, I]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn step<F: Flow>(&self, input: &F, state: &GruState<F>) -> Result<GruState<F>> {
        Ok(self.seq_init(&input.unsqueeze(1)?, state)?.last)
    }

    /// Goes through `[N, T, I]` from a state of zeros.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn seq<F: Flow>(&self, xs: &F) -> Result<States<F, GruState<F>>> {
        self.through(xs, &[])
    }

    /// Goes through `[N, T, I]` from `init_state`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    pub fn seq_init<F: Flow>(&self, xs: &F, init_state: &GruState<F>) -> Result<States<F, GruState<F>>> {
        self.through(xs, &[&init_state.h])
    }

    #[track_caller]
    fn through<F: Flow>(&self, xs: &F, state: &[&F]) -> Result<States<F, GruState<F>>> {
        let call = Call::new("gru", Kind::Gru { hidden: self.hidden });
        let made = self.weights.record(call, xs, state, |xs, state| {
            let states = match state {
                [h] => self.inner.seq_init(xs, &GRUState { h: (*h).clone() })?,
                _ => self.inner.seq(xs)?,
            };
            let hidden: Vec<Tensor> = states.iter().map(|state| state.h.clone()).collect();
            let last = hidden.last().ok_or_else(empty)?.clone();
            Ok(vec![Tensor::stack(&hidden, 1)?, last])
        })?;
        let [all, h] = <[F; 2]>::try_from(made).map_err(|_| empty())?;
        Ok(States { all, last: GruState { h } })
    }

    /// All hidden states side by side, `[N, T·H]`, as candle's GRU gives them.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    pub fn states_to_tensor<F: Flow>(&self, states: &States<F, GruState<F>>) -> Result<F> {
        states.all.flatten_from(1)
    }
}

fn empty() -> candle_core::Error {
    candle_core::Error::Msg("the sequence is empty; give at least one step".to_owned())
}
