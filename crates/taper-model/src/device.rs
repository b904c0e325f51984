//! The kinds of devices that train.

use std::fmt;
use std::str::FromStr;

use candle_core::{Device, utils};

use crate::error::ModelError;
use crate::model::Model;

/// A kind of device.
///
/// ```
/// use taper_model::DeviceKind;
/// assert_eq!("cuda".parse(), Ok(DeviceKind::Cuda));
/// assert_eq!("tpu".parse::<DeviceKind>(), Err("there is no device `tpu`; give cpu, cuda or metal".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor, with Taper's kernels.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, through candle; needs the feature `cuda`.
    Cuda,
    /// Apple's GPU, through candle; needs the feature `metal`.
    Metal,
}

impl DeviceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::Metal];

    /// Its name on the command line and in `config.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    /// Proves that it is built in.
    ///
    /// # Errors
    /// [`ModelError::DeviceNotBuilt`], which says how to build it.
    pub fn check(self) -> Result<(), ModelError> {
        let is_built = match self {
            Self::Cpu => true,
            Self::Cuda => utils::cuda_is_available(),
            Self::Metal => utils::metal_is_available(),
        };
        if is_built { Ok(()) } else { Err(ModelError::DeviceNotBuilt { device: self }) }
    }

    /// Candle's first device of this kind.
    ///
    /// # Errors
    /// As [`DeviceKind::check`]; [`ModelError::NoDevice`] where the machine has none.
    pub fn open(self) -> Result<Device, ModelError> {
        self.check()?;
        let opened = match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0),
            Self::Metal => Device::new_metal(0),
        };
        opened.map_err(|cause| ModelError::NoDevice { device: self, cause })
    }
}

impl Model {
    /// The model on a device of this kind: on the CPU as it is, elsewhere as by [`Model::on_candle`].
    ///
    /// # Errors
    /// As [`DeviceKind::open`] and [`Model::on_candle`].
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_model::{DeviceKind, Model};
    /// let model = Model::new(Preset::LeNet5.graph()?, 0)?.on(DeviceKind::Cpu)?;
    /// assert!(!model.is_on_candle());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on(self, kind: DeviceKind) -> Result<Self, ModelError> {
        match kind {
            DeviceKind::Cpu => Ok(self),
            kind => self.on_candle(&kind.open()?),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeviceKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("there is no device `{name}`; give cpu, cuda or metal"))
    }
}
