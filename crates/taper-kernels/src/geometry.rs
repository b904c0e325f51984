//! The sizes that a kernel works with, inferred once by `taper-graph`.
//!
//! Products of them stop at [`usize::MAX`], a length that no slice has: a batch that is too large is then refused like
//! any other wrong length.

use taper_graph::{AvgPool2d, Conv2d, MaxPool2d, Op, Shape, ShapeError, Window};

/// The product of some sizes; [`usize::MAX`] if that is too large a number.
pub(crate) fn product<const N: usize>(sizes: [usize; N]) -> usize {
    // A factor of zero may come behind a product that is too large already.
    if sizes.contains(&0) { 0 } else { sizes.into_iter().fold(1, usize::saturating_mul) }
}

/// The sizes of one convolution: `[N, C, H, W]` → `[N, out_channels, out_height, out_width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvGeometry {
    /// Number of images, N.
    pub batch: usize,
    /// Channels of the input, C.
    pub in_channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Groups of channels convolved apart.
    pub groups: usize,
    /// The windows along height and width.
    pub windows: [Window; 2],
}

impl ConvGeometry {
    /// The sizes of `conv` on `batch` images of sizes `[C, H, W]`.
    ///
    /// # Errors
    /// [`ShapeError`] if the convolution does not fit the image.
    ///
    /// ```
    /// use taper_graph::Conv2d;
    /// use taper_kernels::ConvGeometry;
    /// let geometry = ConvGeometry::new(&Conv2d::new(8, 3), 10, [3, 32, 32])?;
    /// assert_eq!(geometry.output, [30, 30]);
    /// assert_eq!((geometry.weight_len(), geometry.output_len()), (8 * 3 * 9, 10 * 8 * 900));
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn new(conv: &Conv2d, batch: usize, image: [usize; 3]) -> Result<Self, ShapeError> {
        let shape = Op::Conv2d(conv.clone()).infer(&[&Shape::batch_of(&image)?])?.shape;
        let [out_channels, height, width] = shape.image()?;
        let [in_channels, input @ ..] = image;
        Ok(Self {
            batch,
            in_channels,
            input,
            out_channels,
            output: [height, width],
            groups: conv.groups,
            windows: conv.windows(),
        })
    }

    /// Pixels of one output channel.
    pub(crate) fn out_pixels(&self) -> usize {
        product(self.output)
    }

    /// Input channels of one group.
    pub(crate) fn group_in(&self) -> usize {
        self.in_channels / self.groups.max(1)
    }

    /// Output channels of one group.
    pub(crate) fn group_out(&self) -> usize {
        self.out_channels / self.groups.max(1)
    }

    /// Products summed into one output element: input channels of a group × taps.
    pub(crate) fn taps(&self) -> usize {
        product([self.group_in(), self.windows[0].kernel, self.windows[1].kernel])
    }

    /// Elements of one input image.
    pub(crate) fn image_len(&self) -> usize {
        product([self.in_channels, self.input[0], self.input[1]])
    }

    /// Elements of one output image.
    pub(crate) fn out_image_len(&self) -> usize {
        product([self.out_channels, self.output[0], self.output[1]])
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        product([self.batch, self.image_len()])
    }

    /// Elements of the weight `[out_channels, C/groups, kernel_h, kernel_w]`.
    pub fn weight_len(&self) -> usize {
        product([self.out_channels, self.taps()])
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        product([self.batch, self.out_image_len()])
    }
}

/// The sizes of one pooling: `planes` images of one channel each, `[N·C, H, W]` → `[N·C, out_height, out_width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolGeometry {
    /// Images × channels.
    pub planes: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The windows along height and width.
    pub windows: [Window; 2],
    /// For average pooling: whether the padding counts in the divisor.
    pub count_include_pad: bool,
}

impl PoolGeometry {
    /// The sizes of max pooling on `batch` images of sizes `[C, H, W]`.
    ///
    /// # Errors
    /// [`ShapeError`] if the pooling does not fit the image.
    ///
    /// ```
    /// use taper_graph::MaxPool2d;
    /// use taper_kernels::PoolGeometry;
    /// let geometry = PoolGeometry::max(&MaxPool2d::new(2), 10, [3, 32, 32])?;
    /// assert_eq!((geometry.planes, geometry.output), (30, [16, 16]));
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn max(pool: &MaxPool2d, batch: usize, image: [usize; 3]) -> Result<Self, ShapeError> {
        Self::new(Op::MaxPool2d(pool.clone()), pool.windows(), false, batch, image)
    }

    /// The sizes of average pooling on `batch` images of sizes `[C, H, W]`.
    ///
    /// # Errors
    /// [`ShapeError`] if the pooling does not fit the image.
    ///
    /// ```
    /// use taper_graph::AvgPool2d;
    /// use taper_kernels::PoolGeometry;
    /// let geometry = PoolGeometry::avg(&AvgPool2d::new(4), 1, [3, 32, 32])?;
    /// assert_eq!((geometry.input_len(), geometry.output_len()), (3 * 1024, 3 * 64));
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn avg(pool: &AvgPool2d, batch: usize, image: [usize; 3]) -> Result<Self, ShapeError> {
        Self::new(Op::AvgPool2d(pool.clone()), pool.windows(), pool.count_include_pad, batch, image)
    }

    fn new(
        op: Op,
        windows: [Window; 2],
        count_include_pad: bool,
        batch: usize,
        image: [usize; 3],
    ) -> Result<Self, ShapeError> {
        let shape = op.infer(&[&Shape::batch_of(&image)?])?.shape;
        let [channels, height, width] = shape.image()?;
        let [_, input @ ..] = image;
        Ok(Self {
            planes: product([batch, channels]),
            input,
            output: [height, width],
            windows,
            count_include_pad,
        })
    }

    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        product([self.planes, self.input[0], self.input[1]])
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        product([self.planes, self.output[0], self.output[1]])
    }
}
