//! Winograd convolution: 3×3 kernels with a quarter of the multiplications.
//!
//! F(4×4, 3×3) of Lavin and Gray ("Fast Algorithms for Convolutional Neural Networks", 2015): a tile of 4×4 outputs
//! is `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` of the filter g and the tile's 6×6 inputs d. Summed over channels, the products
//! ⊙ are 36 products of matrices, `[tiles × inputs] · [inputs × outputs]`. Where a side is not a multiple of four,
//! some tiles have three rows or columns instead: F(3, 3) on five of the six points, so that they share the weight.

mod pack;
mod pass;
mod products;
mod stages;
mod tiles;
mod transform;

use std::ops::Range;

use taper_graph::Conv2d;

use self::pack::PANEL;
use self::pass::{Pass, split};
use self::stages::{LINE, Points, multiply_transposed, to_points};
use self::tiles::PAIRS;
use self::transform::{Gradient, Input};
use super::{Blocked, Emit};
use crate::error::{KernelError, check_len};
use crate::geometry::ConvGeometry;
use crate::isa::Isa;
use crate::simd::{LANES, dispatch};

/// A convolution of 3×3 kernels with stride 1 on blocked images, and its gradients.
///
/// Results are those of direct convolution up to rounding: the relative error is about 1e-6. A NaN or an infinity
/// in the input spreads over the tiles of 4×4 outputs that read it, as NaN.
///
/// All work is done on the calling thread, and nothing is allocated. The scratch space may be longer than asked for
/// and have any content. Loads are fastest if `x`, `dz`, packed weights and sums start at a cache line.
///
/// ```
/// use taper_graph::Conv2d;
/// use taper_kernels::Isa;
/// use taper_kernels::blocked::{Blocked, WinogradConv};
///
/// // One 3×3 filter of ones over one 4×4 image of ones, padded by one.
/// let image = Blocked::new([1, 4, 4], 1);
/// let conv = WinogradConv::new(&Conv2d::new(1, 3).padding(1), image, Isa::current()).ok_or("not 3×3, stride 1")?;
/// let (mut x, mut packed) = (vec![0.0; image.image()], vec![0.0; conv.packed_len()]);
/// image.pack(&[1.0; 16], &mut x)?;
/// conv.pack(&[1.0; 9], &mut packed)?;
/// let mut scratch = vec![0.0; conv.scratch_len(1)];
/// let mut corner = 0.0;
/// conv.forward(1, &x, &packed, &mut scratch, &mut |_image, _block, plane| corner = plane[0])?;
/// assert!((corner - 4.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WinogradConv {
    forward: Pass,
    backward: Pass,
    /// Layout of the gradient of the output.
    gradient: Blocked,
    isa: Isa,
}

impl WinogradConv {
    /// Prepares `conv` for images of layout `input`, whose halo may be anything; one of at least the padding is
    /// fastest. `None` where the method does not apply: it needs a 3×3 kernel, stride 1, dilation 1, one group, and
    /// a padding of at most 2.
    #[must_use]
    pub fn new(conv: &Conv2d, input: Blocked, isa: Isa) -> Option<Self> {
        let Conv2d { kernel, stride, padding, dilation, groups, .. } = conv;
        let fits = *kernel == [3, 3] && *stride == [1, 1] && *dilation == [1, 1] && *groups == 1;
        if !fits || padding.iter().any(|&padding| padding > 2) {
            return None;
        }
        let g = ConvGeometry::new(conv, 1, [input.channels, input.height, input.width]).ok()?;
        let [height, width] = g.output;
        let output = Blocked::new([g.out_channels, height, width], 0);
        let padding = *padding;
        let opposite = padding.map(|padding| 2 - padding);
        let gradient = output.with_halo(opposite[0].max(opposite[1]));
        Some(Self {
            forward: Pass::new(input, output, padding, false, isa),
            backward: Pass::new(gradient, input.with_halo(0), opposite, true, isa),
            gradient,
            isa,
        })
    }

    /// Whether the method applies and is likely to be faster than direct convolution, by a rule of thumb from
    /// measurements: not for a handful of channels or outputs.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::blocked::{Blocked, WinogradConv};
    /// let conv = Conv2d::new(64, 3).padding(1);
    /// assert!(WinogradConv::worthwhile(&conv, Blocked::new([32, 14, 14], 1)));
    /// assert!(!WinogradConv::worthwhile(&conv, Blocked::new([1, 28, 28], 1)));
    /// ```
    #[must_use]
    pub fn worthwhile(conv: &Conv2d, input: Blocked) -> bool {
        Self::new(conv, input, Isa::portable()).is_some_and(|conv| conv.forward.worthwhile())
    }

    /// Layout of the output, without a halo.
    #[must_use]
    pub fn output(&self) -> Blocked {
        self.forward.output
    }

    /// Elements of the weight in the order of [`WinogradConv::forward`].
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.forward.channels.packed_len()
    }

    /// Brings `weight` `[out_channels, C, 3, 3]` into the order of [`WinogradConv::forward`].
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        self.forward.pack(weight, packed)
    }

    /// Elements of scratch space that any of the methods needs for `images` images.
    #[must_use]
    pub fn scratch_len(&self, images: usize) -> usize {
        let passes = self.forward.scratch_len(images).max(self.backward.scratch_len(images));
        passes.max(self.weight_scratch_len(images))
    }

    /// Convolves `images` images `x`, in the input's layout. [`Emit`] gets each plane of the output, without bias, as soon
    /// as it is done.
    ///
    /// # Errors
    /// [`KernelError::Length`].
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

    /// Into how many parts, of up to 16 output channels each, [`WinogradConv::forward_parts`] can cut the work on an image.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.forward.channels.panels().count()
    }

    /// The first block of channels of a part, or the number of blocks behind the last part.
    #[must_use]
    pub fn part_start(&self, part: usize) -> usize {
        self.output().blocks().min(part.saturating_mul(PANEL / LANES))
    }

    /// [`WinogradConv::forward`], to the same bits, but to the output channels of the parts `parts` alone: what threads share
    /// that have but one image.
    ///
    /// # Errors
    /// [`KernelError::Length`].
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, WinogradConv}};
    /// let image = Blocked::new([1, 4, 4], 1);
    /// let conv = WinogradConv::new(&Conv2d::new(40, 3).padding(1), image, Isa::current()).ok_or("not 3×3, stride 1")?;
    /// assert_eq!((conv.parts(), conv.part_start(2), conv.part_start(3)), (3, 4, 5));
    /// let (x, packed) = (vec![1.0; image.image()], vec![1.0; conv.packed_len()]);
    /// let (mut scratch, mut blocks) = (vec![0.0; conv.scratch_len(1)], Vec::new());
    /// conv.forward_parts(1..3, 1, &x, &packed, &mut scratch, &mut |_image, block, _plane| blocks.push(block))?;
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
        self.forward.run(parts, images, x, packed, scratch, emit)
    }

    /// The halo of the output's gradient: 2 less the padding.
    #[must_use]
    pub fn gradient_halo(&self) -> usize {
        self.gradient.halo
    }

    /// Elements of the weight in the order of [`WinogradConv::backward_input`].
    #[must_use]
    pub fn backward_packed_len(&self) -> usize {
        self.backward.channels.packed_len()
    }

    /// Brings `weight` `[out_channels, C, 3, 3]` into the order of [`WinogradConv::backward_input`].
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn pack_backward(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        self.backward.pack(weight, packed)
    }

    /// The gradient of the input from that of the output: `dz` has the layout of [`WinogradConv::output`] with a
    /// halo of [`WinogradConv::gradient_halo`]; [`Emit`] gets each plane of the input's gradient.
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn backward_input(
        &self,
        images: usize,
        dz: &[f32],
        packed: &[f32],
        scratch: &mut [f32],
        emit: &mut Emit<'_>,
    ) -> Result<(), KernelError> {
        self.backward.run(0..usize::MAX, images, dz, packed, scratch, emit)
    }

    /// Elements of a sum of weight gradients.
    #[must_use]
    pub fn weight_sum_len(&self) -> usize {
        self.forward.channels.packed_len()
    }

    /// Adds the weight gradient of `images` images to `sum`, at the points of the method:
    /// [`WinogradConv::unpack_weight_sum`] makes a gradient of it. `x` is as in [`WinogradConv::forward`], `dz` as
    /// in [`WinogradConv::backward_input`].
    ///
    /// # Errors
    /// [`KernelError::Length`].
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, WinogradConv}};
    /// // One output pixel: its gradient times the input is the weight's.
    /// let image = Blocked::new([1, 3, 3], 0);
    /// let conv = WinogradConv::new(&Conv2d::new(1, 3), image, Isa::current()).ok_or("not 3×3, stride 1")?;
    /// let gradient = conv.output().with_halo(conv.gradient_halo());
    /// let (mut x, mut dz) = (vec![0.0; image.image()], vec![0.0; gradient.image()]);
    /// image.pack(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &mut x)?;
    /// gradient.pack(&[10.0], &mut dz)?;
    /// let (mut scratch, mut sum) = (vec![0.0; conv.scratch_len(1)], vec![0.0; conv.weight_sum_len()]);
    /// conv.backward_weight(1, &x, &dz, &mut scratch, &mut sum)?;
    /// let mut dweight = [0.0; 9];
    /// conv.unpack_weight_sum(&[&sum], &mut dweight)?;
    /// assert!(dweight.iter().zip(1..).all(|(dw, x)| (dw - 10.0 * x as f32).abs() < 1e-3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backward_weight(
        &self,
        images: usize,
        x: &[f32],
        dz: &[f32],
        scratch: &mut [f32],
        sum: &mut [f32],
    ) -> Result<(), KernelError> {
        let Pass { input, channels, tiling, padding, .. } = &self.forward;
        check_len("x", x.len(), input.elements(images))?;
        check_len("dz", dz.len(), self.gradient.elements(images))?;
        check_len("sum", sum.len(), self.weight_sum_len())?;
        let most = self.most_weight_tiles();
        let (inputs, outputs) = self.weight_points(images);
        let lengths = [inputs.len(), outputs.len()];
        let [values, gradients] = split(scratch, self.weight_scratch_len(images), lengths)?;
        let shift = padding.map(|padding| -(padding as isize));
        for chunk in tiling.chunks(images, most) {
            // SAFETY: the lengths are checked, and the scratch space has room for every chunk.
            dispatch!(self.isa, |s| unsafe {
                to_points::<_, Input<4>, Input<3>>(s, tiling, &chunk, (input, shift), x, (inputs, values));
            });
            // SAFETY: as above.
            dispatch!(self.isa, |s| unsafe {
                let (from, to) = ((&self.gradient, [0, 0]), (outputs, &mut *gradients));
                to_points::<_, Gradient<4>, Gradient<3>>(s, tiling, &chunk, from, dz, to);
            });
            // SAFETY: as above.
            dispatch!(self.isa, |s| unsafe {
                multiply_transposed(s, channels, &chunk, (inputs, values), (outputs, gradients), sum);
            });
        }
        Ok(())
    }

    /// Adds up `sums` in their order and writes the gradient of the weight, `[out_channels, C, 3, 3]`.
    ///
    /// # Errors
    /// [`KernelError::Length`].
    pub fn unpack_weight_sum(&self, sums: &[&[f32]], dweight: &mut [f32]) -> Result<(), KernelError> {
        let channels = &self.forward.channels;
        check_len("dweight", dweight.len(), channels.inputs * channels.outputs * 9)?;
        for sum in sums {
            check_len("sum", sum.len(), self.weight_sum_len())?;
        }
        // SAFETY: the lengths are checked.
        dispatch!(self.isa, |s| unsafe { channels.unpack(s, sums, dweight) });
        Ok(())
    }

    /// The sums pass through the cache once for each chunk, the values only once in all: chunks may be large.
    fn most_weight_tiles(&self) -> usize {
        let floats = self.weight_sum_len().clamp(150 << 10, 1 << 20);
        (floats / (PAIRS * LANES * (self.forward.input.blocks() + self.gradient.blocks()))).max(1)
    }

    fn weight_points(&self, images: usize) -> (Points, Points) {
        let tiles = self.forward.tiling.largest(images, self.most_weight_tiles());
        let points = |layout: &Blocked| Points::new(tiles, layout.blocks() * LANES);
        (points(&self.forward.input), points(&self.gradient))
    }

    fn weight_scratch_len(&self, images: usize) -> usize {
        let (inputs, outputs) = self.weight_points(images);
        inputs.len() + outputs.len() + LINE
    }
}
