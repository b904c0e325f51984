//! A bad `TAPER_ISA` is an error on every way to the kernels.

use std::process::Command;

use candle_core::{Device, Tensor, Var};
use candle_nn::Optimizer as _;
use taper_graph::{Activation, Conv2d, MaxPool2d, Preset};
use taper_model::layers::{UpdateRule, VarOptimizer};
use taper_model::{Model, Optimizer, Plan, ops};

/// Set in the process that [`a_bad_name_is_an_error_everywhere`] starts, which has the bad name.
const INSIDE: &str = "TAPER_TEST_BAD_ISA";

#[test]
fn a_bad_name_is_an_error_everywhere() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    // The variable is read once in a process, so this needs one of its own.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "isa::a_bad_name_is_an_error_everywhere", "--nocapture"]);
    let output = command.env(INSIDE, "1").env("TAPER_ISA", "mmx").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn inside() {
    let image = Tensor::ones((1, 1, 4, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let weight = image.narrow(2, 0, 3).unwrap().narrow(3, 0, 3).unwrap();
    let row = image.reshape((1, 16)).unwrap();
    let conv = Conv2d::new(1, 3);
    let graph = Preset::LeNet5.graph().unwrap();
    let said = |error: &dyn std::fmt::Display| Some(error.to_string());
    let rule = UpdateRule { optimizer: Optimizer::adam(), learning_rate: 1e-3 };
    let variable = Var::from_tensor(&row).unwrap();
    let found = [
        ("training", Plan::training(&graph).err().and_then(|error| said(&error))),
        ("inference", Plan::inference(&graph).err().and_then(|error| said(&error))),
        ("logits", Model::new(graph, 1).unwrap().logits(&[0.0; 784]).err().and_then(|error| said(&error))),
        ("conv2d", ops::conv2d(&image, &weight, None, &conv).err().and_then(|error| said(&error))),
        ("linear", ops::linear(&row, &row, None).err().and_then(|error| said(&error))),
        ("relu", ops::activation(&row, Activation::Relu).err().and_then(|error| said(&error))),
        ("max pool", ops::max_pool2d(&image, &MaxPool2d::new(2)).err().and_then(|error| said(&error))),
        ("softmax", ops::softmax(&row).err().and_then(|error| said(&error))),
        ("loss", ops::cross_entropy(&row, &[3], 0.0).err().and_then(|error| said(&error))),
        ("optimiser", VarOptimizer::new(vec![variable], rule).err().and_then(|error| said(&error))),
    ];
    for (what, said) in found {
        let said = said.unwrap_or_else(|| panic!("{what} ran on another instruction set"));
        assert!(said.contains("TAPER_ISA is `mmx`"), "{what}: {said}");
    }
}
