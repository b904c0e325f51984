//! The networks that come with Taper.

use taper_graph::{Graph, Preset, thousands};

#[test]
fn the_tutorial_is_the_reference_cnn() {
    let graph = Preset::Tutorial.graph().unwrap();
    assert_eq!(graph.input_shape().to_string(), "[N, 1, 28, 28]");
    assert_eq!(graph.output_shape().to_string(), "[N, 10]");
    let expected: [(&str, &[usize]); 10] = [
        ("layer1.0.weight", &[32, 1, 3, 3]),
        ("layer1.0.bias", &[32]),
        ("layer2.0.weight", &[64, 32, 3, 3]),
        ("layer2.0.bias", &[64]),
        ("layer3.0.weight", &[128, 64, 3, 3]),
        ("layer3.0.bias", &[128]),
        ("fc1.weight", &[625, 2048]),
        ("fc1.bias", &[625]),
        ("fc2.weight", &[10, 625]),
        ("fc2.bias", &[10]),
    ];
    let found: Vec<(String, Vec<usize>)> =
        graph.params().map(|named| (named.name, named.param.shape.clone())).collect();
    let expected: Vec<(String, Vec<usize>)> =
        expected.iter().map(|(name, sizes)| ((*name).to_owned(), sizes.to_vec())).collect();
    assert_eq!(found, expected);
    assert_eq!(graph.parameter_count(), 1_379_557);
    // Output pixels × taps × channels of the convolutions, then inputs × outputs of the linear layers.
    let macs = [28 * 28 * 32 * 9, 14 * 14 * 64 * 32 * 9, 7 * 7 * 128 * 64 * 9, 2048 * 625, 625 * 10];
    assert_eq!(macs, [225_792, 3_612_672, 3_612_672, 1_280_000, 6_250]);
    let found: Vec<u64> = graph.nodes().iter().map(|node| node.macs).filter(|&macs| macs > 0).collect();
    assert_eq!(found, macs);
    assert_eq!(graph.macs(), 8_737_386);
}

#[test]
fn the_summary_of_the_tutorial() {
    let expected = "\
Layer     Op          Output shape     Parameters  Multiply-adds
────────────────────────────────────────────────────────────────
input                 [N, 1, 28, 28]
layer1.0  conv2d      [N, 32, 28, 28]         320        225,792
layer1.1  relu        [N, 32, 28, 28]
layer1.2  max_pool2d  [N, 32, 14, 14]
layer1.3  dropout     [N, 32, 14, 14]
layer2.0  conv2d      [N, 64, 14, 14]      18,496      3,612,672
layer2.1  relu        [N, 64, 14, 14]
layer2.2  max_pool2d  [N, 64, 7, 7]
layer2.3  dropout     [N, 64, 7, 7]
layer3.0  conv2d      [N, 128, 7, 7]       73,856      3,612,672
layer3.1  relu        [N, 128, 7, 7]
layer3.2  max_pool2d  [N, 128, 4, 4]
layer3.3  dropout     [N, 128, 4, 4]
flatten   flatten     [N, 2048]
fc1       linear      [N, 625]          1,280,625      1,280,000
relu      relu        [N, 625]
dropout   dropout     [N, 625]
fc2       linear      [N, 10]               6,260          6,250
────────────────────────────────────────────────────────────────
tutorial: 1,379,557 parameters (5.5 MB as f32)
8,737,386 multiply-adds for one image";
    assert_eq!(Preset::Tutorial.graph().unwrap().summary().to_string(), expected);
}

#[test]
fn every_preset_is_a_digit_classifier_that_survives_its_own_file() {
    for preset in Preset::ALL {
        let graph = preset.graph().unwrap();
        assert_eq!(graph.name(), preset.name());
        assert_eq!(graph.input_shape().item(), [1, 28, 28], "{preset}");
        assert_eq!(graph.output_shape().item(), [10], "{preset}");
        assert_eq!(Graph::from_toml(&graph.to_toml()), Ok(graph), "{preset}");
        assert_eq!(preset.name().parse(), Ok(preset));
        assert_eq!(preset.to_string(), preset.name());
    }
    assert_eq!(Preset::default(), Preset::Tutorial);
    assert_eq!(Preset::LeNet5.graph().unwrap().parameter_count(), 61_706);
}

#[test]
fn an_unknown_preset_is_answered_with_the_known_ones() {
    let error = "resnet50".parse::<Preset>().unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no preset `resnet50`; use one of tutorial, lenet5, residual, or the path of a .toml file"
    );
}

#[test]
fn thousands_are_separated() {
    let rows = [(0, "0"), (7, "7"), (999, "999"), (1000, "1,000"), (1_379_557, "1,379,557")];
    for (count, text) in rows {
        assert_eq!(thousands(count), text);
    }
    assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
}
