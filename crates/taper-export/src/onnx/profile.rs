//! Which runtimes a file is for, and what they can do.

mod feature;
mod targets;

use std::fmt;
use std::str::FromStr;

use super::model::OpsetVersion;
use super::proto::ModelProto;
pub use feature::Feature;
use targets::{Target, target};

/// Which runtimes a file is for. What they cannot run is refused when the file is made, with the reason.
///
/// What each can do is one table: [`Profile::opsets`], [`Profile::lacks`] and [`Profile::knows`] read it, and the table
/// in `docs/export.md` is written from it.
///
/// ```
/// use taper_export::onnx::{Feature, Profile};
/// let profile: Profile = "windows-ml".parse()?;
/// assert_eq!(profile.opset().opset(), 12);
/// assert!(profile.lacks(Feature::Int8).is_some_and(|reason| reason.contains("13")));
/// # Ok::<(), taper_export::onnx::UnknownProfile>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// What every runtime was found to run that Taper's files were tried in, but candle-onnx, which is not one to ship
    /// with.
    #[default]
    Portable,
    /// ONNX Runtime, native and in the browser.
    OnnxRuntime,
    /// The Windows ML that is part of Windows 10 and 11.
    WindowsMl,
    /// TensorRT.
    TensorRt,
    /// OpenCV's `dnn` module.
    OpenCv,
    /// What candle-onnx 0.11 evaluates: it pads no pool and has no `GlobalAveragePool`.
    Candle,
}

/// Why a profile's runtimes cannot run a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the profile `{profile}` does not take {what}: {reason}; {remedy}")]
#[non_exhaustive]
pub struct ProfileError {
    /// The profile.
    pub profile: Profile,
    /// What it does not take.
    pub what: String,
    /// Why not.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// A word that names no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no profile; choose one of {}", Profile::ALL.map(Profile::name).join(", "))]
pub struct UnknownProfile {
    /// The word.
    pub word: String,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 6] = [
        Profile::Portable,
        Profile::OnnxRuntime,
        Profile::WindowsMl,
        Profile::TensorRt,
        Profile::OpenCv,
        Profile::Candle,
    ];

    /// Its name: `portable`, `onnxruntime`, `windows-ml`, `tensorrt`, `opencv`, `candle`.
    pub fn name(self) -> &'static str {
        target(self).name
    }

    /// Its runtimes, in words.
    pub fn about(self) -> &'static str {
        target(self).about
    }

    /// The oldest and the newest operator set that it takes.
    pub fn opsets(self) -> [i64; 2] {
        target(self).opsets
    }

    /// The operator set to choose for it: 17, or the newest it takes.
    pub fn opset(self) -> OpsetVersion {
        let [_, newest] = self.opsets();
        OpsetVersion::new(newest.min(OpsetVersion::default().opset())).unwrap_or_default()
    }

    /// Why it does not take a file with `feature`; `None` if it does.
    pub fn lacks(self, feature: Feature) -> Option<&'static str> {
        let lacks = target(self).lacks.iter();
        lacks.copied().find(|(lacked, _)| *lacked == feature).map(|(_, reason)| reason)
    }

    /// The only operators that it takes; `None` if it takes all those of its operator sets that Taper writes.
    pub fn knows(self) -> Option<&'static [&'static str]> {
        target(self).ops
    }

    /// Whether the runtimes it is for were tried with Taper's files; if not, the table holds what is known of them.
    pub fn is_tried(self) -> bool {
        target(self).is_tried
    }

    /// The profile of a file for which none was asked: the portable one, or that of ONNX Runtime, and then why the file
    /// is not portable.
    pub fn of(model: &ModelProto) -> (Self, Option<ProfileError>) {
        match Profile::Portable.check(model) {
            Ok(()) => (Profile::Portable, None),
            Err(reason) => (Profile::OnnxRuntime, Some(reason)),
        }
    }

    /// Proves that its runtimes can run a file.
    ///
    /// # Errors
    /// [`ProfileError`]: the first thing they lack.
    ///
    /// ```
    /// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Profile};
    /// let mut graph = GraphBuilder::new("class", OpsetVersion::default());
    /// let dims = [Dim::Symbolic("N".to_owned()), Dim::Fixed(10)];
    /// let x = graph.input("x", DataType::Float32, &dims)?;
    /// let y = graph.node(Node::new("ArgMax", "class").input(&x).int("axis", 1).int("keepdims", 0))?;
    /// graph.output(&y, "y")?;
    /// let model = graph.finish([])?;
    /// Profile::OnnxRuntime.check(model.proto())?;
    /// assert!(Profile::OpenCv.check(model.proto()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(self, model: &ModelProto) -> Result<(), ProfileError> {
        let refuse = |what: String, reason: &str, remedy: String| {
            Err(ProfileError { profile: self, what, reason: reason.to_owned(), remedy })
        };
        let Target { opsets: [oldest, newest], why_opsets, ops, .. } = *target(self);
        let opset = model.opset_import.first().map_or(0, |set| set.version);
        if !(oldest..=newest).contains(&opset) {
            let remedy = match oldest == newest {
                true => format!("choose operator set {oldest}"),
                false => format!("choose an operator set from {oldest} to {newest}"),
            };
            return refuse(format!("operator set {opset}"), why_opsets, remedy);
        }
        Feature::of(model).into_iter().try_for_each(|feature| self.check_feature(feature))?;
        let nodes = model.graph.iter().flat_map(|graph| &graph.node);
        match ops.and_then(|ops| nodes.into_iter().find(|node| !ops.contains(&node.op_type.as_str()))) {
            Some(node) => refuse(
                format!("node `{}`", node.name),
                &format!("its runtimes have no {}", node.op_type),
                "write it with other operators".to_owned(),
            ),
            None => Ok(()),
        }
    }
}

impl Profile {
    /// Proves that its runtimes can run a file with `feature`.
    pub(crate) fn check_feature(self, feature: Feature) -> Result<(), ProfileError> {
        let Some(reason) = self.lacks(feature) else { return Ok(()) };
        let remedy = "leave it out, or choose another profile".to_owned();
        Err(ProfileError { profile: self, what: feature.to_string(), reason: reason.to_owned(), remedy })
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(word: &str) -> Result<Self, UnknownProfile> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == word);
        known.ok_or_else(|| UnknownProfile { word: word.to_owned() })
    }
}
