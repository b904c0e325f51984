//! Steps that act on each element by itself, or on the channels of each pixel.

use taper_graph::Activation;
use taper_kernels::blocked::{Blocked, Elementwise, Values, ValuesMut, dropout};
use taper_kernels::{DropoutKey, Isa, activate_backward_part, activate_part};

use crate::plan::chunk::Sums;
use crate::plan::draft::Drop;
use crate::plan::step::{Call, Forward, Inputs, Outcome, Step, room};

/// What such a step computes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    Activation(Activation),
    Dropout(Drop),
    Softmax,
    /// From an image to features in PyTorch's order.
    Flatten,
}

/// `y = f(x)`.
#[derive(Debug)]
pub(crate) struct MapStep {
    function: Function,
    input: Blocked,
    output: Blocked,
    /// Whether an input of 0 needs no gradient.
    zero_is_dead: bool,
    map: Elementwise,
    isa: Isa,
}

impl MapStep {
    pub(crate) fn new(function: Function, [input, output]: [Blocked; 2], dead: bool, isa: Isa) -> Self {
        let zero_is_dead = match function {
            Function::Activation(Activation::Relu) => true,
            Function::Dropout(..) => dead,
            _ => false,
        };
        Self { function, input, output, zero_is_dead, map: Elementwise::new(input, isa), isa }
    }

    /// The same draw as in the forward pass turns `dy` into `dx`.
    fn dropout(
        &self,
        call: &Call<'_>,
        Drop { p, layer }: Drop,
        x: Values<'_>,
        (y, halo): (&mut [f32], usize),
    ) -> Outcome {
        self.map.map(call.images, x, ValuesMut::new(&mut *y, halo), |x, y| y.copy_from_slice(x))?;
        let Some(key) = call.dropout else { return Ok(()) };
        let key = DropoutKey { layer, ..key };
        dropout(key, p, self.input.with_halo(halo), call.first, call.images, y, self.isa)
    }

    /// From a blocked image to features in PyTorch's order, or back.
    fn reorder(call: &mut Call<'_>, [from, to]: [Blocked; 2], x: &[f32], y: &mut [f32]) -> Outcome {
        let plain = room(&mut call.scratch.work, call.images * from.channels * from.pixels());
        from.unpack(x, plain)?;
        to.pack(plain, y)
    }
}

impl Step for MapStep {
    fn describe(&self) -> String {
        match self.function {
            Function::Activation(function) => format!("{function:?}").to_lowercase(),
            Function::Dropout(dropout) => format!("dropout {}", dropout.p),
            Function::Softmax => "softmax".to_owned(),
            Function::Flatten => "flatten".to_owned(),
        }
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        if let Function::Flatten = self.function {
            return Self::reorder(call, [self.input, self.output], x.get(0), y);
        }
        let x = Values::new(x.get(0), self.input.halo);
        if let Function::Dropout(drop) = self.function {
            return self.dropout(call, drop, x, (y, self.output.halo));
        }
        let y = ValuesMut::new(y, self.output.halo);
        match self.function {
            Function::Activation(Activation::Relu) => self.map.relu(call.images, x, y),
            Function::Activation(function) => {
                let mut outcome = Ok(());
                self.map.map(call.images, x, y, |x, y| {
                    outcome = outcome.clone().and(activate_part(self.isa, function, x, y));
                })?;
                outcome
            }
            Function::Softmax => self.map.softmax(call.images, x, y),
            Function::Dropout(_) | Function::Flatten => Ok(()),
        }
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        _place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        let Some(dx) = dx else { return Ok(()) };
        let x = Values::new(forward.x.get(0), self.input.halo);
        let y = Values::new(forward.y, self.output.halo);
        match self.function {
            Function::Flatten => {
                Self::reorder(call, [self.output.with_halo(0), self.input.with_halo(0)], dy, dx)
            }
            Function::Activation(Activation::Relu) => {
                self.map.relu_backward(call.images, y, dy.into(), dx.into())
            }
            Function::Activation(function) => {
                let mut outcome = Ok(());
                self.map.map2(call.images, x, dy.into(), dx.into(), |x, dy, dx| {
                    outcome = outcome.clone().and(activate_backward_part(self.isa, function, x, dy, dx));
                })?;
                outcome
            }
            Function::Softmax => self.map.softmax_backward(call.images, y, dy.into(), dx.into()),
            Function::Dropout(drop) => self.dropout(call, drop, dy.into(), (dx, 0)),
        }
    }

    fn is_free_of_chunks(&self) -> bool {
        true
    }

    fn zero_is_dead(&self) -> bool {
        self.zero_is_dead
    }
}
