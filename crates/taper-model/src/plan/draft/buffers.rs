//! What the readers of a value want of the buffer it is kept in.

use taper_kernels::blocked::DirectConv;

use super::{Drafts, Following, Kind};
use crate::plan::Around;

/// How many times as large as itself, and as this many elements, a value may be with its halo.
const HALO_FACTOR: usize = 4;
const HALO_FREE: usize = 4096;

impl Drafts {
    /// Gives every value the padding that the convolutions which read it need.
    pub(super) fn find_halos(&mut self) {
        for step in &self.steps {
            if let Kind::Conv { conv, .. } = &step.kind {
                let layout = &mut self.buffers[step.inputs[0]].layout;
                let padded = layout.with_halo(layout.halo.max(DirectConv::halo(conv)));
                // Padding far larger than the image is not worth keeping: such a convolution does without.
                if padded.image() <= HALO_FACTOR * layout.with_halo(0).image().max(HALO_FREE) {
                    *layout = padded;
                }
            }
        }
    }

    /// A value has a gradient where a parameter stands before it.
    pub(super) fn find_gradients(&mut self) {
        for step in &self.steps {
            let own = matches!(step.kind, Kind::Conv { .. } | Kind::Linear | Kind::Norm { .. });
            self.buffers[step.output].gradient =
                own || step.inputs.iter().any(|&input| self.buffers[input].gradient);
        }
    }

    /// Makes these the steps of an operation.
    pub(crate) fn fit_into(&mut self, around: Around) {
        self.buffers[0].gradient = around.input_gradient;
        self.find_gradients();
        for step in &mut self.steps {
            if let Kind::Conv { following: Following { dropout: Some(dropout), .. }, .. }
            | Kind::Dropout(dropout) = &mut step.kind
            {
                dropout.layer = around.dropout_layer;
            }
        }
    }

    /// How often a buffer is read by a step.
    pub(crate) fn readers(&self, buffer: usize) -> usize {
        self.steps.iter().flat_map(|step| &step.inputs).filter(|&&input| input == buffer).count()
    }
}
