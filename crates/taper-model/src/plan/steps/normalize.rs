//! Fixed mean and deviation of each channel.

use taper_graph::Normalize;
use taper_kernels::blocked::{Blocked, BlockedNorm, Values, ValuesMut};
use taper_kernels::{BatchStatistics, Isa, KernelError};

use crate::plan::chunk::Sums;
use crate::plan::step::{Call, Forward, Inputs, Outcome, Step};

/// `y = (x − mean) ÷ std`: batch norm's kernel, with numbers that no one learns.
#[derive(Debug)]
pub(crate) struct NormalizeStep {
    kernel: BlockedNorm,
    input: Blocked,
    output: Blocked,
    affine: Vec<f32>,
    /// What makes `dx` of `dy`: the same without the mean.
    backward_affine: Vec<f32>,
}

impl NormalizeStep {
    pub(crate) fn new(
        settings: &Normalize,
        [input, output]: [Blocked; 2],
        isa: Isa,
    ) -> Result<Self, KernelError> {
        let kernel = BlockedNorm::new(input, isa);
        let channels = input.channels;
        let weight: Vec<f32> = settings.std.iter().map(|std| 1.0 / std).collect();
        let zeros = vec![0.0; channels];
        let affine = |mean: &[f32]| {
            let mean = mean.iter().map(|&mean| f64::from(mean)).collect();
            let statistics = BatchStatistics { mean, variance: vec![1.0; channels] };
            let mut affine = vec![0.0; kernel.affine_len()];
            kernel.affine(&statistics, [&weight, &zeros], 0.0, &mut affine).map(|()| affine)
        };
        let (affine, backward_affine) = (affine(&settings.mean)?, affine(&zeros)?);
        Ok(Self { kernel, input, output, affine, backward_affine })
    }
}

impl Step for NormalizeStep {
    fn describe(&self) -> String {
        "normalize".to_owned()
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        let (x, y) = (Values::new(x.get(0), self.input.halo), ValuesMut::new(y, self.output.halo));
        self.kernel.apply(call.images, x, &self.affine, None, false, y)
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
        let Some(dx) = dx else { return Ok(()) };
        self.kernel.apply(call.images, dy.into(), &self.backward_affine, None, false, dx.into())
    }

    fn is_free_of_chunks(&self) -> bool {
        true
    }
}
