//! The flags that say how an ONNX file is made.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use taper::export::Normalization;
use taper::export::onnx::{Head, Layout, OpsetVersion, Options, Pixels, Precision, Profile};
use taper::export::quantize::Method;
use taper::pipeline::{Form, Int8Form};

use super::args::at_least_one;

/// How the ONNX file is made.
#[derive(Debug, Args)]
#[command(next_help_heading = "The ONNX file")]
pub(super) struct FormArgs {
    /// Runtimes that must run it: what they lack is refused [default: portable; if a flag is not, onnxruntime]
    #[arg(long, value_name = "NAME", value_parser = profile_names())]
    profile: Option<Profile>,
    /// The operator set, from 12 to 22 [default: 17; for windows-ml 12]
    #[arg(long, value_name = "N", value_parser = opset)]
    opset: Option<OpsetVersion>,
    /// float16 throughout, input and output too: half as large
    #[arg(long, conflicts_with_all = ["half_weights", "int8"])]
    half: bool,
    /// Weights in float16, and all computed in float32: half as large
    #[arg(long, conflicts_with = "int8")]
    half_weights: bool,
    /// Weights and values in int8: a quarter as large; tells the accuracy before and after
    #[arg(long)]
    int8: bool,
    /// How the ranges of values in int8 are chosen [default: min-max]
    #[arg(long, value_name = "METHOD", value_parser = methods(), requires = "int8")]
    calibration: Option<Method>,
    /// Training images that they are chosen on, the first N [default: 500]
    #[arg(long, value_name = "N", value_parser = at_least_one, requires = "int8")]
    calibration_images: Option<usize>,
    /// Images of bytes, as in picture files: `nchw` (channels first) or `nhwc`; the file itself normalises them
    #[arg(long, value_name = "ORDER", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "nchw")]
    uint8_input: Option<LayoutName>,
    /// What the bytes 0 and 255 became in training, for weights of others [default with --uint8-input: 0,1]
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, requires = "model", allow_hyphen_values = true)]
    range: Option<[f32; 2]>,
    /// Answers with probabilities instead of logits
    #[arg(long, conflicts_with = "argmax")]
    softmax: bool,
    /// Answers with the class instead of logits
    #[arg(long)]
    argmax: bool,
    /// Large weights in a file of their own, FILE.onnx.data, as there always is above 2 GB; small ones stay
    #[arg(long)]
    external_data: bool,
    /// The name of the input [default: image]
    #[arg(long, value_name = "NAME")]
    input: Option<String>,
    /// The name of the output [default: logits, probabilities or class]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// A text for its readers
    #[arg(long, value_name = "TEXT")]
    doc: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LayoutName {
    Nchw,
    Nhwc,
}

impl FormArgs {
    /// Whether nothing was asked for.
    pub(super) fn is_plain(&self) -> bool {
        self.form() == Form::default()
    }

    /// Whether it is to be int8.
    pub(super) fn is_int8(&self) -> bool {
        self.int8
    }

    /// Whether large weights are to lie in a file of their own.
    pub(super) fn has_external_data(&self) -> bool {
        self.external_data
    }

    /// Whether the range of images is given, and nothing depends on it.
    pub(super) fn has_idle_range(&self) -> bool {
        self.range.is_some() && self.uint8_input.is_none() && !self.int8
    }

    /// As the library takes them.
    pub(super) fn form(&self) -> Form {
        let default = Int8Form::default();
        let int8 = Int8Form {
            images: self.calibration_images.unwrap_or(default.images),
            method: self.calibration.unwrap_or(default.method),
        };
        let mut form = Form::from(self.options());
        form.normalization = self.normalization();
        if self.int8 { form.int8(int8) } else { form }
    }

    fn normalization(&self) -> Option<Normalization> {
        self.range.map(|range| Normalization { range })
    }

    fn options(&self) -> Options {
        let mut options = self.profile.map_or_else(Options::default, Options::for_profile);
        if let Some(opset) = self.opset {
            options = options.opset(opset);
        }
        let (head, output) = match (self.softmax, self.argmax) {
            (true, _) => (Head::Softmax, "probabilities"),
            (_, true) => (Head::ArgMax, "class"),
            _ => (Head::Logits, "logits"),
        };
        options = options.head(head);
        options.precision = match (self.half, self.half_weights) {
            (true, _) => Precision::Float16,
            (_, true) => Precision::Float16Weights,
            _ => Precision::Float32,
        };
        options.pixels = self.uint8_input.map(|layout| Pixels {
            layout: match layout {
                LayoutName::Nchw => Layout::Nchw,
                LayoutName::Nhwc => Layout::Nhwc,
            },
            normalization: self.normalization().unwrap_or_default(),
        });
        if self.external_data {
            options = options.most_bytes(0);
        }
        let name =
            |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        let input = name(&self.input, &options.input);
        options.names(input, name(&self.output, output)).doc(self.doc.clone().unwrap_or_default())
    }
}

fn profile_names() -> impl TypedValueParser<Value = Profile> {
    let value = |profile: Profile| PossibleValue::new(profile.name()).help(profile.about());
    PossibleValuesParser::new(Profile::ALL.map(value)).try_map(|name| name.parse::<Profile>())
}

fn methods() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name)).try_map(|name| name.parse::<Method>())
}

fn opset(text: &str) -> Result<OpsetVersion, String> {
    let number: Option<i64> = text.parse().ok();
    let version = number.and_then(|number| OpsetVersion::new(number).ok());
    version.ok_or_else(|| "give a number from 12 to 22; 17 is the most portable".to_owned())
}

fn range(text: &str) -> Result<[f32; 2], String> {
    let numbers = text.split_once(',').map(|(low, high)| (low.trim().parse(), high.trim().parse()));
    match numbers {
        Some((Ok(low), Ok(high))) if f32::is_finite(low) && f32::is_finite(high) && low < high => {
            Ok([low, high])
        }
        _ => Err("give two numbers, the lower first, such as -0.4242,2.8215".to_owned()),
    }
}
