//! Methods that arrange all elements in another shape or order, or repeat them.

use candle_core::shape::{Dim, Dims, ShapeWithOneHole};
use candle_core::{D, DType, Device, Result, Shape};

use super::call::{Call, Kind};
use super::sealed::{INSIDE, Sealed};

macro_rules! sizes {
    ($($name:ident -> $type:ty;)*) => {$(
        /// The sizes, if there are that many.
        ///
        /// # Errors
        /// Those of candle: another number of dimensions.
        fn $name(&self) -> Result<$type> {
            self.value(INSIDE).$name()
        }
    )*};
}

/// Methods that arrange all elements in another shape or order, or repeat them. Sizes are plain numbers, those of the
/// sample; what follows from a dynamic size is found out by recording with several.
pub trait Shaping: Sealed {
    /// The shape.
    fn shape(&self) -> &Shape {
        self.value(INSIDE).shape()
    }

    /// The sizes.
    fn dims(&self) -> &[usize] {
        self.value(INSIDE).dims()
    }

    /// The size of a dimension.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    fn dim<D: Dim>(&self, dim: D) -> Result<usize> {
        self.value(INSIDE).dim(dim)
    }

    sizes! {
        dims1 -> usize;
        dims2 -> (usize, usize);
        dims3 -> (usize, usize, usize);
        dims4 -> (usize, usize, usize, usize);
        dims5 -> (usize, usize, usize, usize, usize);
    }

    /// The number of dimensions.
    fn rank(&self) -> usize {
        self.value(INSIDE).rank()
    }

    /// The number of elements.
    fn elem_count(&self) -> usize {
        self.value(INSIDE).elem_count()
    }

    /// The element type.
    fn dtype(&self) -> DType {
        self.value(INSIDE).dtype()
    }

    /// Where the elements are.
    fn device(&self) -> &Device {
        self.value(INSIDE).device()
    }

    /// In another shape, of which one size may be `()`.
    ///
    /// # Errors
    /// Those of candle: another number of elements.
    #[track_caller]
    fn reshape<S: ShapeWithOneHole>(&self, shape: S) -> Result<Self> {
        let shape = shape.into_shape(self.elem_count())?;
        let call = Call::sized("reshape", Kind::Reshape, shape.dims());
        Self::call(call, &[self], |x| x[0].reshape(&shape))
    }

    /// All dimensions joined.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn flatten_all(&self) -> Result<Self> {
        let count = self.elem_count();
        Self::call(Call::sized("flatten_all", Kind::Reshape, &[count]), &[self], |x| x[0].flatten_all())
    }

    /// Dimensions from `start` to `end`, both included, joined.
    ///
    /// # Errors
    /// Those of candle: no such dimensions.
    #[track_caller]
    fn flatten<D1: Dim, D2: Dim>(&self, start: D1, end: D2) -> Result<Self> {
        if self.rank() == 0 {
            return self.reshape(1);
        }
        let start = start.to_index(self.shape(), "flatten")?;
        let end = end.to_index(self.shape(), "flatten")?;
        flatten(self, "flatten", start, end)
    }

    /// Dimensions up to `end`, included, joined.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn flatten_to<D1: Dim>(&self, end: D1) -> Result<Self> {
        if self.rank() == 0 {
            return self.reshape(1);
        }
        let end = end.to_index(self.shape(), "flatten")?;
        flatten(self, "flatten_to", 0, end)
    }

    /// Dimensions from `start` on joined.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn flatten_from<D1: Dim>(&self, start: D1) -> Result<Self> {
        if self.rank() == 0 {
            return self.reshape(1);
        }
        let start = start.to_index(self.shape(), "flatten")?;
        flatten(self, "flatten_from", start, self.rank().saturating_sub(1))
    }

    /// Without a dimension, if its size is 1. One of dynamic size cannot be exported: whether it vanishes would
    /// depend on the size.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn squeeze<D1: Dim>(&self, dim: D1) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "squeeze")?;
        Self::call(Call::new("squeeze", Kind::Squeeze { dim }), &[self], |x| x[0].squeeze(dim))
    }

    /// With a new dimension of size 1.
    ///
    /// # Errors
    /// Those of candle: no such place.
    #[track_caller]
    fn unsqueeze<D1: Dim>(&self, dim: D1) -> Result<Self> {
        let dim = dim.to_index_plus_one(self.shape(), "unsqueeze")?;
        Self::call(Call::new("unsqueeze", Kind::Unsqueeze { dim }), &[self], |x| x[0].unsqueeze(dim))
    }

    /// With two dimensions exchanged.
    ///
    /// # Errors
    /// Those of candle: no such dimensions.
    #[track_caller]
    fn transpose<D1: Dim, D2: Dim>(&self, dim1: D1, dim2: D2) -> Result<Self> {
        let dim1 = dim1.to_index(self.shape(), "transpose")?;
        let dim2 = dim2.to_index(self.shape(), "transpose")?;
        let mut order: Vec<usize> = (0..self.rank()).collect();
        order.swap(dim1, dim2);
        let call = Call::new("transpose", Kind::Permute(order));
        Self::call(call, &[self], |x| x[0].transpose(dim1, dim2))
    }

    /// With the last two dimensions exchanged.
    ///
    /// # Errors
    /// Those of candle: fewer than two dimensions.
    #[track_caller]
    fn t(&self) -> Result<Self> {
        self.transpose(D::Minus2, D::Minus1)
    }

    /// With the dimensions in another order.
    ///
    /// # Errors
    /// Those of candle: not every dimension once.
    #[track_caller]
    fn permute<D1: Dims>(&self, dims: D1) -> Result<Self> {
        let order = dims.to_indexes(self.shape(), "permute")?;
        let call = Call::new("permute", Kind::Permute(order.clone()));
        Self::call(call, &[self], |x| x[0].permute(order))
    }

    /// The same elements in row-major order; how they lie in memory is nothing a graph knows.
    ///
    /// # Errors
    /// Those of candle.
    fn contiguous(&self) -> Result<Self> {
        Ok(self.same(self.value(INSIDE).contiguous()?, INSIDE))
    }

    /// The same without gradients, of which a graph has none.
    fn detach(&self) -> Self {
        self.same(self.value(INSIDE).detach(), INSIDE)
    }

    /// Repeated along dimensions of size 1, and along new ones, to this shape.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn broadcast_as<S: Into<Shape>>(&self, shape: S) -> Result<Self> {
        let shape = shape.into();
        let call = Call::sized("broadcast_as", Kind::Broadcast, shape.dims());
        Self::call(call, &[self], |x| x[0].broadcast_as(&shape))
    }

    /// As [`Shaping::broadcast_as`].
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn expand<S: Into<Shape>>(&self, shape: S) -> Result<Self> {
        self.broadcast_as(shape)
    }

    /// Repeated along new dimensions before the first.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn broadcast_left<S: Into<Shape>>(&self, left: S) -> Result<Self> {
        let mut sizes = left.into().into_dims();
        sizes.extend(self.dims());
        self.broadcast_as(sizes)
    }

    /// Repeated as often as `shape` says, for each dimension, new ones in front.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn repeat<S: Into<Shape>>(&self, shape: S) -> Result<Self> {
        let shape = shape.into();
        let call = Call::sized("repeat", Kind::Repeat, shape.dims());
        Self::call(call, &[self], |x| x[0].repeat(&shape))
    }
}

#[track_caller]
fn flatten<F: Sealed>(x: &F, method: &'static str, start: usize, end: usize) -> Result<F> {
    let dims = x.value(INSIDE).dims();
    if start >= end || end >= dims.len() {
        return Ok(x.clone());
    }
    let joined = dims[start..=end].iter().product();
    let sizes = [&dims[..start], &[joined], &dims[end + 1..]].concat();
    F::call(Call::sized(method, Kind::Reshape, &sizes), &[x], |x| x[0].flatten(start, end))
}

impl<F: Sealed> Shaping for F {}
