//! Whole networks as candle users write them, exported with a dynamic batch (and a dynamic length or size where they
//! have one), and run by others.

#[path = "networks/bert.rs"]
mod bert;
#[path = "networks/conformer.rs"]
mod conformer;
#[path = "networks/convnext.rs"]
mod convnext;
#[path = "networks/gpt.rs"]
mod gpt;
#[path = "networks/lenet.rs"]
mod lenet;
#[path = "networks/mobilenet.rs"]
mod mobilenet;
#[path = "networks/recurrent.rs"]
mod recurrent;
#[path = "networks/resnet.rs"]
mod resnet;
#[path = "networks/unet.rs"]
mod unet;
#[path = "networks/vgg.rs"]
mod vgg;
#[path = "networks/vit.rs"]
mod vit;
#[path = "networks/wavenet.rs"]
mod wavenet;

use candle_core::Result;
use candle_nn::VarBuilder;
use taper_export::flow::Model;

use crate::flow::check::{Sample, check};

/// Exports the network that `make` builds, and compares. `in_candle` says whether candle-onnx has all its ops.
fn agrees<M: Model>(
    name: &str,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
    in_candle: bool,
) {
    let agreement = check(name, make, samples).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(agreement.rten > 0.0 && agreement.rten <= 1e-4, "{name}: {agreement:?}");
    assert_eq!(agreement.candle, in_candle, "{name}");
}
