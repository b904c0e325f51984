//! Methods that work on one element at a time.

use candle_core::{DType, Result, Tensor};
use half::{bf16, f16};

use super::call::{Binary, Call, Compare, Kind, Unary};
use super::sealed::{INSIDE, Sealed};

/// The second operand of a method that takes a value or a number, as candle's `TensorOrScalar`.
pub trait Operand<F> {
    /// The operand as a value that can be laid over `beside`.
    ///
    /// # Errors
    /// Those of candle, for a number that the element type of `beside` does not have.
    fn operand(self, beside: &F) -> Result<F>;

    /// The operand, if it is a number and thus the same whatever flows.
    fn number(&self) -> Option<f64> {
        None
    }
}

impl<F: Sealed> Operand<F> for &F {
    fn operand(self, _: &F) -> Result<F> {
        Ok(self.clone())
    }
}

macro_rules! numbers {
    ($($number:ty: |$it:ident| $wide:expr;)*) => {$(
        impl<F: Sealed> Operand<F> for $number {
            fn operand(self, beside: &F) -> Result<F> {
                let $it = self;
                number($wide, beside.value(INSIDE))
            }

            fn number(&self) -> Option<f64> {
                let $it = *self;
                Some($wide)
            }
        }
    )*};
}

numbers! {
    f16: |x| x.to_f64();
    bf16: |x| x.to_f64();
    f32: |x| x.into();
    f64: |x| x;
    u8: |x| x.into();
    u32: |x| x.into();
    i16: |x| x.into();
    i32: |x| x.into();
    i64: |x| x as f64;
}

fn number<F: Sealed>(number: f64, beside: &Tensor) -> Result<F> {
    Ok(F::from(Tensor::new(number, beside.device())?.to_dtype(beside.dtype())?))
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Those of candle.
        #[track_caller]
        fn $name(&self) -> Result<Self> {
            Self::call(Call::new(stringify!($name), Kind::Unary(Unary::$kind)), &[self], |x| x[0].$name())
        }
    )*};
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident, $broadcast:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Those of candle: the shapes differ.
        #[track_caller]
        fn $name(&self, rhs: &Self) -> Result<Self> {
            let call = Call::new(stringify!($name), Kind::Binary(Binary::$kind));
            Self::call(call, &[self, rhs], |x| x[0].$name(x[1]))
        }

        $(#[$doc])*
        /// The shapes are laid over each other, aligned at the last dimension.
        ///
        /// # Errors
        /// Those of candle: the shapes do not fit.
        #[track_caller]
        fn $broadcast(&self, rhs: &Self) -> Result<Self> {
            let call = Call::new(stringify!($broadcast), Kind::Binary(Binary::$kind));
            Self::call(call, &[self, rhs], |x| x[0].$broadcast(x[1]))
        }
    )*};
}

macro_rules! operand {
    ($($(#[$doc:meta])* $name:ident, $broadcast:ident => $kind:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Those of candle: the shapes differ.
        #[track_caller]
        fn $name<T: Operand<Self>>(&self, rhs: T) -> Result<Self> {
            let is_number = rhs.number().is_some();
            let rhs = rhs.operand(self)?;
            Self::call(Call::new(stringify!($name), $kind), &[self, &rhs], |x| match is_number {
                true => x[0].$broadcast(x[1]),
                false => x[0].$name(x[1]),
            })
        }

        $(#[$doc])*
        /// The shapes are laid over each other, aligned at the last dimension.
        ///
        /// # Errors
        /// Those of candle: the shapes do not fit.
        #[track_caller]
        fn $broadcast(&self, rhs: &Self) -> Result<Self> {
            Self::call(Call::new(stringify!($broadcast), $kind), &[self, rhs], |x| x[0].$broadcast(x[1]))
        }
    )*};
}

/// Methods that work on one element at a time.
pub trait Arithmetic: Sealed {
    unary! {
        /// The absolute value.
        abs => Abs;
        /// Rounded up.
        ceil => Ceil;
        /// The cosine.
        cos => Cos;
        /// The error function.
        erf => Erf;
        /// The exponential.
        exp => Exp;
        /// Rounded down.
        floor => Floor;
        /// GELU, by its approximation with tanh.
        gelu => Gelu;
        /// GELU.
        gelu_erf => GeluErf;
        /// The natural logarithm.
        log => Log;
        /// The opposite.
        neg => Neg;
        /// The reciprocal.
        recip => Recip;
        /// `max(x, 0)`.
        relu => Relu;
        /// Rounded, halves away from zero.
        round => Round;
        /// The sign: -1, 0 or 1.
        sign => Sign;
        /// `x·σ(x)`.
        silu => Silu;
        /// The sine.
        sin => Sin;
        /// The square.
        sqr => Sqr;
        /// The square root.
        sqrt => Sqrt;
        /// The hyperbolic tangent.
        tanh => Tanh;
    }

    binary! {
        /// The sum.
        add, broadcast_add => Add;
        /// The difference.
        sub, broadcast_sub => Sub;
        /// The product.
        mul, broadcast_mul => Mul;
        /// The quotient.
        div, broadcast_div => Div;
        /// The power.
        pow, broadcast_pow => Pow;
    }

    operand! {
        /// The greater of two.
        maximum, broadcast_maximum => Kind::Binary(Binary::Maximum);
        /// The smaller of two.
        minimum, broadcast_minimum => Kind::Binary(Binary::Minimum);
        /// 1 where the two are equal, else 0, of type u8.
        eq, broadcast_eq => Kind::Compare(Compare::Eq);
        /// 1 where the two differ, else 0, of type u8.
        ne, broadcast_ne => Kind::Compare(Compare::Ne);
        /// 1 where the first is smaller, else 0, of type u8.
        lt, broadcast_lt => Kind::Compare(Compare::Lt);
        /// 1 where the first is smaller or equal, else 0, of type u8.
        le, broadcast_le => Kind::Compare(Compare::Le);
        /// 1 where the first is greater, else 0, of type u8.
        gt, broadcast_gt => Kind::Compare(Compare::Gt);
        /// 1 where the first is greater or equal, else 0, of type u8.
        ge, broadcast_ge => Kind::Compare(Compare::Ge);
    }

    /// `x·mul + add`.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn affine(&self, mul: f64, add: f64) -> Result<Self> {
        Self::call(Call::new("affine", Kind::Affine { mul, add }), &[self], |x| x[0].affine(mul, add))
    }

    /// The power by a number.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn powf(&self, exponent: f64) -> Result<Self> {
        Self::call(Call::new("powf", Kind::Powf(exponent)), &[self], |x| x[0].powf(exponent))
    }

    /// `x` above 0, `alpha·(exp(x) - 1)` below.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn elu(&self, alpha: f64) -> Result<Self> {
        Self::call(Call::new("elu", Kind::Unary(Unary::Elu(alpha))), &[self], |x| x[0].elu(alpha))
    }

    /// Not below `min`, not above `max`: numbers, or values of the same shape.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn clamp<A: Operand<Self>, B: Operand<Self>>(&self, min: A, max: B) -> Result<Self> {
        match (min.number(), max.number()) {
            (Some(min), Some(max)) => {
                let call = Call::new("clamp", Kind::Clamp { min, max });
                Self::call(call, &[self], |x| x[0].clamp(min, max))
            }
            _ => self.maximum(min)?.minimum(max),
        }
    }

    /// Where this mask is not 0, `on_true`, else `on_false`; all of one shape.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn where_cond(&self, on_true: &Self, on_false: &Self) -> Result<Self> {
        let inputs = [self, on_true, on_false];
        Self::call(Call::new("where_cond", Kind::Where), &inputs, |x| x[0].where_cond(x[1], x[2]))
    }

    /// As another element type.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn to_dtype(&self, dtype: DType) -> Result<Self> {
        Self::call(Call::new("to_dtype", Kind::Cast(dtype)), &[self], |x| x[0].to_dtype(dtype))
    }

    /// Zeros of the same shape.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn zeros_like(&self) -> Result<Self> {
        Self::call(Call::new("zeros_like", Kind::Like(0.0)), &[self], |x| x[0].zeros_like())
    }

    /// Ones of the same shape.
    ///
    /// # Errors
    /// Those of candle.
    #[track_caller]
    fn ones_like(&self) -> Result<Self> {
        Self::call(Call::new("ones_like", Kind::Like(1.0)), &[self], |x| x[0].ones_like())
    }
}

impl<F: Sealed> Arithmetic for F {}
