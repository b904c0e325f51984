//! Methods that take parts of values, and join them.

use candle_core::shape::Dim;
use candle_core::{Result, Tensor};

use super::call::{Call, Kind};
use super::index::{Index, Part};
use super::sealed::Sealed;
use super::shaping::Shaping;

/// Methods that take parts of values, and join them.
pub trait Parting: Shaping {
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

    /// The element `index` of the first dimension, which vanishes; of a single number, itself.
    ///
    /// # Errors
    /// Those of candle: no such element.
    #[track_caller]
    fn get(&self, index: usize) -> Result<Self> {
        if self.rank() == 0 {
            return Ok(self.clone());
        }
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

    /// The part that places, ranges and lists of places select, as candle's `IndexOp`: `x.i((.., 0, 2..))`,
    /// `x.i((.., &ids))`.
    ///
    /// # Errors
    /// Those of candle: outside, or no list.
    #[track_caller]
    fn i<I: Index<Self>>(&self, index: I) -> Result<Self> {
        let (mut part, mut dim) = (self.clone(), 0);
        for place in index.parts() {
            match place {
                Part::Place(place) => part = part.narrow(dim, place, 1)?.squeeze(dim)?,
                Part::Range(start, end) => {
                    let end = end.unwrap_or(part.dim(dim)?);
                    part = part.narrow(dim, start, end.saturating_sub(start))?;
                    dim += 1;
                }
                Part::List(list) => {
                    let list = Self::from(Tensor::new(list, self.device())?);
                    part = part.index_select(&list, dim)?;
                    dim += 1;
                }
                Part::Values(list) => {
                    part = part.index_select(&list, dim)?;
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
}

impl<F: Sealed> Parting for F {}
