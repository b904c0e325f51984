//! The fully connected layer on rows of features, or on images in blocks of eight channels.

mod gradient;
mod lists;
mod order;
mod product;
mod tiles;
mod transpose;
mod weights;

use std::ops::Range;

pub use self::gradient::LinearLists;
use self::order::Order;
use self::product::Product;
use super::Blocked;
use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, dispatch};

/// A linear layer `y = x·Wᵀ + bias` (see [`linear`](crate::linear)) whose values are rows, each padded with zeros to a
/// multiple of eight.
///
/// | what | layout |
/// | --- | --- |
/// | input | `[images][in_stride]` |
/// | output | `[images][out_stride]` |
/// | weight | tiles of 64 inputs and up to 96 outputs, in these rows `[output][input]`; those of pads are zero |
/// | forward weight | the same tiles, in these rows `[input][output]` |
/// | bias | `[out_features]` |
///
/// An input is often an image in blocks of eight channels: [`BlockedLinear::of_image`] reads it as it stands and only
/// [`BlockedLinear::pack`] and [`BlockedLinear::unpack`] know that PyTorch flattens it in another order.
///
/// Where many inputs, or gradients of outputs, are exactly zero, as behind ReLU and dropout, the products with them are left
/// out: an infinite or NaN weight or input that meets a zero may thus add nothing, where PyTorch says NaN; whether it does
/// may depend on what else is in the call. Among finite numbers the order of a sum's terms is the same whatever is left out
/// and however many images share a call. Buffers are read fastest if they begin
/// on a cache line.
///
/// ```
/// use taper_kernels::{Isa, blocked::BlockedLinear};
/// let layer = BlockedLinear::new(2, 1, Isa::current());
/// let mut weight = vec![0.0; layer.weight_len()];
/// layer.pack(&[3.0, 4.0], &mut weight)?;
/// let mut forward_weight = weight.clone();
/// layer.pack_forward(0..layer.blocks(), &weight, &mut forward_weight)?;
///
/// let x = [1.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let (mut y, mut scratch) = ([0.0; 8], vec![0.0; layer.scratch_len(1)]);
/// layer.forward(1, &x, &forward_weight, Some(&[0.5]), &mut scratch, &mut y)?;
/// assert_eq!(y[..2], [43.5, 0.0]);
///
/// let (dy, mut dx) = ([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 8]);
/// layer.backward_input(1, &dy, &weight, &mut scratch, &mut dx)?;
/// assert_eq!(dx[..3], [3.0, 4.0, 0.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BlockedLinear {
    in_features: usize,
    out_features: usize,
    in_stride: usize,
    out_stride: usize,
    image: Option<Blocked>,
    isa: Isa,
}

impl BlockedLinear {
    /// A layer on plain rows of `in_features` values.
    #[must_use]
    pub fn new(in_features: usize, out_features: usize, isa: Isa) -> Self {
        // An absurd number has no row that a slice could hold.
        let stride =
            |features: usize| features.checked_next_multiple_of(LANES).unwrap_or(usize::MAX & !(LANES - 1));
        let (in_stride, out_stride) = (stride(in_features), stride(out_features));
        Self { in_features, out_features, in_stride, out_stride, image: None, isa }
    }

    /// A layer on images, flattened; an input row is an image in this layout, its halo included.
    #[must_use]
    pub fn of_image(image: Blocked, out_features: usize, isa: Isa) -> Self {
        let in_features = image.channels.saturating_mul(image.pixels());
        let plain = Self::new(in_features, out_features, isa);
        Self { in_stride: image.image(), image: Some(image), ..plain }
    }

    /// Elements from one input to the next.
    #[must_use]
    pub fn in_stride(&self) -> usize {
        self.in_stride
    }

    /// Elements from one output to the next.
    #[must_use]
    pub fn out_stride(&self) -> usize {
        self.out_stride
    }

    /// Elements of scratch for calls with up to `images` images.
    #[must_use]
    pub fn scratch_len(&self, images: usize) -> usize {
        Product::scratch_len(images, self.order())
    }

    /// `y = x·Wᵀ + bias` for `images` rows, where `weight` is the forward weight. The pads of `y` become zero if those of
    /// the weight are.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length of the layer, or `scratch` fewer elements than
    /// [`BlockedLinear::scratch_len`].
    pub fn forward(
        &self,
        images: usize,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        scratch: &mut [f32],
        y: &mut [f32],
    ) -> Result<(), KernelError> {
        self.forward_parts(0..self.parts(), images, x, weight, bias, scratch, y)
    }

    /// Into how many parts, of up to 96 outputs each, [`BlockedLinear::forward_parts`] can cut the work on a row.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.order().outputs.len()
    }

    /// The first output of a part, or what a row of outputs has behind the last part.
    #[must_use]
    pub fn part_start(&self, part: usize) -> usize {
        self.order().outputs.piece(part).start
    }

    /// [`BlockedLinear::forward`], to the same bits, but to the outputs of the parts `parts` alone, of which `y` has rows: what
    /// threads share that have but one image.
    ///
    /// # Errors
    /// As [`BlockedLinear::forward`].
    ///
    /// ```
    /// use taper_kernels::{Isa, blocked::BlockedLinear};
    /// let layer = BlockedLinear::new(1, 200, Isa::current());
    /// let (mut weight, mut turned) = (vec![0.0; layer.weight_len()], vec![0.0; layer.weight_len()]);
    /// layer.pack(&[3.0; 200], &mut weight)?;
    /// layer.pack_forward(0..1, &weight, &mut turned)?;
    /// let last = layer.part_start(layer.parts() - 1)..layer.part_start(layer.parts());
    /// let (mut scratch, mut y) = (vec![0.0; layer.scratch_len(1)], vec![0.0; last.len()]);
    /// let x = [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    /// layer.forward_parts(layer.parts() - 1..layer.parts(), 1, &x, &turned, Some(&[0.5; 200]), &mut scratch, &mut y)?;
    /// assert!(y.iter().all(|&y| y == 6.5));
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    #[expect(clippy::too_many_arguments, reason = "those of the layer, and what part of it")]
    pub fn forward_parts(
        &self,
        parts: Range<usize>,
        images: usize,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        scratch: &mut [f32],
        y: &mut [f32],
    ) -> Result<(), KernelError> {
        self.run_forward(parts, images, x, (weight, false), bias, scratch, y)
    }

    /// [`BlockedLinear::forward`], to the same bits, with the weight itself: it is turned a tile at a time, which is better than to
    /// keep it in both orders where it changes after every batch.
    ///
    /// ```
    /// use taper_kernels::{Isa, blocked::BlockedLinear};
    /// let layer = BlockedLinear::new(2, 1, Isa::current());
    /// let (mut weight, mut scratch, mut y) = (vec![0.0; layer.weight_len()], vec![0.0; layer.scratch_len(1)], [0.0; 8]);
    /// layer.pack(&[3.0, 4.0], &mut weight)?;
    /// layer.forward_turning(1, &[1.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &weight, None, &mut scratch, &mut y)?;
    /// assert_eq!(y[0], 43.0);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// As [`BlockedLinear::forward`].
    pub fn forward_turning(
        &self,
        images: usize,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        scratch: &mut [f32],
        y: &mut [f32],
    ) -> Result<(), KernelError> {
        self.run_forward(0..self.parts(), images, x, (weight, true), bias, scratch, y)
    }

    #[expect(clippy::too_many_arguments, reason = "as `forward_parts`")]
    fn run_forward(
        &self,
        parts: Range<usize>,
        images: usize,
        x: &[f32],
        (weight, turn): (&[f32], bool),
        bias: Option<&[f32]>,
        scratch: &mut [f32],
        y: &mut [f32],
    ) -> Result<(), KernelError> {
        let end = parts.end.min(self.parts());
        let parts = parts.start.min(end)..end;
        let [start, end] = [parts.start, parts.end].map(|part| self.part_start(part));
        check_len("x", x.len(), images.saturating_mul(self.in_stride))?;
        check_len("y", y.len(), images.saturating_mul(end - start))?;
        self.check_shared(images, weight.len(), scratch.len())?;
        check_len("bias", bias.map_or(self.out_features, <[f32]>::len), self.out_features)?;
        y.fill(0.0);
        if let Some(bias) = bias {
            let bias = &bias[start.min(bias.len())..end.min(bias.len())];
            for row in y.chunks_exact_mut((end - start).max(1)) {
                row[..bias.len()].copy_from_slice(bias);
            }
        }
        let order = self.order();
        let product = Product { rows: images, order, backward: false, turn, panels: parts, weight };
        dispatch!(self.isa, |s| product.add(s, x, scratch, y));
        Ok(())
    }

    /// Gradient of the input: `dx = dy·W` for `images` rows.
    ///
    /// # Errors
    /// As [`BlockedLinear::forward`].
    pub fn backward_input(
        &self,
        images: usize,
        dy: &[f32],
        weight: &[f32],
        scratch: &mut [f32],
        dx: &mut [f32],
    ) -> Result<(), KernelError> {
        check_len("gradient of x", dx.len(), images.saturating_mul(self.in_stride))?;
        check_len("dy", dy.len(), images.saturating_mul(self.out_stride))?;
        self.check_shared(images, weight.len(), scratch.len())?;
        dx.fill(0.0);
        let (order, panels) = (self.order(), 0..self.order().inputs.len());
        let product = Product { rows: images, order, backward: true, turn: false, panels, weight };
        dispatch!(self.isa, |s| product.add(s, dy, scratch, dx));
        Ok(())
    }

    /// Lists the gradients of the output over a batch, for [`BlockedLinear::backward_weight_blocks`]. The batch comes in
    /// groups of images, each of which holds whole rows.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a group of `dy` does not hold whole rows.
    pub fn list(&self, dy: &[&[f32]], lists: &mut LinearLists) -> Result<(), KernelError> {
        let images = whole_rows("dy", dy, self.out_stride)?;
        dispatch!(self.isa, |s| lists.fill(s, self.order(), images, dy));
        Ok(())
    }

    /// Gradient of the blocks `blocks` of the weight, in the order of the backward pass: `Σ dy·x` over all images, in
    /// order. It replaces what stands in `dweight`. See [`BlockedLinear::block_len`].
    ///
    /// The batch comes in groups of images; `lists` were made of the same images' gradients.
    ///
    /// # Errors
    /// [`KernelError::Length`] if the groups of `x` and `lists` are not of as many images, `blocks` are not blocks of the
    /// weight or `dweight` has not their length.
    ///
    /// ```
    /// use taper_kernels::{Isa, blocked::{BlockedLinear, LinearLists}};
    /// let layer = BlockedLinear::new(8, 8, Isa::current());
    /// let (mut lists, mut gradient) = (LinearLists::default(), [9.0; 64]);
    /// layer.list(&[&[1.0; 8], &[3.0; 8]], &mut lists)?;
    /// layer.backward_weight_blocks(0..1, &[&[0.5; 8], &[2.0; 8]], &lists, &mut gradient)?;
    /// assert_eq!(gradient, [6.5; 64]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn backward_weight_blocks(
        &self,
        blocks: Range<usize>,
        x: &[&[f32]],
        lists: &LinearLists,
        dweight: &mut [f32],
    ) -> Result<(), KernelError> {
        check_len("gradient of weight", dweight.len(), self.blocks_len(&blocks)?)?;
        let images = whole_rows("x", x, self.in_stride)?;
        check_len("listed outputs", lists.outputs(), self.out_stride)?;
        if !dweight.is_empty() {
            check_len("images of x", images, lists.images())?;
            dispatch!(self.isa, |s| lists.weight_gradient(s, self.order(), blocks, x, dweight));
        }
        Ok(())
    }

    /// Gradient of the bias: `dbias = Σ dy` over all images, in order. It replaces what stands in `dbias`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a group of `dy` does not hold whole rows, or `dbias` not `out_features` elements.
    pub fn backward_bias(&self, dy: &[&[f32]], dbias: &mut [f32]) -> Result<(), KernelError> {
        check_len("gradient of bias", dbias.len(), self.out_features)?;
        whole_rows("dy", dy, self.out_stride)?;
        dbias.fill(0.0);
        for row in dy.iter().flat_map(|dy| dy.chunks_exact(self.out_stride.max(1))) {
            dbias.iter_mut().zip(row).for_each(|(sum, dy)| *sum += dy);
        }
        Ok(())
    }

    fn order(&self) -> Order {
        Order::new(self.in_stride, self.out_stride)
    }

    fn check_shared(&self, images: usize, weight: usize, scratch: usize) -> Result<(), KernelError> {
        check_len("packed weight", weight, self.weight_len())?;
        let needed = self.scratch_len(images);
        check_len("scratch", scratch.min(needed), needed)
    }
}

/// How many rows the groups hold, if they hold whole ones.
fn whole_rows(what: &'static str, groups: &[&[f32]], stride: usize) -> Result<usize, KernelError> {
    let mut rows = 0;
    for group in groups {
        let own = group.len() / stride.max(1);
        check_len(what, group.len(), own.saturating_mul(stride))?;
        rows += own;
    }
    Ok(rows)
}
