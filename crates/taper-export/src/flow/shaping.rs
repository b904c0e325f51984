//! Methods that arrange elements: shapes, parts, joins.

use candle_core::shape::{Dim, Dims, ShapeWithOneHole};
use candle_core::{D, DType, Device, Result, Shape, Tensor};

use super::call::{Call, Kind, Sealed};
use super::index::{Index, Part};

macro_rules! sizes {
    ($($name:ident -> $type:ty;)*) => {$(
        /// The sizes, if there are that many.
        ///
        /// # Errors
        /// Those of candle: another number of dimensions.
        fn $name(&self) -> Result<$type> {
            self.value().$name()
        }
    )*};
}

/// Methods that arrange elements: shapes, parts, joins. Sizes are plain numbers, those of the sample; what follows
/// from a dynamic size is found out by recording with several.
pub trait Shaping: Sealed {
    /// The shape.
    fn shape(&self) -> &Shape {
        self.value().shape()
    }

    /// The sizes.
    fn dims(&self) -> &[usize] {
        self.value().dims()
    }

    /// The size of a dimension.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    fn dim<D: Dim>(&self, dim: D) -> Result<usize> {
        self.value().dim(dim)
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
        self.value().rank()
    }

    /// The number of elements.
    fn elem_count(&self) -> usize {
        self.value().elem_count()
    }

    /// The element type.
    fn dtype(&self) -> DType {
        self.value().dtype()
    }

    /// Where the elements are.
    fn device(&self) -> &Device {
        self.value().device()
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
        let end = end.to_index(self.shape(), "flatten")?;
        flatten(self, "flatten_to", 0, end)
    }

    /// Dimensions from `start` on joined.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn flatten_from<D1: Dim>(&self, start: D1) -> Result<Self> {
        let start = start.to_index(self.shape(), "flatten")?;
        flatten(self, "flatten_from", start, self.rank().saturating_sub(1))
    }

    /// Without a dimension, if its size is 1.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn squeeze<D1: Dim>(&self, dim: D1) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "squeeze")?;
        if self.dims()[dim] != 1 {
            return Ok(self.clone());
        }
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
        Ok(self.same(self.value().contiguous()?))
    }

    /// The same without gradients, of which a graph has none.
    fn detach(&self) -> Self {
        self.same(self.value().detach())
    }

    /// `len` elements from `start` on of a dimension.
    ///
    /// # Errors
    /// Those of candle: there are not that many.
    #[track_caller]
    fn narrow<D1: Dim>(&self, dim: D1, start: usize, len: usize) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "narrow")?;
        let call = Call::sized("narrow", Kind::Narrow { dim }, &[start, len]);
        Self::call(call, &[self], |x| x[0].narrow(dim, start, len))
    }

    /// A dimension cut into `chunks` parts, the first ones larger by one where that does not go evenly.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn chunk<D1: Dim>(&self, chunks: usize, dim: D1) -> Result<Vec<Self>> {
        let dim = dim.to_index(self.shape(), "chunk")?;
        let size = self.dims()[dim];
        let count = chunks.min(size).max(1);
        let (mut parts, mut start) = (Vec::with_capacity(count), 0);
        // A loop, since a closure would hide the caller's line.
        for part in 0..count {
            let len = size / count + usize::from(part < size % count);
            parts.push(self.narrow(dim, start, len)?);
            start += len;
        }
        Ok(parts)
    }

    /// The element `index` of the first dimension, which vanishes.
    ///
    /// # Errors
    /// Those of candle: no such element.
    #[track_caller]
    fn get(&self, index: usize) -> Result<Self> {
        self.get_on_dim(0, index)
    }

    /// The element `index` of a dimension, which vanishes.
    ///
    /// # Errors
    /// Those of candle: no such element.
    #[track_caller]
    fn get_on_dim<D1: Dim>(&self, dim: D1, index: usize) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "get_on_dim")?;
        self.narrow(dim, index, 1)?.squeeze(dim)
    }

    /// The part that places and ranges select, as candle's `IndexOp`: `x.i((.., 0, 2..))`.
    ///
    /// # Errors
    /// Those of candle: outside.
    #[track_caller]
    fn i<I: Index>(&self, index: I) -> Result<Self> {
        let (mut part, mut dim) = (self.clone(), 0);
        for place in index.parts() {
            match place {
                Part::Place(place) => part = part.narrow(dim, place, 1)?.squeeze(dim)?,
                Part::Range(start, end) => {
                    let end = end.unwrap_or(part.dim(dim)?);
                    part = part.narrow(dim, start, end.saturating_sub(start))?;
                    dim += 1;
                }
            }
        }
        Ok(part)
    }

    /// Values joined along a dimension.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn cat<A: AsRef<Self>, D1: Dim>(args: &[A], dim: D1) -> Result<Self> {
        let inputs: Vec<&Self> = args.iter().map(AsRef::as_ref).collect();
        let Some(first) = inputs.first() else { return Tensor::cat::<Tensor, D1>(&[], dim).map(Self::from) };
        let dim = dim.to_index(first.shape(), "cat")?;
        Self::call(Call::new("cat", Kind::Concat { dim }), &inputs, |x| Tensor::cat(x, dim))
    }

    /// Values joined along a new dimension.
    ///
    /// # Errors
    /// Those of candle: the shapes differ.
    #[track_caller]
    fn stack<A: AsRef<Self>, D1: Dim>(args: &[A], dim: D1) -> Result<Self> {
        let Some(first) = args.first() else { return Tensor::stack::<Tensor, D1>(&[], dim).map(Self::from) };
        let dim = dim.to_index_plus_one(first.as_ref().shape(), "stack")?;
        let mut parts = Vec::with_capacity(args.len());
        for arg in args {
            parts.push(arg.as_ref().unsqueeze(dim)?);
        }
        Self::cat(&parts, dim)
    }

    /// The elements of a dimension at the places in the list `indexes`.
    ///
    /// # Errors
    /// Those of candle: no list.
    #[track_caller]
    fn index_select<D1: Dim>(&self, indexes: &Self, dim: D1) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "index_select")?;
        let call = Call::new("index_select", Kind::IndexSelect { dim });
        Self::call(call, &[self, indexes], |x| x[0].index_select(x[1], dim))
    }

    /// The elements whose places along a dimension `indexes` says, one for each of its elements.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn gather<D1: Dim>(&self, indexes: &Self, dim: D1) -> Result<Self> {
        let dim = dim.to_index(self.shape(), "gather")?;
        let call = Call::new("gather", Kind::Gather { dim });
        Self::call(call, &[self, indexes], |x| x[0].gather(x[1], dim))
    }

    /// The rows of this table at the places in the list `ids`.
    ///
    /// # Errors
    /// Those of candle: no table, or no list.
    #[track_caller]
    fn embedding(&self, ids: &Self) -> Result<Self> {
        Self::call(Call::new("embedding", Kind::Embedding), &[self, ids], |x| x[0].embedding(x[1]))
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
    let dims = x.value().dims();
    if start >= end || end >= dims.len() {
        return Ok(x.clone());
    }
    let joined = dims[start..=end].iter().product();
    let sizes = [&dims[..start], &[joined], &dims[end + 1..]].concat();
    F::call(Call::sized(method, Kind::Reshape, &sizes), &[x], |x| x[0].flatten(start, end))
}

impl<F: Sealed> Shaping for F {}
