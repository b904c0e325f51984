//! Convolution, bias, ReLU, max-pool and dropout in one pass.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use taper_graph::Conv2d;
use taper_kernels::blocked::{Blocked, Epilogue, SparseConv, SparseLists};
use taper_kernels::{DropoutKey, Isa, KernelError};

use super::kernel::{ConvKernel, ToInput};
use super::weight::{Packed, Weight, check_len};
use crate::error::ModelError;
use crate::plan::Purpose;
use crate::plan::chunk::Sums;
use crate::plan::draft::Following;
use crate::plan::step::{Call, Contributions, Forward, InParts, Inputs, Kept, Outcome, Rule, Step, room};

/// The parts of a chunk's sums.
const SPARSE: usize = 0;
const DENSE: usize = 1;
const BIAS: usize = 2;

#[derive(Debug)]
pub(crate) struct ConvStep {
    kernel: ConvKernel,
    epilogue: Epilogue,
    /// The backward pass over the gradients that are not zero, where pooling makes most of them zero.
    sparse: Option<SparseConv>,
    following: Following,
    input: Blocked,
    weight: Weight,
    bias: Option<Weight>,
    /// The weight for [`ConvKernel::forward`], [`ConvKernel::backward_input`] and [`SparseConv::backward_input`].
    packed: [Packed; 3],
    /// Lists that wait for the next call, and for how many images they have room.
    lists: Mutex<Vec<(usize, SparseLists)>>,
    images: usize,
}

impl ConvStep {
    pub(crate) fn new(
        conv: &Conv2d,
        following: Following,
        [input, output]: [Blocked; 2],
        purpose: Purpose,
        isa: Isa,
    ) -> Result<Self, ModelError> {
        let kernel = ConvKernel::new(conv, input, isa)?;
        let Following { relu, pool, dropout } = &following;
        let epilogue =
            Epilogue::new(kernel.output(), *relu, pool.as_ref(), dropout.map(|d| d.p), output.halo, isa)?;
        let sparse = match pool {
            Some(_) if purpose == Purpose::Training => SparseConv::new(conv, input, &epilogue, isa),
            _ => None,
        };
        let taps = conv.kernel[0] * conv.kernel[1];
        let weight = Weight::zeros(conv.out_channels * input.channels / conv.groups * taps);
        // A register holds eight channels; those beyond the last add nothing.
        let bias = conv.bias.then(|| Weight::zeros(conv.out_channels.next_multiple_of(8)));
        let images = images_at_a_time(&kernel, input, weight.values.len());
        Ok(Self {
            kernel,
            epilogue,
            sparse,
            following,
            input,
            weight,
            bias,
            packed: Default::default(),
            lists: Mutex::default(),
            images,
        })
    }

    /// The layout of the gradient of the convolution's own output.
    fn dz(&self) -> Blocked {
        self.kernel.output().with_halo(self.kernel.gradient_halo())
    }

    /// Of the eight channels of a block.
    fn bias_of(&self, block: usize) -> Option<&[f32]> {
        self.bias.as_ref().map(|bias| &bias.values[block * 8..][..8])
    }

    /// The forward pass to some parts of the channels, whose planes `y` has: of one image, or all parts of any number of images.
    fn run(
        &self,
        parts: Range<usize>,
        call: &mut Call<'_>,
        x: Inputs<'_>,
        y: &mut [f32],
        saved: &mut [u8],
    ) -> Outcome {
        let packed = self.packed()?;
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(call.images));
        let output = self.epilogue.output();
        let (len, plane_len) = (output.image(), output.plane());
        let (codes_len, plane_codes) = (self.epilogue.codes_len(1), output.pixels() * 8);
        let (first, first_block) = (call.first, self.kernel.part_start(parts.start));
        // What is drawn when there is no dropout does not matter.
        let layer = self.following.dropout.map_or(0, |dropout| dropout.layer);
        let dropout = call.dropout.map(|key| DropoutKey { layer, ..key });
        let mut outcome = Ok(());
        self.kernel.forward_parts(
            parts,
            call.images,
            x.get(0),
            packed,
            work,
            &mut |image, block, plane| {
                let y = &mut y[image * len + (block - first_block) * plane_len..][..plane_len];
                let codes = image * codes_len + block * plane_codes;
                let codes = dropout.is_some().then(|| &mut saved[codes..codes + plane_codes]);
                let draw = dropout.map(|key| (key, first + image));
                let done = self.epilogue.forward(plane, self.bias_of(block), y, codes, block, draw);
                if outcome.is_ok() {
                    outcome = done;
                }
            },
        )?;
        outcome
    }

    fn packed(&self) -> Result<&[f32], KernelError> {
        let pack = |packed: &mut [f32]| self.kernel.pack(&self.weight.values, packed);
        self.packed[0].get(self.kernel.packed_len(), pack)
    }

    /// Over the elements whose gradient is not zero.
    fn sparse_backward(
        &self,
        sparse: &SparseConv,
        images: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome {
        let (room, mut lists) = self.borrow_lists(sparse, images, dx.is_some())?;
        let bias = sums.part(BIAS, self.kernel.output().blocks() * 8);
        sparse.fill(images, forward.saved, dy, &mut lists, bias)?;
        let (sum, add) = sums.part_to_fill(SPARSE, sparse.weight_sum_len());
        sparse.backward_weight(images, forward.x.get(0), &mut lists, add, sum)?;
        if let Some(dx) = dx {
            let pack = |packed: &mut [f32]| sparse.pack_backward(&self.weight.values, packed);
            let packed = self.packed[2].get(sparse.backward_packed_len(), pack)?;
            sparse.backward_input(images, &lists, packed, dx)?;
        }
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).push((room, lists));
        Ok(())
    }

    /// Lists for so many images, from an earlier call if there are any.
    fn borrow_lists(
        &self,
        sparse: &SparseConv,
        images: usize,
        input_gradient: bool,
    ) -> Result<(usize, SparseLists), KernelError> {
        let mut idle = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.pop() {
            Some((room, lists)) if room >= images => Ok((room, lists)),
            _ => Ok((images, SparseLists::new(sparse, images, input_gradient)?)),
        }
    }

    fn dense_backward(
        &self,
        call: &mut Call<'_>,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome {
        let (images, x, layout) = (call.images, forward.x.get(0), self.dz());
        let dz = room(&mut call.scratch.gradient, images * layout.image());
        let [sum, bias] = sums.two_parts([DENSE, BIAS], [self.kernel.weight_sum_len(), layout.blocks() * 8]);
        self.epilogue.backward_dense(forward.saved, dy, dz, layout.halo, images, bias)?;
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(images));
        let Some(dx) = dx else { return self.kernel.backward(images, [x, dz], work, sum, None) };
        let pack = |packed: &mut [f32]| self.kernel.pack_backward(&self.weight.values, packed);
        let packed = self.packed[1].get(self.kernel.backward_packed_len(), pack)?;
        let plain = self.input.with_halo(0);
        let mut emit = |image: usize, block: usize, plane: &mut [f32]| {
            let at = image * plain.image() + block * plain.plane();
            dx[at..at + plane.len()].copy_from_slice(plane);
        };
        self.kernel.backward(images, [x, dz], work, sum, Some(ToInput { packed, emit: &mut emit }))
    }

    /// The gradient of the weight.
    fn weight_gradient(&self, batch: Contributions<'_>, weight: &mut [f32]) -> Outcome {
        weight.fill(0.0);
        let dense = batch.sums(DENSE);
        if !dense.is_empty() {
            self.kernel.unpack_weight_sum(&dense, weight)?;
        }
        let thin = batch.sums(SPARSE);
        if let Some(sparse) = self.sparse.as_ref().filter(|_| !thin.is_empty()) {
            let mut part = vec![0.0; weight.len()];
            sparse.unpack_weight_sum(&thin, &mut part)?;
            weight.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        Ok(())
    }

    /// The weight has changed.
    fn repack(&mut self) -> Outcome {
        let (kernel, weight) = (&self.kernel, &self.weight.values);
        let [forward, dense, sparse] = &mut self.packed;
        forward.refresh(|packed| kernel.pack(weight, packed))?;
        dense.refresh(|packed| kernel.pack_backward(weight, packed))?;
        match &self.sparse {
            Some(kernel) => sparse.refresh(|packed| kernel.pack_backward(weight, packed)),
            None => Ok(()),
        }
    }
}

/// Enough that a pass over the weights serves many pixels, few enough that their values stay in the second-level cache.
fn images_at_a_time(kernel: &ConvKernel, input: Blocked, weights: usize) -> usize {
    /// Elements of a quarter of a megabyte, half of a usual second-level cache.
    const CACHE: usize = 1 << 16;
    let output = kernel.output();
    let held = CACHE / (input.image() + output.image()).max(1);
    // Winograd's tiles have 16 pixels, and six tiles fill the registers of a product.
    let busy =
        96usize.div_ceil(output.pixels().max(1)).max(weights / (CACHE * 4) * 32 / output.pixels().max(1));
    held.clamp(1, 5).max(busy)
}

impl InParts for ConvStep {
    fn parts(&self) -> usize {
        self.kernel.parts()
    }

    fn part_start(&self, part: usize) -> usize {
        self.kernel.part_start(part) * self.epilogue.output().plane()
    }

    fn forward_parts(
        &self,
        parts: Range<usize>,
        call: &mut Call<'_>,
        x: Inputs<'_>,
        y: &mut [f32],
    ) -> Outcome {
        self.run(parts, call, x, y, &mut [])
    }
}

impl Step for ConvStep {
    fn describe(&self) -> String {
        let mut text = format!("conv2d ({})", self.kernel.name());
        let Following { relu, pool, dropout } = &self.following;
        let mut add = |part: String| text = format!("{text} + {part}");
        if self.bias.is_some() {
            add("bias".to_owned());
        }
        if *relu {
            add("relu".to_owned());
        }
        if let Some(pool) = pool {
            add(format!("max_pool2d {}×{}", pool.kernel[0], pool.kernel[1]));
        }
        if let Some(dropout) = dropout {
            add(format!("dropout {}", dropout.p));
        }
        if self.sparse.is_some() {
            text.push_str(", backward sparse where it pays");
        }
        text
    }

    fn images(&self) -> usize {
        self.images
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], saved: &mut [u8]) -> Outcome {
        self.run(0..self.kernel.parts(), call, x, y, saved)
    }

    fn in_parts(&self) -> Option<&dyn InParts> {
        (self.kernel.parts() > 1).then_some(self)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        _place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome {
        if let Some(sparse) = &self.sparse
            && sparse.pays(sparse.count(call.images, forward.saved)?, call.images)
        {
            return self.sparse_backward(sparse, call.images, forward, dy, dx, sums);
        }
        self.dense_backward(call, forward, dy, dx, sums)
    }

    fn saved_len(&self) -> usize {
        self.epilogue.codes_len(1)
    }

    fn zero_is_dead(&self) -> bool {
        self.following.relu
    }

    fn parameter_len(&self) -> usize {
        self.weight.values.len() + self.bias.as_ref().map_or(0, |_| self.kernel.output().channels)
    }

    fn parameters(&self) -> Result<Vec<Vec<f32>>, KernelError> {
        let bias = self.bias.iter().map(|bias| bias.values[..self.kernel.output().channels].to_vec());
        Ok(std::iter::once(self.weight.values.to_vec()).chain(bias).collect())
    }

    fn set_parameters(&mut self, parameters: &[&[f32]]) -> Outcome {
        self.weight.set("weight", parameters[0])?;
        if let Some(bias) = &mut self.bias {
            let channels = self.kernel.output().channels;
            check_len("bias", parameters[1].len(), channels)?;
            bias.values[..channels].copy_from_slice(parameters[1]);
        }
        self.repack()
    }

    fn kept(&self) -> Result<Vec<Kept>, KernelError> {
        let channels = self.kernel.output().channels;
        let bias = self.bias.iter().map(|bias| {
            bias.kept().map(|mut kept| {
                kept.truncate(channels);
                kept
            })
        });
        Ok(std::iter::once(self.weight.kept()).chain(bias).collect())
    }

    fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Outcome {
        self.weight.set_kept(steps, kept[0])?;
        self.bias.as_mut().map_or(Ok(()), |bias| bias.set_kept(steps, kept[1]))
    }

    /// The weight, then the bias with its padding.
    fn gradient_len(&self) -> usize {
        self.weight.values.len() + self.bias.as_ref().map_or(0, |bias| bias.values.len())
    }

    fn gradient(&self, batch: Contributions<'_>, gradient: &mut [f32]) -> Outcome {
        let (weight, bias) = gradient.split_at_mut(self.weight.values.len());
        self.weight_gradient(batch, weight)?;
        bias.fill(0.0);
        for sum in batch.sums(BIAS) {
            bias.iter_mut().zip(sum).for_each(|(total, part)| *total += part);
        }
        Ok(())
    }

    fn unpack_gradient(&self, gradient: &[f32]) -> Result<Vec<Vec<f32>>, KernelError> {
        let (weight, bias) = gradient.split_at(self.weight.values.len());
        let bias = self.bias.iter().map(|_| bias[..self.kernel.output().channels].to_vec());
        Ok(std::iter::once(weight.to_vec()).chain(bias).collect())
    }

    fn update_by(&mut self, gradient: &[f32], rule: Rule) -> Outcome {
        let (weight, bias) = gradient.split_at(self.weight.values.len());
        self.weight.step(weight, rule)?;
        if let Some(own) = &mut self.bias {
            own.step(bias, rule)?;
        }
        self.repack()
    }
}
