//! Methods that make one element of many.

use candle_core::shape::{Dim, Dims};
use candle_core::{Result, Tensor};

use super::call::{Call, Kind, Reduction};
use super::sealed::{INSIDE, Sealed};

macro_rules! over_dims {
    ($($(#[$doc:meta])* $name:ident, $keep:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        /// The dimensions vanish.
        ///
        /// # Errors
        /// Those of candle: no such dimension.
        #[track_caller]
        fn $name<D: Dims>(&self, dims: D) -> Result<Self> {
            let dims = dims.to_indexes(self.value(INSIDE).shape(), stringify!($name))?;
            let kind = Kind::Reduce { how: Reduction::$kind, dims: dims.clone(), keep: false };
            Self::call(Call::new(stringify!($name), kind), &[self], |x| x[0].$name(dims))
        }

        $(#[$doc])*
        /// The dimensions become 1.
        ///
        /// # Errors
        /// Those of candle: no such dimension.
        #[track_caller]
        fn $keep<D: Dims>(&self, dims: D) -> Result<Self> {
            let dims = dims.to_indexes(self.value(INSIDE).shape(), stringify!($keep))?;
            let kind = Kind::Reduce { how: Reduction::$kind, dims: dims.clone(), keep: true };
            Self::call(Call::new(stringify!($keep), kind), &[self], |x| x[0].$keep(dims))
        }
    )*};
}

macro_rules! over_dim {
    ($($(#[$doc:meta])* $name:ident, $keep:ident => |$dim:ident, $kept:ident| $kind:expr;)*) => {$(
        $(#[$doc])*
        /// The dimension vanishes.
        ///
        /// # Errors
        /// Those of candle: no such dimension.
        #[track_caller]
        fn $name<D: Dim>(&self, dim: D) -> Result<Self> {
            let ($dim, $kept) = (dim.to_index(self.value(INSIDE).shape(), stringify!($name))?, false);
            Self::call(Call::new(stringify!($name), $kind), &[self], |x| x[0].$name($dim))
        }

        $(#[$doc])*
        /// The dimension becomes 1.
        ///
        /// # Errors
        /// Those of candle: no such dimension.
        #[track_caller]
        fn $keep<D: Dim>(&self, dim: D) -> Result<Self> {
            let ($dim, $kept) = (dim.to_index(self.value(INSIDE).shape(), stringify!($keep))?, true);
            Self::call(Call::new(stringify!($keep), $kind), &[self], |x| x[0].$keep($dim))
        }
    )*};
}

macro_rules! over_all {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Those of candle.
        #[track_caller]
        fn $name(&self) -> Result<Self> {
            let dims = (0..self.value(INSIDE).rank()).collect();
            let kind = Kind::Reduce { how: Reduction::$kind, dims, keep: false };
            Self::call(Call::new(stringify!($name), kind), &[self], |x| x[0].$name())
        }
    )*};
}

/// Methods that make one element of many.
pub trait Reducing: Sealed {
    over_dims! {
        /// The sum over dimensions.
        sum, sum_keepdim => Sum;
        /// The mean over dimensions.
        mean, mean_keepdim => Mean;
    }

    over_dim! {
        /// The greatest along a dimension.
        max, max_keepdim => |dim, keep| Kind::Reduce { how: Reduction::Max, dims: vec![dim], keep };
        /// The smallest along a dimension.
        min, min_keepdim => |dim, keep| Kind::Reduce { how: Reduction::Min, dims: vec![dim], keep };
        /// The place of the greatest along a dimension, the first of equals.
        argmax, argmax_keepdim => |dim, keep| Kind::Arg { is_max: true, dim, keep };
        /// The place of the smallest along a dimension, the first of equals.
        argmin, argmin_keepdim => |dim, keep| Kind::Arg { is_max: false, dim, keep };
    }

    over_all! {
        /// The sum of all elements.
        sum_all => Sum;
        /// The mean of all elements.
        mean_all => Mean;
        /// The greatest of all elements.
        max_all => Max;
        /// The smallest of all elements.
        min_all => Min;
    }

    /// `log(Σ exp(x))` over dimensions, which vanish.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn log_sum_exp<D: Dims>(&self, dims: D) -> Result<Self> {
        let dims = dims.to_indexes(self.value(INSIDE).shape(), "log_sum_exp")?;
        let kind = Kind::Reduce { how: Reduction::LogSumExp, dims: dims.clone(), keep: false };
        Self::call(Call::new("log_sum_exp", kind), &[self], |x| x[0].log_sum_exp(dims))
    }

    /// The sums of the elements up to each place of a dimension.
    ///
    /// # Errors
    /// Those of candle: no such dimension.
    #[track_caller]
    fn cumsum<D: Dim>(&self, dim: D) -> Result<Self> {
        let dim = dim.to_index(self.value(INSIDE).shape(), "cumsum")?;
        Self::call(Call::new("cumsum", Kind::CumSum { dim }), &[self], |x| x[0].cumsum(dim))
    }

    /// The matrix product; dimensions before the last two must be equal.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn matmul(&self, rhs: &Self) -> Result<Self> {
        Self::call(Call::new("matmul", Kind::MatMul), &[self, rhs], |x| x[0].matmul(x[1]))
    }

    /// The matrix product; dimensions before the last two are laid over each other.
    ///
    /// # Errors
    /// Those of candle: the shapes do not fit.
    #[track_caller]
    fn broadcast_matmul(&self, rhs: &Self) -> Result<Self> {
        Self::call(Call::new("broadcast_matmul", Kind::MatMul), &[self, rhs], |x: &[&Tensor]| {
            x[0].broadcast_matmul(x[1])
        })
    }
}

impl<F: Sealed> Reducing for F {}
