//! The fully connected layer on rows of features, or on images in blocks of eight channels.

mod gradient;
mod lists;
mod order;
mod product;
mod tiles;

use std::ops::Range;

use self::gradient::Batch;
use self::order::{BLOCK, Order};
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
/// | weight | `[in_stride, out_stride]`, in blocks of 64 inputs, and in these in panels of up to 96 outputs; those of pads are zero |
/// | bias | `[out_features]` |
///
/// An input is often an image in blocks of eight channels: [`BlockedLinear::of_image`] reads it as it stands and only
/// [`BlockedLinear::pack`] and [`BlockedLinear::unpack`] know that PyTorch flattens it in another order.
///
/// Where many inputs are exactly zero, as behind ReLU and dropout, the products with them are left out: an infinite
/// or NaN weight that meets a zero input may thus add nothing, where PyTorch says NaN. The order of a sum's
/// terms is the same whatever is left out and however many images share a call. Buffers are read fastest if they begin
/// on a cache line.
///
/// ```
/// use taper_kernels::{Isa, blocked::BlockedLinear};
/// let layer = BlockedLinear::new(2, 1, Isa::current());
/// let mut weight = vec![0.0; layer.weight_len()];
/// layer.pack(&[3.0, 4.0], &mut weight)?;
/// let x = [1.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let (mut y, mut scratch) = ([0.0; 8], vec![0.0; layer.scratch_len(1)]);
/// layer.forward(1, &x, &weight, Some(&[0.5]), &mut scratch, &mut y)?;
/// assert_eq!(y[..2], [43.5, 0.0]);
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
        let in_stride = in_features.next_multiple_of(LANES);
        let out_stride = out_features.next_multiple_of(LANES);
        Self { in_features, out_features, in_stride, out_stride, image: None, isa }
    }

    /// A layer on images, flattened; an input row is an image in this layout, its halo included.
    #[must_use]
    pub fn of_image(image: Blocked, out_features: usize, isa: Isa) -> Self {
        let in_features = image.channels * image.pixels();
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

    /// Elements of the weight in this layer's order.
    #[must_use]
    pub fn weight_len(&self) -> usize {
        self.in_stride * self.out_stride
    }

    /// Elements of one block of the weight, the part that belongs to 64 inputs; the last block may be shorter. A block with what
    /// an optimiser keeps of it is what a task should work on at a time.
    #[must_use]
    pub fn block_len(&self) -> usize {
        BLOCK * self.out_stride
    }

    /// The weight `[out_features, in_features]` in this layer's order.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length of the layer.
    pub fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        self.check_weights(weight.len(), packed.len())?;
        packed.fill(0.0);
        self.for_each_weight(|plain, here| packed[here] = weight[plain]);
        Ok(())
    }

    /// The inverse of [`BlockedLinear::pack`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length of the layer.
    pub fn unpack(&self, packed: &[f32], weight: &mut [f32]) -> Result<(), KernelError> {
        self.check_weights(weight.len(), packed.len())?;
        self.for_each_weight(|plain, here| weight[plain] = packed[here]);
        Ok(())
    }

    /// Elements of scratch for calls with up to `images` images.
    #[must_use]
    pub fn scratch_len(&self, images: usize) -> usize {
        Product::scratch_len(images, self.order())
    }

    /// `y = x·Wᵀ + bias` for `images` rows, where `weight` is W in this layer's order. The pads of `y` become zero if
    /// those of the weight are.
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
        self.check_rows(images, ("x", x.len()), ("y", y.len()))?;
        self.check_shared(images, weight.len(), scratch.len())?;
        check_len("bias", bias.map_or(self.out_features, <[f32]>::len), self.out_features)?;
        y.fill(0.0);
        if let Some(bias) = bias {
            for row in y.chunks_exact_mut(self.out_stride.max(1)) {
                row[..self.out_features].copy_from_slice(bias);
            }
        }
        let product = Product { rows: images, order: self.order(), weight };
        dispatch!(self.isa, |s| product.add(s, x, scratch, y));
        Ok(())
    }

    /// Gradient of the input: `dx = dy·W` for `images` rows.
    ///
    /// With `x`, the gradient is zero wherever `x` is: exact if what made `x` has the derivative 0 there, as
    /// ReLU and dropout have.
    ///
    /// # Errors
    /// As [`BlockedLinear::forward`].
    pub fn backward_input(
        &self,
        images: usize,
        dy: &[f32],
        weight: &[f32],
        x: Option<&[f32]>,
        scratch: &mut [f32],
        dx: &mut [f32],
    ) -> Result<(), KernelError> {
        self.check_rows(images, ("gradient of x", dx.len()), ("dy", dy.len()))?;
        self.check_rows(images, ("x", x.map_or(dx.len(), <[f32]>::len)), ("dy", dy.len()))?;
        self.check_shared(images, weight.len(), scratch.len())?;
        dx.fill(0.0);
        let product = Product { rows: images, order: self.order(), weight };
        dispatch!(self.isa, |s| product.transposed(s, dy, x, scratch, dx));
        Ok(())
    }

    /// Gradient of the blocks `blocks` of the weight, in this layer's order: `Σ x·dy` over all images, in order. It replaces what
    /// stands in `dweight`. See [`BlockedLinear::block_len`].
    ///
    /// The batch comes in groups of images, each of a slice of `x` and one of `dy`, which hold whole rows.
    ///
    /// # Errors
    /// [`KernelError::Length`] if the groups of `x` and `dy` are not the same images, `blocks` are not blocks of the weight
    /// or `dweight` has not their length.
    ///
    /// ```
    /// use taper_kernels::{Isa, blocked::BlockedLinear};
    /// let layer = BlockedLinear::new(8, 8, Isa::current());
    /// let mut gradient = [9.0; 64];
    /// layer.backward_weight_blocks(0..1, &[&[0.5; 8], &[2.0; 8]], &[&[1.0; 8], &[3.0; 8]], &mut gradient)?;
    /// assert_eq!(gradient, [6.5; 64]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn backward_weight_blocks(
        &self,
        blocks: Range<usize>,
        x: &[&[f32]],
        dy: &[&[f32]],
        dweight: &mut [f32],
    ) -> Result<(), KernelError> {
        let order = self.order();
        check_len("blocks of the weight", blocks.end.max(order.blocks()), order.blocks())?;
        let [start, end] = [blocks.start, blocks.end].map(|at| at.saturating_mul(BLOCK).min(self.in_stride));
        let inputs = end.saturating_sub(start);
        check_len("gradient of weight", dweight.len(), inputs * self.out_stride)?;
        self.check_groups(x, dy)?;
        if !dweight.is_empty() {
            dispatch!(self.isa, |s| Batch { order, x, dy }.weight_gradient(s, blocks, dweight));
        }
        Ok(())
    }

    /// Gradient of the bias: `dbias = Σ dy` over all images, in order. It replaces what stands in `dbias`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a group of `dy` does not hold whole rows, or `dbias` not `out_features` elements.
    pub fn backward_bias(&self, dy: &[&[f32]], dbias: &mut [f32]) -> Result<(), KernelError> {
        check_len("gradient of bias", dbias.len(), self.out_features)?;
        let stride = self.out_stride.max(1);
        dy.iter().try_for_each(|dy| check_len("dy", dy.len(), dy.len() / stride * self.out_stride))?;
        dbias.fill(0.0);
        for row in dy.iter().flat_map(|dy| dy.chunks_exact(stride)) {
            dbias.iter_mut().zip(row).for_each(|(sum, dy)| *sum += dy);
        }
        Ok(())
    }

    fn order(&self) -> Order {
        Order { depth: self.in_stride, columns: self.out_stride }
    }

    /// Calls `visit` with where each weight stands in PyTorch's order and in this layer's.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        for (vector, first) in (0..self.out_features).step_by(LANES).enumerate() {
            for input in 0..self.in_features {
                let here = self.order().at(self.row(input), vector);
                for lane in 0..LANES.min(self.out_features - first) {
                    visit((first + lane) * self.in_features + input, here + lane);
                }
            }
        }
    }

    /// The row of the weight that belongs to an input feature, in PyTorch's order.
    fn row(&self, feature: usize) -> usize {
        let Some(image) = self.image else { return feature };
        let (channel, pixel) = (feature / image.pixels(), feature % image.pixels());
        image.at(channel / LANES, pixel / image.width, pixel % image.width) + channel % LANES
    }

    fn check_weights(&self, plain: usize, packed: usize) -> Result<(), KernelError> {
        check_len("weight", plain, self.in_features * self.out_features)?;
        check_len("packed weight", packed, self.weight_len())
    }

    fn check_rows(
        &self,
        images: usize,
        (inputs, input_len): (&'static str, usize),
        (outputs, output_len): (&'static str, usize),
    ) -> Result<(), KernelError> {
        check_len(inputs, input_len, images.saturating_mul(self.in_stride))?;
        check_len(outputs, output_len, images.saturating_mul(self.out_stride))
    }

    fn check_shared(&self, images: usize, weight: usize, scratch: usize) -> Result<(), KernelError> {
        check_len("packed weight", weight, self.weight_len())?;
        let needed = self.scratch_len(images);
        check_len("scratch", scratch.min(needed), needed)
    }

    fn check_groups(&self, x: &[&[f32]], dy: &[&[f32]]) -> Result<(), KernelError> {
        check_len("groups of dy", dy.len(), x.len())?;
        x.iter().zip(dy).try_for_each(|(x, dy)| {
            let rows = |len: usize, stride: usize| len.checked_div(stride).unwrap_or(0);
            let images = rows(x.len(), self.in_stride).max(rows(dy.len(), self.out_stride));
            check_len("x", x.len(), images.saturating_mul(self.in_stride))?;
            check_len("dy", dy.len(), images.saturating_mul(self.out_stride))
        })
    }
}
