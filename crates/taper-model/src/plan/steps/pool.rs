//! Pooling that is not fused with a convolution.

use taper_graph::{AvgPool2d, MaxPool2d, ShapeError};
use taper_kernels::Isa;
use taper_kernels::blocked::{Blocked, BlockedAvgPool, BlockedMaxPool, Values, ValuesMut};

use crate::plan::chunk::Sums;
use crate::plan::step::{Call, Forward, Inputs, Outcome, Step};

/// The greatest of each window.
#[derive(Debug)]
pub(crate) struct MaxPoolStep {
    kernel: BlockedMaxPool,
    halos: [usize; 2],
    settings: MaxPool2d,
}

impl MaxPoolStep {
    pub(crate) fn new(
        settings: &MaxPool2d,
        [input, output]: [Blocked; 2],
        isa: Isa,
    ) -> Result<Self, ShapeError> {
        let kernel = BlockedMaxPool::new(settings, input, isa)?;
        Ok(Self { kernel, halos: [input.halo, output.halo], settings: settings.clone() })
    }
}

impl Step for MaxPoolStep {
    fn describe(&self) -> String {
        format!("max_pool2d {}×{}", self.settings.kernel[0], self.settings.kernel[1])
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], saved: &mut [u8]) -> Outcome {
        let (x, y) = (Values::new(x.get(0), self.halos[0]), ValuesMut::new(y, self.halos[1]));
        let codes = call.dropout.is_some().then_some(saved);
        self.kernel.forward(call.images, x, y, codes)
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
        match dx {
            Some(dx) => self.kernel.backward(call.images, forward.saved, dy.into(), dx.into()),
            None => Ok(()),
        }
    }

    fn saved_len(&self) -> usize {
        self.kernel.codes_len(1)
    }
}

/// The mean of each window, or of the whole image.
#[derive(Debug)]
pub(crate) struct AvgPoolStep {
    kernel: BlockedAvgPool,
    halos: [usize; 2],
    settings: Option<AvgPool2d>,
}

impl AvgPoolStep {
    /// Without settings, the mean of the whole image.
    pub(crate) fn new(
        settings: Option<&AvgPool2d>,
        [input, output]: [Blocked; 2],
        isa: Isa,
    ) -> Result<Self, ShapeError> {
        let kernel = match settings {
            Some(settings) => BlockedAvgPool::new(settings, input, isa)?,
            None => BlockedAvgPool::global(input, isa)?,
        };
        Ok(Self { kernel, halos: [input.halo, output.halo], settings: settings.cloned() })
    }
}

impl Step for AvgPoolStep {
    fn describe(&self) -> String {
        match &self.settings {
            Some(settings) => format!("avg_pool2d {}×{}", settings.kernel[0], settings.kernel[1]),
            None => "global_avg_pool".to_owned(),
        }
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        let (x, y) = (Values::new(x.get(0), self.halos[0]), ValuesMut::new(y, self.halos[1]));
        self.kernel.forward(call.images, x, y)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        _place: usize,
        _forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        match dx {
            Some(dx) => self.kernel.backward(call.images, dy.into(), dx.into()),
            None => Ok(()),
        }
    }
}
