//! Recurrent layers.

use candle_core::Tensor;

use super::super::merge::Step;
use super::super::wire::Source;
use super::{Emitted, Emitter, Trouble, names};
use crate::onnx::{Node, Value};

/// The places of candle's gates (input, forget, cell, output) in ONNX's order.
const LSTM_GATES: [usize; 4] = [0, 3, 1, 2];
/// The places of candle's gates (reset, update, new) in ONNX's order.
const GRU_GATES: [usize; 3] = [1, 0, 2];

impl Emitter<'_> {
    /// `LSTM` over `[T, N, I]`; all hidden states, the last hidden and the last cell state.
    pub(super) fn lstm(
        &mut self,
        step: &Step,
        title: &str,
        hidden: usize,
        used: &[bool],
    ) -> Emitted<Vec<Option<Value>>> {
        let node = self.recurrent(step, title, "LSTM", &LSTM_GATES)?.int("hidden_size", hidden as i64);
        let made = self.graph.node_with_outputs(node, 3)?;
        self.states(title, &made, used)
    }

    /// `GRU` over `[T, N, I]`; all hidden states and the last. candle applies the reset gate behind the product, as
    /// PyTorch does.
    pub(super) fn gru(
        &mut self,
        step: &Step,
        title: &str,
        hidden: usize,
        used: &[bool],
    ) -> Emitted<Vec<Option<Value>>> {
        let node = self.recurrent(step, title, "GRU", &GRU_GATES)?;
        let node = node.int("hidden_size", hidden as i64).int("linear_before_reset", 1);
        let made = self.graph.node_with_outputs(node, 2)?;
        self.states(title, &made, used)
    }

    /// The node with its input, the sequence first, and its weights in ONNX's order of gates.
    fn recurrent(&mut self, step: &Step, title: &str, op: &str, gates: &[usize]) -> Emitted<Node> {
        let x = self.operand(step, title, 0)?;
        let turned = Node::new("Transpose", format!("{title}.sequence")).input(&x).ints("perm", [1, 0, 2]);
        let x = self.graph.node(turned)?;
        let constant = |place: usize| match &step.inputs[place] {
            Source::Constant(tensor, _) => Ok(tensor),
            Source::Made(_) => {
                Err(Trouble::Refuse("its weights are computed".to_owned(), "use constant weights"))
            }
        };
        let ordered = |place: usize| -> Emitted<Tensor> {
            let parts = constant(place)?.chunk(gates.len(), 0)?;
            let parts: Vec<&Tensor> = gates.iter().map(|&gate| &parts[gate]).collect();
            Ok(Tensor::cat(&parts, 0)?.unsqueeze(0)?)
        };
        let biases = Tensor::cat(&[ordered(3)?, ordered(4)?], 1)?;
        let mut node = Node::new(op, title).input(&x);
        for (name, tensor) in [("W", ordered(1)?), ("R", ordered(2)?), ("B", biases)] {
            node = node.input(&self.graph.helper(&format!("{title}.{name}"), names::data(&tensor)?)?);
        }
        if step.inputs.len() > 5 {
            // The lengths of the sequences: all are whole.
            node = node.skip();
        }
        for place in 5..step.inputs.len() {
            let state = self.operand(step, title, place)?;
            node = node.input(&self.with_axes_of(&format!("{title}.before"), "Unsqueeze", &state, &[0])?);
        }
        Ok(node)
    }

    /// All states as `[N, T, H]`, and the last ones as `[N, H]`.
    fn states(&mut self, title: &str, made: &[Value], used: &[bool]) -> Emitted<Vec<Option<Value>>> {
        let mut values = Vec::with_capacity(made.len());
        for (place, value) in made.iter().enumerate() {
            values.push(match (used[place], place) {
                (false, _) => None,
                (true, 0) => {
                    let all = self.with_axes_of(&format!("{title}.direction"), "Squeeze", value, &[1])?;
                    let turned = Node::new("Transpose", format!("{title}.states")).input(&all);
                    Some(self.graph.node(turned.ints("perm", [1, 0, 2]))?)
                }
                (true, _) => Some(self.with_axes_of(&format!("{title}.last"), "Squeeze", value, &[0])?),
            });
        }
        Ok(values)
    }
}
