//! Methods for images and signals: convolution, pooling, padding, upsampling.

use candle_core::shape::Dim;
use candle_core::{Result, ToUsize2};

use super::call::{Call, Kind};
use super::sealed::{INSIDE, Sealed};

/// Methods for images and signals: convolution, pooling, padding, upsampling.
pub trait Spatial: Sealed {
    /// The convolution of a signal `[N, C, L]` with `[O, C / groups, K]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn conv1d(
        &self,
        kernel: &Self,
        padding: usize,
        stride: usize,
        dilation: usize,
        groups: usize,
    ) -> Result<Self> {
        let kind = Kind::Conv { padding, stride, dilation, groups };
        Self::call(Call::new("conv1d", kind), &[self, kernel], |x| {
            x[0].conv1d(x[1], padding, stride, dilation, groups)
        })
    }

    /// The convolution of an image `[N, C, H, W]` with `[O, C / groups, KH, KW]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn conv2d(
        &self,
        kernel: &Self,
        padding: usize,
        stride: usize,
        dilation: usize,
        groups: usize,
    ) -> Result<Self> {
        let kind = Kind::Conv { padding, stride, dilation, groups };
        Self::call(Call::new("conv2d", kind), &[self, kernel], |x| {
            x[0].conv2d(x[1], padding, stride, dilation, groups)
        })
    }

    /// The transposed convolution of a signal `[N, C, L]` with `[C, O / groups, K]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn conv_transpose1d(
        &self,
        kernel: &Self,
        padding: usize,
        output_padding: usize,
        stride: usize,
        dilation: usize,
        groups: usize,
    ) -> Result<Self> {
        let kind = Kind::ConvTranspose { padding, output_padding, stride, dilation, groups };
        Self::call(Call::new("conv_transpose1d", kind), &[self, kernel], |x| {
            x[0].conv_transpose1d(x[1], padding, output_padding, stride, dilation, groups)
        })
    }

    /// The transposed convolution of an image `[N, C, H, W]` with `[C, O, KH, KW]`.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn conv_transpose2d(
        &self,
        kernel: &Self,
        padding: usize,
        output_padding: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<Self> {
        let kind = Kind::ConvTranspose { padding, output_padding, stride, dilation, groups: 1 };
        Self::call(Call::new("conv_transpose2d", kind), &[self, kernel], |x| {
            x[0].conv_transpose2d(x[1], padding, output_padding, stride, dilation)
        })
    }

    /// The greatest in each window; windows lie side by side.
    ///
    /// # Errors
    /// Those of candle: no image, or one smaller than the window.
    #[track_caller]
    fn max_pool2d<T: ToUsize2>(&self, size: T) -> Result<Self> {
        let size = size.to_usize2();
        self.max_pool2d_with_stride(size, size)
    }

    /// The greatest in each window.
    ///
    /// # Errors
    /// Those of candle: no image, or one smaller than the window.
    #[track_caller]
    fn max_pool2d_with_stride<T: ToUsize2>(&self, size: T, stride: T) -> Result<Self> {
        let (size, stride) = (size.to_usize2(), stride.to_usize2());
        let kind = Kind::Pool { is_max: true, kernel: size.into(), stride: stride.into() };
        Self::call(Call::new("max_pool2d", kind), &[self], |x| x[0].max_pool2d_with_stride(size, stride))
    }

    /// The mean of each window; windows lie side by side.
    ///
    /// # Errors
    /// Those of candle: no image, or one smaller than the window.
    #[track_caller]
    fn avg_pool2d<T: ToUsize2>(&self, size: T) -> Result<Self> {
        let size = size.to_usize2();
        self.avg_pool2d_with_stride(size, size)
    }

    /// The mean of each window.
    ///
    /// # Errors
    /// Those of candle: no image, or one smaller than the window.
    #[track_caller]
    fn avg_pool2d_with_stride<T: ToUsize2>(&self, size: T, stride: T) -> Result<Self> {
        let (size, stride) = (size.to_usize2(), stride.to_usize2());
        let kind = Kind::Pool { is_max: false, kernel: size.into(), stride: stride.into() };
        Self::call(Call::new("avg_pool2d", kind), &[self], |x| x[0].avg_pool2d_with_stride(size, stride))
    }

    /// A signal `[N, C, L]` at another length, each element that of the nearest place before.
    ///
    /// # Errors
    /// Those of candle: no signal.
    #[track_caller]
    fn upsample_nearest1d(&self, size: usize) -> Result<Self> {
        let call = Call::sized("upsample_nearest1d", Kind::UpsampleNearest, &[size]);
        Self::call(call, &[self], |x| x[0].upsample_nearest1d(size))
    }

    /// An image `[N, C, H, W]` at another size, each pixel that of the nearest place before.
    ///
    /// # Errors
    /// Those of candle: no image.
    #[track_caller]
    fn upsample_nearest2d(&self, height: usize, width: usize) -> Result<Self> {
        let call = Call::sized("upsample_nearest2d", Kind::UpsampleNearest, &[height, width]);
        Self::call(call, &[self], |x| x[0].upsample_nearest2d(height, width))
    }

    /// As [`Spatial::upsample_nearest1d`].
    ///
    /// # Errors
    /// Those of candle: no signal.
    #[track_caller]
    fn interpolate1d(&self, size: usize) -> Result<Self> {
        self.upsample_nearest1d(size)
    }

    /// As [`Spatial::upsample_nearest2d`].
    ///
    /// # Errors
    /// Those of candle: no image.
    #[track_caller]
    fn interpolate2d(&self, height: usize, width: usize) -> Result<Self> {
        self.upsample_nearest2d(height, width)
    }

    /// An image `[N, C, H, W]` at another size, pixels weighed by their distances.
    ///
    /// # Errors
    /// Those of candle: no image.
    #[track_caller]
    fn upsample_bilinear2d(&self, height: usize, width: usize, align_corners: bool) -> Result<Self> {
        let kind = Kind::UpsampleBilinear { align_corners };
        let call = Call::sized("upsample_bilinear2d", kind, &[height, width]);
        Self::call(call, &[self], |x| x[0].upsample_bilinear2d(height, width, align_corners))
    }

    /// With zeros before and after a dimension.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn pad_with_zeros<D: Dim>(&self, dim: D, left: usize, right: usize) -> Result<Self> {
        let dim = dim.to_index(self.value(INSIDE).shape(), "pad_with_zeros")?;
        let call = Call::sized("pad_with_zeros", Kind::Pad { dim, with_edge: false }, &[left, right]);
        Self::call(call, &[self], |x| x[0].pad_with_zeros(dim, left, right))
    }

    /// With copies of the first and last element before and after a dimension.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn pad_with_same<D: Dim>(&self, dim: D, left: usize, right: usize) -> Result<Self> {
        let dim = dim.to_index(self.value(INSIDE).shape(), "pad_with_same")?;
        let call = Call::sized("pad_with_same", Kind::Pad { dim, with_edge: true }, &[left, right]);
        Self::call(call, &[self], |x| x[0].pad_with_same(dim, left, right))
    }
}

impl<F: Sealed> Spatial for F {}
