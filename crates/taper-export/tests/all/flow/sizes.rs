//! Numbers that follow from sizes: what is a formula only near the sample is refused, or said to be out of reach.

use candle_core::{Result, Tensor};
use taper_export::flow::{Export, Flow, Layer, Model};

use super::check::numbers;

/// `[4, 10]` with a dynamic batch and a dynamic sequence.
fn export() -> Export {
    Export::new("sizes").input("x", &numbers(&[4, 10], 1), &[(0, "N"), (1, "T")])
}

fn message<M: Model>(export: &Export, model: &M) -> String {
    match export.record(model) {
        Ok(_) => "it is exported".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The first elements of a sequence, as many as a function of both sizes says.
struct First(fn(usize, usize) -> usize);
impl Layer for First {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (n, t) = xs.dims2()?;
        xs.narrow(1, 0, (self.0)(n, t))
    }
}

#[test]
fn what_only_seems_a_formula_is_refused() {
    type Count = fn(usize, usize) -> usize;
    let cases: [(&str, Count); 6] = [
        ("an eighth", |_, t| t / 8),
        ("a limit above", |_, t| t.min(20)),
        ("a limit below", |_, t| t.max(2) - 1),
        ("a difference without its sign", |n, t| n.abs_diff(t)),
        ("a condition", |_, t| if t > 22 { 2 } else { 1 }),
        ("the smaller of two", |n, t| n.min(t)),
    ];
    for (name, count) in cases {
        let message = message(&export(), &First(count));
        assert!(message.contains("narrow at") && message.contains("sizes.rs:"), "{name}: {message}");
        assert!(message.contains("Export::between"), "{name}: {message}");
    }
}

#[test]
fn sizes_that_do_not_occur_are_not_asked_about() {
    let first = First(|_, t| t.min(20));
    let exported = export().between("T", 1..=20);
    assert!(exported.verify(&exported.record(&first).unwrap(), &first).unwrap().max_abs_diff < 1e-6);
    // The largest is recorded, however far away.
    assert!(message(&export().between("T", 1..=500), &First(|_, t| t.min(400))).contains("narrow at"));
    // A size below zero, where it is computed with, is none that the model is made for.
    let shorter = First(|_, t| t - 2);
    let file = export().record(&shorter).unwrap();
    assert!(export().verify(&file, &shorter).unwrap().max_abs_diff < 1e-6);
}

/// The way of many decoders: no mask for one token.
struct Masked;
impl Layer for Masked {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        if xs.dim(1)? == 1 { xs.clone() + 1.0 } else { xs.tanh() }
    }
}

#[test]
fn another_path_for_one_token_is_refused_unless_it_does_not_occur() {
    let message = message(&export(), &Masked);
    assert!(message.contains("another path") && message.contains("Export::between"), "{message}");
    let several = export().between("T", 2..=100);
    assert!(several.verify(&several.record(&Masked).unwrap(), &Masked).unwrap().max_abs_diff < 1e-5);
}

struct Squeezed;
impl Layer for Squeezed {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.squeeze(0)
    }
}

#[test]
fn a_dimension_that_may_vanish_is_refused() {
    let message = message(&export(), &Squeezed);
    assert!(message.contains("squeeze at") && message.contains("use `reshape`"), "{message}");
    // Of fixed size it does, or does not.
    for sizes in [[1, 6], [2, 6]] {
        let export = Export::new("fixed").input("x", &numbers(&sizes, 1), &[]);
        assert!(export.verify(&export.record(&Squeezed).unwrap(), &Squeezed).unwrap().images > 0);
    }
}

struct Squares;
impl Layer for Squares {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (_, t) = xs.dims2()?;
        let squares = xs.unsqueeze(2)?.broadcast_mul(&xs.unsqueeze(1)?)?.flatten_all()?;
        squares.narrow(0, 0, t * t)
    }
}

#[test]
fn a_square_is_no_formula_but_where_it_is_all_that_is_left() {
    let message = message(&export(), &Squares);
    assert!(message.contains("narrow at") && message.contains("products of different ones"), "{message}");
}

#[test]
fn bounds_that_cannot_be_are_refused() {
    let cases = [
        (export().between("T", 9..=10), "fewer than three sizes of `T`"),
        (export().between("T", 1..=8), "a sample has size 10 of `T`"),
        (export().between("t", 1..=12), "no input has a size called `t`"),
        (export().multiple("H", 8), "no input has a size called `H`"),
        (export().multiple("T", usize::MAX), "fewer than three sizes of `T`"),
        (export().multiple("T", 1 << 31), "are too large"),
    ];
    for (export, words) in cases {
        let message = message(&export, &First(|_, t| t));
        assert!(message.contains(words), "{message}\nshould say {words}");
    }
}

/// A convolution whose kernel is larger than the smallest size: candle itself would come to a size below zero.
struct Wide(Tensor);
impl Layer for Wide {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.unsqueeze(1)?.conv1d(&F::from(self.0.clone()), 0, 1, 1, 1)
    }
}

#[test]
fn a_kernel_larger_than_the_smallest_size_is_no_fault() {
    let wide = Wide(numbers(&[2, 1, 3], 2));
    assert!(export().verify(&export().record(&wide).unwrap(), &wide).unwrap().max_abs_diff < 1e-5);
    let small = Export::new("small").input("x", &numbers(&[4, 2], 1), &[(0, "N")]);
    let error = small.record(&wide).unwrap_err().to_string();
    assert!(error.contains("conv1d at") && error.contains("too small for a kernel of [2, 1, 3]"), "{error}");
}
