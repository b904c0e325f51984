//! The arithmetic of a step, eight elements at a time.

use super::Optimizer;
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// One step of an optimiser with all that is the same for every element.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    Sgd { rate: f32, penalty: f32, momentum: f32, nesterov: bool },
    Adam(Adam),
}

/// Adam and AdamW: the one adds the decay to the gradient (`penalty`), the other shrinks the weight to the share `keep`.
#[derive(Clone, Copy)]
pub(super) struct Adam {
    rate: f32,
    fresh1: f32,
    beta2: f32,
    fresh2: f32,
    /// 1 / √(1 − β₂ᵗ)
    scale: f32,
    eps: f32,
    penalty: f32,
    keep: f32,
}

impl Rule {
    /// Step number `step`, the first being 1.
    pub(super) fn new(optimizer: &Optimizer, step: u64, learning_rate: f64) -> Self {
        let adam = |[beta1, beta2, eps]: [f64; 3], penalty: f64, shrink: f64| {
            Self::Adam(Adam {
                rate: (learning_rate / (1.0 - power(beta1, step))) as f32,
                fresh1: (1.0 - beta1) as f32,
                beta2: beta2 as f32,
                fresh2: (1.0 - beta2) as f32,
                scale: (1.0 / (1.0 - power(beta2, step)).sqrt()) as f32,
                eps: eps as f32,
                penalty: penalty as f32,
                keep: (1.0 - shrink) as f32,
            })
        };
        match *optimizer {
            Optimizer::Sgd { momentum, nesterov, weight_decay } => Self::Sgd {
                rate: learning_rate as f32,
                penalty: weight_decay as f32,
                momentum: momentum as f32,
                nesterov,
            },
            Optimizer::Adam { beta1, beta2, eps, weight_decay } => {
                adam([beta1, beta2, eps], weight_decay, 0.0)
            }
            Optimizer::AdamW { beta1, beta2, eps, weight_decay } => {
                adam([beta1, beta2, eps], 0.0, learning_rate * weight_decay)
            }
        }
    }

    /// Moves all elements; moments that the rule does not keep are not touched, and the others as long as `parameter`.
    pub(super) fn apply(self, parameter: &mut [f32], gradient: &[f32], [first, second]: [&mut [f32]; 2]) {
        match self {
            Self::Sgd { rate, penalty, momentum, nesterov } if momentum != 0.0 => {
                dispatch!(Isa::current(), |s| update(
                    s,
                    [parameter, first],
                    gradient,
                    #[inline(always)]
                    |g, [p, v]| {
                        let (momentum, g) = (s.splat(momentum), scaled_add(s, penalty, p, g));
                        let v = s.add(s.mul(momentum, v), g);
                        let direction = if nesterov { s.add(s.mul(momentum, v), g) } else { v };
                        [s.sub(p, s.mul(s.splat(rate), direction)), v]
                    }
                ));
            }
            Self::Sgd { rate, penalty, .. } => {
                dispatch!(Isa::current(), |s| update(
                    s,
                    [parameter],
                    gradient,
                    #[inline(always)]
                    |g, [p]| [s.sub(p, s.mul(s.splat(rate), scaled_add(s, penalty, p, g)))]
                ));
            }
            Self::Adam(adam) => {
                dispatch!(Isa::current(), |s| update(
                    s,
                    [parameter, first, second],
                    gradient,
                    #[inline(always)]
                    |g, values| adam.element(s, g, values)
                ));
            }
        }
    }
}

impl Adam {
    /// Weight and moments after the step, for the gradient `g`.
    #[inline(always)]
    fn element<S: Simd>(self, s: S, g: S::F, [p, first, second]: [S::F; 3]) -> [S::F; 3] {
        let g = scaled_add(s, self.penalty, p, g);
        let first = scaled_add(s, self.fresh1, s.sub(g, first), first);
        let second = scaled_add(s, self.beta2, second, s.mul(s.splat(self.fresh2), s.mul(g, g)));
        let denominator = scaled_add(s, self.scale, s.sqrt(second), s.splat(self.eps));
        let direction = s.div(s.mul(s.splat(self.rate), first), denominator);
        [s.sub(s.mul(s.splat(self.keep), p), direction), first, second]
    }
}

/// `share · a + b`, rounded twice, so that every instruction set takes the same step.
#[inline(always)]
fn scaled_add<S: Simd>(s: S, share: f32, a: S::F, b: S::F) -> S::F {
    s.add(s.mul(s.splat(share), a), b)
}

/// Replaces the elements of `values` by `step(gradient, values)`; the slices have the same length.
#[inline(always)]
fn update<S: Simd, const N: usize>(
    s: S,
    mut values: [&mut [f32]; N],
    gradient: &[f32],
    step: impl Fn(S::F, [S::F; N]) -> [S::F; N],
) {
    let whole = gradient.len() / LANES * LANES;
    let rest = whole..gradient.len();
    for slice in &mut values {
        // Where a kept moment is shorter, there is nothing to do rather than undefined behaviour.
        if slice.len() != gradient.len() {
            return;
        }
    }
    for at in (0..whole).step_by(LANES) {
        // SAFETY: `at + 8 <= whole`, which no slice is shorter than.
        unsafe {
            let old = std::array::from_fn(
                #[inline(always)]
                |n| s.load(&*values[n], at),
            );
            let new = step(s.load(gradient, at), old);
            for n in 0..N {
                s.store(new[n], &mut *values[n], at);
            }
        }
    }
    if rest.is_empty() {
        return;
    }
    // The same arithmetic for what does not fill a vector, so that it does not matter where a slice ends.
    let padded = |slice: &[f32]| {
        let mut lanes = [0.0; LANES];
        lanes[..rest.len()].copy_from_slice(&slice[rest.clone()]);
        lanes
    };
    let old: [[f32; LANES]; N] = std::array::from_fn(|n| padded(&*values[n]));
    // SAFETY: eight elements each.
    unsafe {
        let old = std::array::from_fn(
            #[inline(always)]
            |n| s.load(&old[n], 0),
        );
        let new = step(s.load(&padded(gradient), 0), old);
        for n in 0..N {
            let mut lanes = [0.0; LANES];
            s.store(new[n], &mut lanes, 0);
            values[n][rest.clone()].copy_from_slice(&lanes[..rest.len()]);
        }
    }
}

/// `base` to the power `exponent`, by repeated squaring: `f64::powi` may differ from one system to the next.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut product = 1.0;
    loop {
        if exponent % 2 == 1 {
            product *= base;
        }
        exponent /= 2;
        if exponent == 0 {
            return product;
        }
        base *= base;
    }
}
