//! The device that candle is tested on; the tests of `taper-train` read this file, too.

use taper_model::DeviceKind;

/// The CPU, or what `TAPER_TEST_DEVICE` says.
pub(crate) fn kind() -> DeviceKind {
    std::env::var("TAPER_TEST_DEVICE").map_or(DeviceKind::Cpu, |name| name.parse().unwrap())
}
