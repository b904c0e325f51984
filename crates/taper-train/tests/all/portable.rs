//! Plain Rust gives the same bits on every processor.

use std::process::Command;

use taper_data::Augment;
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op};
use taper_model::Model;
use taper_train::{Control, FitConfig, Optimizer, Schedule, fit};

use crate::bars::{bars, config};

/// Set in the process that [`plain_rust_trains_to_the_bits_of_every_machine`] starts, which computes in plain Rust.
const INSIDE: &str = "TAPER_TEST_PORTABLE";

/// What the history and the weights hash to, on x86-64 and on AArch64.
const BITS: &str = "7ec7ad50b1c296e5";

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

/// Every kind of arithmetic: both ways to convolve, batch norm, functions with exponentials, both pools, a sum, dropout.
fn graph() -> Graph {
    let mut graph = Graph::new("portable", &[1, 8, 8]).unwrap();
    let mut value = graph.input();
    let chain = [
        ("conv1", Op::Conv2d(Conv2d::new(11, 3).padding(1))),
        ("norm", Op::BatchNorm2d(BatchNorm2d::default())),
        ("gelu", Op::Gelu),
        ("conv2", Op::Conv2d(Conv2d::new(11, 2).stride(2))),
        ("silu", Op::Silu),
    ];
    for (name, op) in chain {
        value = graph.wire(name, op, &[value]).unwrap();
    }
    let conv = graph.wire("conv3", Op::Conv2d(Conv2d::new(11, 3).padding(1)), &[value]).unwrap();
    let tanh = graph.wire("tanh", Op::Tanh, &[conv]).unwrap();
    value = graph.wire("sum", Op::Add, &[value, tanh]).unwrap();
    let rest = [
        ("conv4", Op::Conv2d(Conv2d::new(9, 3).padding(1))),
        ("relu", Op::Relu),
        ("pool", Op::MaxPool2d(MaxPool2d::new(2))),
        ("dropout", Op::dropout(0.2)),
        ("mean", Op::AvgPool2d(AvgPool2d::new(2))),
        ("flatten", Op::Flatten),
        ("linear", Op::Linear(Linear::new(4))),
    ];
    for (name, op) in rest {
        value = graph.wire(name, op, &[value]).unwrap();
    }
    graph
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
    let fitted = fit(Model::new(graph(), 1).unwrap(), &bars(200, 1), &bars(80, 2), &config, &mut |_| {
        Control::Continue
    })
    .unwrap();
    let mut bits = 0xcbf2_9ce4_8422_2325u64; // FNV-1a
    let weights = fitted.model.weights().unwrap();
    let numbers = weights.iter().flat_map(|(_, array)| &array.data).flat_map(|number| number.to_le_bytes());
    for byte in fitted.history.to_csv().into_bytes().into_iter().chain(numbers) {
        bits = (bits ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    assert_eq!(format!("{bits:016x}"), BITS);
}
