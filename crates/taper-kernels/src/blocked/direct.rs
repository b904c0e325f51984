//! Direct convolution: of any kernel, stride, padding and dilation.
//!
//! The inner loop holds 6 pixels × 16 output channels in registers and adds one tap of one input channel at a time, so
//! that only channels which exist cost anything. The gradients of input and weight run the same loop over other
//! tables of offsets. With a stride, the gradient of the input is one small convolution for each remainder of row and
//! column by the stride: no zeros are multiplied.

mod direction;
mod pack;
mod phase;
mod tiles;
mod weight;

use std::ops::Range;

use taper_graph::Conv2d;

use self::direction::{Channels, Direction};
use self::phase::Phase;
use self::tiles::Offsets;
use super::{Blocked, Emit};
use crate::error::{KernelError, check_len};
use crate::geometry::{ConvGeometry, product};
use crate::isa::Isa;
use crate::simd::{LANES, dispatch};

/// A convolution on blocked images, prepared for one geometry.
///
/// It computes what `torch.nn.functional.conv2d` does, without the bias, and its gradients, for a few images at a time
/// and on the thread that calls. Additions are made in an order that depends on the geometry and the number of images
/// alone. NaN and infinities reach exactly the outputs whose window, padding included, sees them; the channels
/// beyond the last stay zero.
///
/// ```
/// use taper_graph::Conv2d;
/// use taper_kernels::{Isa, blocked::{Blocked, DirectConv}};
///
/// // One 3×3 filter of ones over one 4×4 image of ones, padded by one.
/// let conv = Conv2d::new(1, 3).padding(1);
/// let input = Blocked::new([1, 4, 4], DirectConv::halo(&conv));
/// let direct = DirectConv::new(&conv, input, Isa::current()).ok_or("unsupported")?;
///
/// let (mut x, mut packed) = (vec![0.0; input.image()], vec![0.0; direct.packed_len()]);
/// input.pack(&[1.0; 16], &mut x)?;
/// direct.pack(&[1.0; 9], &mut packed)?;
///
/// let (mut scratch, mut y) = (vec![0.0; direct.scratch_len()], vec![0.0; 16]);
/// direct.forward(1, &x, &packed, &mut scratch, &mut |_image, _block, plane| {
///     y.iter_mut().zip(plane.iter().step_by(8)).for_each(|(y, x)| *y = *x);
/// })?;
/// assert_eq!(y[..4], [4.0, 6.0, 6.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DirectConv {
    isa: Isa,
    output: Blocked,
    weight_len: usize,
    forward: Direction,
    backward: Direction,
    /// For each output pixel, where it reads and where its gradient stands.
    gradient: Offsets,
}

impl DirectConv {
    /// The halo that the input must at least have.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::blocked::DirectConv;
    /// assert_eq!(DirectConv::halo(&Conv2d::new(8, 5).padding(2)), 2);
    /// ```
    #[must_use]
    pub fn halo(conv: &Conv2d) -> usize {
        conv.padding[0].max(conv.padding[1])
    }

    /// Prepares `conv` for images in the layout `input`, on `isa`.
    ///
    /// `None` if it does not fit the image, if the halo is smaller than [`DirectConv::halo`], if an image or the weight
    /// of sixteen channels has 2³² elements, or if the grouping is not one of these: one group; a group for each
    /// channel with one output each; groups whose input and output channels are multiples of eight.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, DirectConv}};
    /// let input = Blocked::new([3, 32, 32], 1);
    /// assert!(DirectConv::new(&Conv2d::new(8, 3).padding(1), input, Isa::current()).is_some());
    /// assert!(DirectConv::new(&Conv2d::new(8, 5).padding(2), input, Isa::current()).is_none());
    /// ```
    #[must_use]
    pub fn new(conv: &Conv2d, input: Blocked, isa: Isa) -> Option<Self> {
        let geometry = ConvGeometry::new(conv, 1, [input.channels, input.height, input.width]).ok()?;
        let [vertical, horizontal] = &geometry.windows;
        let ahead = Channels::forward(&geometry)?;
        // Places in images and weights are kept as 32-bit numbers. Said before any table is made.
        let places = |channels: Channels| {
            product([channels.read, vertical.kernel, horizontal.kernel, channels.width()])
        };
        let greatest = input.image().max(places(ahead)).max(places(ahead.reversed()));
        if input.halo < Self::halo(conv) || u32::try_from(greatest).is_err() {
            return None;
        }
        let forward =
            [Phase::forward(vertical, geometry.output[0]), Phase::forward(horizontal, geometry.output[1])];
        let backward = [Phase::backward(vertical, input.height), Phase::backward(horizontal, input.width)];
        let beyond =
            |axis: usize| backward[axis].iter().map(|phase| phase.beyond(geometry.output[axis])).max();
        let halo = beyond(0).max(beyond(1)).unwrap_or(0);
        let [height, width] = geometry.output;
        let output = Blocked::new([geometry.out_channels, height, width], 0);
        let dz = output.with_halo(halo);
        if u32::try_from(dz.image()).is_err() {
            return None;
        }
        let taps = horizontal.kernel;
        let phases = [&forward[..1], &forward[1..]];
        let forward = Direction::new(ahead, input, geometry.output, taps, phases);
        let backward =
            Direction::new(ahead.reversed(), dz, geometry.input, taps, [&backward[0], &backward[1]]);
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| [row, column]));
        let start =
            |window: &taper_graph::Window, at: usize| at * window.stride + input.halo - window.padding;
        let gradient = pixels.map(|[row, column]| {
            let from = start(vertical, row) * input.row() + start(horizontal, column) * LANES;
            [from, dz.at(0, row, column)]
        });
        let gradient = gradient.collect();
        Some(Self { isa, output, weight_len: geometry.weight_len(), forward, backward, gradient })
    }

    /// The layout of the output, without a halo.
    #[must_use]
    pub fn output(&self) -> Blocked {
        self.output
    }

    /// Elements of the weight as [`DirectConv::forward`] reads it.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.forward.packed_len()
    }

    /// Elements of the weight as [`DirectConv::backward_input`] reads it.
    #[must_use]
    pub fn backward_packed_len(&self) -> usize {
        self.backward.packed_len()
    }

    /// Elements of the scratch space that [`DirectConv::forward`] and [`DirectConv::backward_input`] need.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.forward.scratch_len().max(self.backward.scratch_len())
    }

    /// Elements of a sum of weight gradients.
    #[must_use]
    pub fn weight_sum_len(&self) -> usize {
        self.forward.packed_len()
    }

    /// The halo that the gradient of the output must have: [`DirectConv::output`] with this halo is its layout.
    #[must_use]
    pub fn gradient_halo(&self) -> usize {
        self.backward.read.halo
    }

    /// Brings `weight` `[out_channels, C/groups, kernel_h, kernel_w]` into the order of [`DirectConv::forward`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    pub fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        check_len("weight", weight.len(), self.weight_len)?;
        check_len("packed", packed.len(), self.packed_len())?;
        dispatch!(self.isa, |s| self.forward.pack(s, weight, packed));
        Ok(())
    }

    /// Brings `weight` `[out_channels, C/groups, kernel_h, kernel_w]` into the order of
    /// [`DirectConv::backward_input`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    pub fn pack_backward(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        check_len("weight", weight.len(), self.weight_len)?;
        check_len("packed", packed.len(), self.backward_packed_len())?;
        dispatch!(self.isa, |s| self.backward.pack(s, weight, packed));
        Ok(())
    }

    /// Convolves `images` images `x` in the input's layout with a weight from [`DirectConv::pack`].
    ///
    /// [`Emit`] gets each plane, without bias, as soon as it is done. `scratch` may hold anything.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    pub fn forward(
        &self,
        images: usize,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        self.forward_parts(0..self.parts(), images, x, packed, scratch, emit)
    }

    /// Into how many parts, of up to 16 output channels each, [`DirectConv::forward_parts`] can cut the work on an image.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.forward.units.len()
    }

    /// The first block of channels of a part, or the number of blocks behind the last part.
    #[must_use]
    pub fn part_start(&self, part: usize) -> usize {
        self.forward.units.get(part).map_or(self.output.blocks(), |unit| unit.block)
    }

    /// [`DirectConv::forward`], to the same bits, but to the output channels of the parts `parts` alone: what threads share that
    /// have but one image.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, DirectConv}};
    /// let input = Blocked::new([1, 1, 2], 0);
    /// let direct = DirectConv::new(&Conv2d::new(40, 1), input, Isa::current()).ok_or("unsupported")?;
    /// assert_eq!((direct.parts(), direct.part_start(2), direct.part_start(3)), (3, 4, 5));
    /// let (x, packed) = (vec![1.0; input.image()], vec![1.0; direct.packed_len()]);
    /// let (mut scratch, mut blocks) = (vec![0.0; direct.scratch_len()], Vec::new());
    /// direct.forward_parts(1..3, 1, &x, &packed, &mut scratch, &mut |_image, block, _plane| blocks.push(block))?;
    /// assert_eq!(blocks, [2, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward_parts(
        &self,
        parts: Range<usize>,
        images: usize,
        x: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        check_len("x", x.len(), self.forward.read.elements(images))?;
        check_len("packed", packed.len(), self.packed_len())?;
        check_len("scratch", scratch.len(), self.scratch_len())?;
        dispatch!(self.isa, |s| self.forward.run(s, parts, x, packed, scratch, emit))
    }

    /// The gradient of the input, from the gradient `dz` of the output of `images` images and a weight from
    /// [`DirectConv::pack_backward`].
    ///
    /// `dz` has the layout of the output with a halo of [`DirectConv::gradient_halo`]. [`Emit`] gets each plane of the
    /// input's gradient. `scratch` may hold anything.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    pub fn backward_input(
        &self,
        images: usize,
        dz: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        check_len("dz", dz.len(), self.backward.read.elements(images))?;
        check_len("packed", packed.len(), self.backward_packed_len())?;
        check_len("scratch", scratch.len(), self.scratch_len())?;
        dispatch!(self.isa, |s| self.backward.run(s, 0..usize::MAX, dz, packed, scratch, emit))
    }

    /// Adds the weight gradient of `images` images to `sum`, which is in an order of its own:
    /// [`DirectConv::unpack_weight_sum`] turns it into a plain gradient.
    ///
    /// `x` is in the input's layout and `dz`, the gradient of the output, in that of the output with a halo of
    /// [`DirectConv::gradient_halo`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, DirectConv}};
    ///
    /// // y = w·x for two pixels: dw = Σ x·dz and dx = w·dz.
    /// let conv = Conv2d::new(1, 1);
    /// let input = Blocked::new([1, 1, 2], 0);
    /// let direct = DirectConv::new(&conv, input, Isa::current()).ok_or("unsupported")?;
    /// let gradient = direct.output().with_halo(direct.gradient_halo());
    /// let (mut x, mut dz) = (vec![0.0; input.image()], vec![0.0; gradient.image()]);
    /// input.pack(&[2.0, 3.0], &mut x)?;
    /// gradient.pack(&[10.0, 100.0], &mut dz)?;
    ///
    /// let (mut sum, mut dweight) = (vec![0.0; direct.weight_sum_len()], [0.0]);
    /// direct.backward_weight(1, &x, &dz, &mut sum)?;
    /// direct.unpack_weight_sum(&[&sum], &mut dweight)?;
    /// assert_eq!(dweight, [320.0]);
    ///
    /// let mut packed = vec![0.0; direct.backward_packed_len()];
    /// direct.pack_backward(&[5.0], &mut packed)?;
    /// let mut scratch = vec![0.0; direct.scratch_len()];
    /// direct.backward_input(1, &dz, &packed, &mut scratch, &mut |_image, _block, plane| {
    ///     assert_eq!([plane[0], plane[8]], [50.0, 500.0]);
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backward_weight(
        &self,
        images: usize,
        x: &[f32],
        dz: &[f32],
        sum: &mut [f32],
    ) -> Result<(), KernelError> {
        check_len("x", x.len(), self.forward.read.elements(images))?;
        check_len("dz", dz.len(), self.backward.read.elements(images))?;
        check_len("sum", sum.len(), self.weight_sum_len())?;
        dispatch!(self.isa, |s| self.add_weight_gradient(s, images, x, dz, sum))
    }

    /// Adds up `sums` in their order and writes the gradient as `[out_channels, C/groups, kernel_h, kernel_w]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have its length.
    pub fn unpack_weight_sum(&self, sums: &[&[f32]], dweight: &mut [f32]) -> Result<(), KernelError> {
        sums.iter().try_for_each(|sum| check_len("sum", sum.len(), self.weight_sum_len()))?;
        check_len("dweight", dweight.len(), self.weight_len)?;
        dispatch!(self.isa, |s| self.forward.unpack_sum(s, sums, dweight));
        Ok(())
    }
}
