//! Every method and layer, exported and compared.

use candle_core::Result;
use candle_nn::VarBuilder;
use taper_export::flow::Model;

use super::check::{Agreement, Sample, check, numbers};

/// What became of a case. Its name is that of the method, with `__` before what is special about the case.
pub(crate) struct Outcome<T> {
    pub(crate) name: &'static str,
    /// As it stands here.
    pub(crate) code: &'static str,
    pub(crate) result: std::result::Result<T, String>,
}

/// What is done with every case.
pub(crate) trait Visit {
    type Made;
    fn visit<M: Model>(
        &self,
        name: &str,
        make: impl Fn(VarBuilder<'static>) -> Result<M>,
        samples: &[Sample],
    ) -> std::result::Result<Self::Made, String>;
}

/// Makes of every case a model, and of all a function that visits them.
macro_rules! cases {
    ($all:ident: $($name:ident($($input:expr),*) |$vb:ident, $($x:ident),*| $body:expr;)*) => {
        pub(super) fn $all<V: Visit>(visit: &V) -> Vec<Outcome<V::Made>> {
            vec![$({
                struct Case(VarBuilder<'static>);
                impl Model for Case {
                    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
                        let $vb = &self.0;
                        let [$($x),*] = inputs else { panic!("inputs") };
                        Ok(vec![$body?])
                    }
                }
                let (name, code) = (stringify!($name), stringify!($body));
                Outcome { name, code, result: visit.visit(name, |vb| Ok(Case(vb)), &[$($input),*]) }
            }),*]
        }
    };
}

#[path = "cases/arrangements.rs"]
mod arrangements;
#[path = "cases/elementwise.rs"]
mod elementwise;
#[path = "cases/layers.rs"]
mod layers;
#[path = "cases/reductions.rs"]
mod reductions;

fn features(seed: u64) -> Sample {
    Sample::batch(numbers(&[4, 6], seed))
}

fn image() -> Sample {
    Sample::batch(numbers(&[4, 4, 6, 8], 1))
}

fn signal() -> Sample {
    Sample::batch(numbers(&[4, 4, 9], 2))
}

fn tokens() -> Sample {
    Sample::sequence(numbers(&[4, 5, 8], 3))
}

fn row() -> Sample {
    Sample::fixed(numbers(&[6], 4))
}

/// Visits all cases, in families.
pub(crate) fn visit<V: Visit>(with: &V) -> Vec<(&'static str, Vec<Outcome<V::Made>>)> {
    vec![
        ("Element by element", elementwise::all(with)),
        ("Reductions and products", reductions::reductions(with)),
        ("Shapes, parts and joins", arrangements::all(with)),
        ("Images and signals", reductions::windows(with)),
        ("Layers", layers::layers(with)),
        ("Activations", layers::activations(with)),
    ]
}

struct Check;

impl Visit for Check {
    type Made = Agreement;
    fn visit<M: Model>(
        &self,
        name: &str,
        make: impl Fn(VarBuilder<'static>) -> Result<M>,
        samples: &[Sample],
    ) -> std::result::Result<Agreement, String> {
        check(name, make, samples)
    }
}

#[test]
fn every_method_and_layer_agrees() {
    let all: Vec<Outcome<Agreement>> = visit(&Check).into_iter().flat_map(|(_, outcomes)| outcomes).collect();
    let failure = |case: &Outcome<Agreement>| Some(format!("{}: {}", case.name, case.result.as_ref().err()?));
    let failures: Vec<String> = all.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), all.len(), failures.join("\n"));
    let agreements = || all.iter().filter_map(|case| case.result.as_ref().ok());
    let worst = agreements().fold(0.0, |most: f64, agreement| most.max(agreement.rten));
    assert!(worst < 1e-4 && worst > 0.0, "{worst}");
    // The others use ops that candle-onnx 0.11 does not have.
    let in_candle = agreements().filter(|agreement| agreement.candle).count();
    assert_eq!((all.len(), in_candle), (207, 171));
}
