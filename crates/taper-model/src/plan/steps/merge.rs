//! Steps with several inputs.

use taper_kernels::blocked::{Blocked, ChannelSlice, Elementwise, Values, ValuesMut};
use taper_kernels::{Isa, KernelError};

use crate::plan::chunk::Sums;
use crate::plan::step::{Call, Forward, Inputs, Outcome, Step};

/// `y = [relu](a + b)`.
#[derive(Debug)]
pub(crate) struct AddStep {
    map: Elementwise,
    /// The halos of both inputs and of the output.
    halos: [usize; 3],
    relu: bool,
}

impl AddStep {
    pub(crate) fn new([a, b]: [Blocked; 2], output: Blocked, relu: bool, isa: Isa) -> Self {
        Self { map: Elementwise::new(output, isa), halos: [a.halo, b.halo, output.halo], relu }
    }
}

impl Step for AddStep {
    fn describe(&self) -> String {
        format!("add{}", if self.relu { " + relu" } else { "" })
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        let [a, b, out] = self.halos;
        let (a, b) = (Values::new(x.get(0), a), Values::new(x.get(1), b));
        self.map.add(call.images, a, b, self.relu, ValuesMut::new(y, out))
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
        if self.relu {
            let y = Values::new(forward.y, self.halos[2]);
            return self.map.relu_backward(call.images, y, dy.into(), dx.into());
        }
        dx.copy_from_slice(dy);
        Ok(())
    }

    fn zero_is_dead(&self) -> bool {
        self.relu
    }
}

/// Values joined along their channels.
#[derive(Debug)]
pub(crate) struct ConcatStep {
    /// Each input's place in the output, and its halo.
    parts: Vec<(ChannelSlice, usize)>,
    output: Blocked,
}

impl ConcatStep {
    pub(crate) fn new(inputs: &[Blocked], output: Blocked, isa: Isa) -> Result<Self, KernelError> {
        let mut start = 0;
        let parts = inputs.iter().map(|input| {
            let channels = start..start + input.channels;
            start = channels.end;
            Ok((ChannelSlice::new(output.with_halo(0), channels, isa)?, input.halo))
        });
        Ok(Self { parts: parts.collect::<Result<_, KernelError>>()?, output })
    }
}

impl Step for ConcatStep {
    fn describe(&self) -> String {
        format!("concat of {}", self.parts.len())
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        for (place, (slice, halo)) in self.parts.iter().enumerate() {
            let whole = ValuesMut::new(&mut *y, self.output.halo);
            slice.insert(call.images, Values::new(x.get(place), *halo), whole)?;
        }
        Ok(())
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        place: usize,
        _forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        match dx {
            Some(dx) => self.parts[place].0.extract(call.images, dy.into(), dx.into()),
            None => Ok(()),
        }
    }
}
