//! Plain Rust gives the same bits on every processor.

use std::process::Command;

use taper_data::Augment;
use taper_train::{Control, FitConfig, Optimizer, Schedule, fit};

use crate::bars::{bars, config, model};

/// Set in the process that [`plain_rust_trains_to_the_bits_of_every_machine`] starts, which computes in plain Rust.
const INSIDE: &str = "TAPER_TEST_PORTABLE";

/// What the history and the weights hash to, on x86-64 and on AArch64.
const BITS: &str = "eb40498fe67111bd";

#[test]
fn plain_rust_trains_to_the_bits_of_every_machine() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    // The instruction set is chosen once in a process, so this needs one of its own.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "portable::plain_rust_trains_to_the_bits_of_every_machine", "--nocapture"]);
    let output = command.env(INSIDE, "1").env("TAPER_ISA", "portable").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn inside() {
    let config = FitConfig {
        optimizer: Optimizer::adamw(),
        schedule: Schedule::OneCycle,
        label_smoothing: 0.1,
        clip_norm: Some(1.0),
        ema_decay: Some(0.9),
        augment: Augment { rotation: 10.0, shear: 5.0, elastic: 0.5, ..Augment::default() },
        ..config(3)
    };
    let fitted = fit(model(0.3), &bars(200, 1), &bars(80, 2), &config, &mut |_| Control::Continue).unwrap();
    let mut bits = 0xcbf2_9ce4_8422_2325u64; // FNV-1a
    let weights = fitted.model.weights().unwrap();
    let numbers = weights.iter().flat_map(|(_, array)| &array.data).flat_map(|number| number.to_le_bytes());
    for byte in fitted.history.to_csv().into_bytes().into_iter().chain(numbers) {
        bits = (bits ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    assert_eq!(format!("{bits:016x}"), BITS);
}
