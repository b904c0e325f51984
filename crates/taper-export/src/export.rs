//! Lower, verify, and only then write.

use std::path::{Path, PathBuf};

use taper_files::WriteError;
use taper_graph::{Graph, Weights};

use crate::expect::{Expected, given};
use crate::onnx::external::Split;
use crate::onnx::{Feature, LowerError, OnnxModel, Options, Profile, ProfileError, Staged, lower};
use crate::quantize::{self, Method, QuantizeError, calibrate, quantize};
use crate::verify::{Files, Interface, Sample, Verification, VerifyError, agreement_of_files};

/// Why a network was not exported; no file was written or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It has no ONNX form.
    #[error("cannot export {}: {cause}", path.display())]
    Lower {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: LowerError,
    },
    /// It has no form in int8.
    #[error("cannot export {} in int8: {cause}", path.display())]
    Quantize {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: QuantizeError,
    },
    /// Its file was not verified.
    #[error("{} is not written: {cause}", path.display())]
    Verify {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: VerifyError,
    },
    /// The disk refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// An exported file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exported {
    /// The version of the operator set.
    pub opset: i64,
    /// The version of the file format.
    pub ir_version: i64,
    /// The runtimes it is for: those asked for, else all, or ONNX Runtime if not all have what it needs.
    pub profile: Profile,
    /// What not all runtimes have, if no profile was asked for and the file is not portable.
    pub not_portable: Option<ProfileError>,
    /// The size of the file, and of the one beside it with its large constants, if there is one.
    pub bytes: usize,
    /// The proof that it computes what the trained model computes.
    pub verification: Verification,
    /// What becomes of it in int8, if it is.
    pub int8: Option<Int8>,
}

/// A file in int8 beside the network.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Int8 {
    /// The size of the float32 file that it was made from.
    pub float_bytes: usize,
    /// The mean absolute difference of all numbers answered from the network's: of logits, unless the file ends
    /// otherwise.
    pub mean_abs_diff: f64,
    /// The share of images, from 0 to 1, for which file and network name the same class; with one output, answer nearly
    /// the same, as [`Agreement::classes`](crate::Agreement::classes) says.
    pub agreement: f64,
    /// The class that the file names for each image.
    pub classes: Vec<usize>,
}

/// What a file in int8 is calibrated on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration<'a> {
    /// The number of images.
    pub count: usize,
    /// The images, as the network takes them, `[N, C, H, W]` in row-major order.
    pub images: &'a [f32],
    /// How the ranges of values are chosen.
    pub method: Method,
}

/// What is told of a file beside its proof and its size: the file itself need not stay in memory for that.
pub(crate) struct Form {
    opset: i64,
    ir_version: i64,
    profile: Profile,
    not_portable: Option<ProfileError>,
}

impl Form {
    /// That of `model`, written to `path` in files of `most` bytes, for which the profile `asked` was asked, if any.
    pub(crate) fn of(
        model: &OnnxModel,
        path: &Path,
        most: usize,
        asked: Option<Profile>,
    ) -> Result<Self, WriteError> {
        let (opset, ir_version) = (model.opset(), model.proto().ir_version);
        let split = Split::of(model, path, most)?;
        let proto = split.as_ref().map_or(model.proto(), |split| &split.proto);
        let (profile, not_portable) = asked.map_or_else(|| Profile::of(proto), |it| (it, None));
        Ok(Self { opset, ir_version, profile, not_portable })
    }

    /// The file of `bytes` that was verified.
    pub(crate) fn exported(self, bytes: usize, verification: Verification) -> Exported {
        let Self { opset, ir_version, profile, not_portable } = self;
        Exported { opset, ir_version, profile, not_portable, bytes, verification, int8: None }
    }
}

/// Writes `graph` with `weights` to `path` as a verified ONNX file: it is written beside its place, loaded from there in an
/// independent runtime, run on `sample`, and moved into its place, whole or not at all, only if every logit agrees within
/// [`TOLERANCE`](crate::TOLERANCE), in float16 within 1e-2 of the greatest. A class must be one whose logit is the greatest
/// within twice that.
///
/// At no moment is the file in memory more than once: a file of 1 GB takes 1 GB beside `weights`.
///
/// `sample` is always what the network itself takes and answers. Where `options` ask for bytes, probabilities or
/// classes, those that go with it are worked out.
///
/// # Errors
/// [`ExportError`] naming the file; an earlier file at `path` stays as it was.
pub fn export(
    path: &Path,
    graph: &Graph,
    weights: &Weights,
    options: &Options,
    sample: &Sample<'_>,
) -> Result<Exported, ExportError> {
    let path_of = || path.to_owned();
    let model =
        lower(graph, weights, options).map_err(|cause| ExportError::Lower { path: path_of(), cause })?;
    check_files(&model, path, options)?;
    let refused = |cause| ExportError::Verify { path: path_of(), cause };
    let expected = Expected::new(sample, graph.input_shape(), options).map_err(refused)?;
    let (staged, files, form) = staged(model, path, options)?;
    let verification = expected.verify(&files).map_err(refused)?;
    Ok(form.exported(staged.publish()?, verification))
}

/// Writes `graph` with `weights` to `path` in int8, as [`quantize`](crate::quantize) says, with ranges of values from
/// running it on the images of `calibration`.
///
/// The file is run in an independent runtime on `sample` before it is written, like any other. It answers otherwise by
/// more than rounding, so it is not held to a tolerance but must name the network's class for 19 images of 20. How often
/// it does, and what it names, is in [`Exported::int8`].
///
/// # Errors
/// [`ExportError`] naming the file; an earlier file at `path` stays as it was.
pub fn export_int8(
    path: &Path,
    graph: &Graph,
    weights: &Weights,
    options: &Options,
    calibration: &Calibration<'_>,
    sample: &Sample<'_>,
) -> Result<Exported, ExportError> {
    let path_of = || path.to_owned();
    let lowering = |cause: LowerError| ExportError::Lower { path: path_of(), cause };
    let quantizing = |cause| ExportError::Quantize { path: path_of(), cause };
    let refused = |cause| ExportError::Verify { path: path_of(), cause };
    // What cannot be had is said before the long part, the calibration. That a profile has no int8 comes first of all: it
    // may have no operator set for it either.
    if let Some(profile) = options.profile {
        profile.check_feature(Feature::Int8).map_err(|cause| lowering(cause.into()))?;
    }
    let float = lower(graph, weights, options).map_err(lowering)?;
    quantize::check(&float).map_err(quantizing)?;
    let Calibration { count, images, method } = *calibration;
    let images = given(images, count, graph.input_shape(), options).map_err(refused)?;
    let ranges = calibrate(&float, &images, count, method).map_err(quantizing)?;
    let model = quantize(&float, &ranges).map_err(quantizing)?;
    if let Some(profile) = options.profile {
        profile.check(model.proto()).map_err(|cause| lowering(cause.into()))?;
    }
    check_files(&model, path, options)?;
    let expected = Expected::new(sample, graph.input_shape(), options).map_err(refused)?;
    let float_bytes = float.encoded_len();
    drop(float);
    let (staged, files, form) = staged(model, path, options)?;
    let found = agreement_of_files(&files, &expected.sample()).map_err(refused)?;
    let int8 = Int8 {
        float_bytes,
        mean_abs_diff: found.mean_abs_diff,
        agreement: found.classes,
        classes: found.named,
    };
    Ok(Exported { int8: Some(int8), ..form.exported(staged.publish()?, found.verification) })
}

/// Writes `model` beside its place: what the runtime then loads is the file itself, and no other copy of it is left.
fn staged(
    model: OnnxModel,
    path: &Path,
    options: &Options,
) -> Result<(Staged, Files<'static>, Form), ExportError> {
    let interface =
        Interface::of_model(&model).map_err(|cause| ExportError::Verify { path: path.to_owned(), cause })?;
    let staged = model.stage(path, options.most_bytes)?;
    let files = Files::at(staged.model(), interface);
    Ok((staged, files, Form::of(&model, path, options.most_bytes, options.profile)?))
}

/// Proves that the profile asked for takes as many files as are written.
fn check_files(model: &OnnxModel, path: &Path, options: &Options) -> Result<(), ExportError> {
    let refused = |cause: ProfileError| ExportError::Lower { path: path.to_owned(), cause: cause.into() };
    match (options.profile, Split::of(model, path, options.most_bytes)?) {
        (Some(profile), Some(split)) => profile.check(&split.proto).map_err(refused),
        _ => Ok(()),
    }
}
