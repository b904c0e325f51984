//! Every way in which an op can refuse its inputs: the message names node, op and shapes, and says what would fit.

use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op};

use crate::support::assert_rows;

/// What refuses `op` on a graph's input of the given sizes, and on `others`, each made from that input.
fn refusal(input: &[usize], others: &[Op], op: Op) -> String {
    let mut graph = Graph::new("net", input).unwrap();
    let mut inputs = vec![graph.input()];
    for (number, other) in others.iter().enumerate() {
        let value = graph.wire(format!("other{number}"), other.clone(), &[graph.input()]).unwrap();
        inputs.push(value);
    }
    let nodes = graph.nodes().len();
    let error = graph.wire("layer", op, &inputs).map(|id| graph.shape(id).to_string());
    assert_eq!(graph.nodes().len(), nodes + usize::from(error.is_ok()), "a refused node was kept");
    error.map_or_else(|error| error.to_string(), |shape| format!("accepted: {shape}"))
}

fn check(rows: &[(&[usize], Op, &str)]) {
    let row = |(input, op, expected): &(&[usize], Op, &str)| {
        let message = format!("node `layer` ({}): {expected}", op.name());
        (format!("{op:?} on {input:?}"), refusal(input, &[], op.clone()), message)
    };
    assert_rows(&rows.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn windows_that_do_not_fit() {
    let image: &[usize] = &[4, 9, 7];
    let conv = |kernel| Conv2d::new(8, kernel);
    let on = "on its input [N, 4, 9, 7], along the";
    let rows = [
        (
            Op::Conv2d(conv(8)),
            format!(
                "{on} width: a kernel of 8 with dilation 1 spans 8 elements, but the input has 7 and, with \
                     padding 0 on both sides, 7; use a kernel of at most 7, or padding of at least 1"
            ),
        ),
        (
            Op::Conv2d(Conv2d { dilation: [5, 1], ..conv(3) }),
            format!(
                "{on} height: a kernel of 3 with dilation 5 spans 11 elements, but the input has 9 and, with \
                     padding 0 on both sides, 9; use a kernel of at most 2, or dilation of at most 4, or padding of \
                     at least 1"
            ),
        ),
        (
            Op::MaxPool2d(MaxPool2d::new(12).padding(1)),
            format!(
                "{on} height: a kernel of 12 with dilation 1 spans 12 elements, but the input has 9 and, with \
                     padding 1 on both sides, 11; use a kernel of at most 11, or padding of at least 2"
            ),
        ),
        (
            // Pooling may not pad by more than half its kernel, so that more padding is no way out here.
            Op::MaxPool2d(MaxPool2d { dilation: [8, 1], ..MaxPool2d::new(3) }),
            format!(
                "{on} height: a kernel of 3 with dilation 8 spans 17 elements, but the input has 9 and, with \
                     padding 0 on both sides, 9; use a kernel of at most 2, or dilation of at most 4"
            ),
        ),
        (
            Op::MaxPool2d(MaxPool2d::new(3).padding(2)),
            format!("{on} height: padding 2 is more than half of the pooling kernel's 3; use at most 1"),
        ),
        (
            Op::MaxPool2d(MaxPool2d { dilation: [2, 2], ..MaxPool2d::new(3).padding(2) }),
            format!("{on} height: padding 2 is more than half of the pooling kernel's 3; use at most 1"),
        ),
        (
            Op::AvgPool2d(AvgPool2d::new(2).padding(2)),
            format!("{on} height: padding 2 is more than half of the pooling kernel's 2; use at most 1"),
        ),
        (Op::Conv2d(conv(0)), format!("{on} height: kernel is 0; use at least 1")),
        (
            Op::Conv2d(Conv2d { kernel: [3, 0], ..conv(3) }),
            format!("{on} width: kernel is 0; use at least 1"),
        ),
        (Op::Conv2d(conv(3).stride(0)), format!("{on} height: stride is 0; use at least 1")),
        (
            Op::Conv2d(Conv2d { dilation: [1, 0], ..conv(3) }),
            format!("{on} width: dilation is 0; use at least 1"),
        ),
        (Op::MaxPool2d(MaxPool2d::new(0)), format!("{on} height: kernel is 0; use at least 1")),
        (Op::MaxPool2d(MaxPool2d::new(2).stride(0)), format!("{on} height: stride is 0; use at least 1")),
        (Op::AvgPool2d(AvgPool2d::new(0)), format!("{on} height: kernel is 0; use at least 1")),
        (Op::AvgPool2d(AvgPool2d::new(2).stride(0)), format!("{on} height: stride is 0; use at least 1")),
        (
            Op::Conv2d(conv(3).stride(usize::MAX)),
            format!("{on} height: stride is 18446744073709551615, which is too large; use at most 536870912"),
        ),
        (
            Op::Conv2d(conv(3).padding(usize::MAX)),
            format!(
                "{on} height: padding is 18446744073709551615, which is too large; use at most 536870912"
            ),
        ),
        (
            Op::Conv2d(conv(usize::MAX)),
            format!("{on} height: kernel is 18446744073709551615, which is too large; use at most 536870912"),
        ),
    ];
    let rows: Vec<(&[usize], Op, &str)> =
        rows.iter().map(|(op, text)| (image, op.clone(), &text[..])).collect();
    check(&rows);
}

#[test]
fn settings_out_of_range() {
    let image: &[usize] = &[4, 9, 7];
    let conv = Conv2d::new(6, 3);
    let norm = BatchNorm2d::default();
    let probability = "use a probability from 0 up to, but not including, 1";
    check(&[
        (image, Op::Conv2d(Conv2d { out_channels: 0, ..conv.clone() }), "out_channels is 0; use at least 1"),
        (image, Op::Conv2d(Conv2d { groups: 0, ..conv.clone() }), "groups is 0; use at least 1"),
        (
            image,
            Op::Conv2d(Conv2d { groups: 3, ..conv.clone() }),
            "4 input and 6 output channels cannot both be divided into 3 groups; use 1, or 2",
        ),
        (
            image,
            Op::Conv2d(Conv2d { groups: 4, ..conv.clone() }),
            "4 input and 6 output channels cannot both be divided into 4 groups; use 1, or 2",
        ),
        (&[12], Op::Linear(Linear::new(0)), "out_features is 0; use at least 1"),
        (image, Op::dropout(1.0), &format!("p is 1; {probability}")),
        (image, Op::dropout(-0.1), &format!("p is -0.1; {probability}")),
        (image, Op::dropout(f32::NAN), &format!("p is NaN; {probability}")),
        (
            image,
            Op::BatchNorm2d(BatchNorm2d { eps: 0.0, ..norm.clone() }),
            "eps is 0; use a small number above 0, such as 1e-5",
        ),
        (
            image,
            Op::BatchNorm2d(BatchNorm2d { eps: f64::INFINITY, ..norm.clone() }),
            "eps is inf; use a small number above 0, such as 1e-5",
        ),
        (
            image,
            Op::BatchNorm2d(BatchNorm2d { momentum: 1.5, ..norm.clone() }),
            "momentum is 1.5; use a number from 0 to 1, such as 0.1",
        ),
        (
            image,
            Op::BatchNorm2d(BatchNorm2d { momentum: f64::NAN, ..norm }),
            "momentum is NaN; use a number from 0 to 1, such as 0.1",
        ),
        (
            image,
            Op::Conv2d(Conv2d { out_channels: 1 << 30, ..conv.clone() }),
            "a tensor of sizes [1073741824, 7, 5] has more than 2^31 elements; use smaller sizes",
        ),
        (
            // The output alone would do, but not the weight.
            &[1 << 20, 3, 3],
            Op::Conv2d(Conv2d { out_channels: 1 << 10, ..conv.clone() }),
            "a tensor of sizes [1024, 1048576, 3, 3] has more than 2^31 elements; use smaller sizes",
        ),
        (
            image,
            Op::Conv2d(conv.padding(1 << 29)),
            "a tensor of sizes [6, 1073741831, 1073741829] has more than 2^31 elements; use smaller sizes",
        ),
        (
            &[1 << 20],
            Op::Linear(Linear::new(1 << 20)),
            "a tensor of sizes [1048576, 1048576] has more than 2^31 elements; use smaller sizes",
        ),
    ]);
}

#[test]
fn shapes_of_the_wrong_rank() {
    let flat: &[usize] = &[12];
    let image_wanted = "it takes [N, C, H, W], but its input is [N, 12]; wire it before any flatten, and give the \
                        network an input of [C, H, W]";
    let ops = [
        Op::Conv2d(Conv2d::new(1, 1)),
        Op::MaxPool2d(MaxPool2d::new(1)),
        Op::AvgPool2d(AvgPool2d::new(1)),
        Op::GlobalAvgPool,
        Op::BatchNorm2d(BatchNorm2d::default()),
    ];
    check(&ops.map(|op| (flat, op, image_wanted)));
    check(&[(
        &[4, 9, 7],
        Op::Linear(Linear::new(1)),
        "it takes [N, F], but its input is [N, 4, 9, 7]; wire a flatten before it",
    )]);
}

#[test]
fn inputs_that_disagree_or_miscount() {
    let image: &[usize] = &[4, 9, 7];
    let wider = || Op::Conv2d(Conv2d::new(5, 1));
    let smaller = || Op::MaxPool2d(MaxPool2d::new(2));
    let rows: Vec<(&[usize], Vec<Op>, Op, &str)> = vec![
        (
            image,
            vec![wider()],
            Op::Add,
            "its inputs are [N, 4, 9, 7] and [N, 5, 9, 7]; make their shapes equal, for instance by a 1×1 \
             convolution on one of them",
        ),
        (
            image,
            vec![smaller()],
            Op::Concat,
            "its inputs are [N, 4, 9, 7] and [N, 4, 4, 3]; all sizes but the channels must be equal",
        ),
        (
            image,
            vec![Op::Relu, Op::Flatten],
            Op::Concat,
            "its inputs are [N, 4, 9, 7] and [N, 252]; all sizes but the channels must be equal",
        ),
        (image, vec![], Op::Add, "it takes two inputs, but 1 is wired to it"),
        (image, vec![Op::Relu, Op::Relu], Op::Add, "it takes two inputs, but 3 are wired to it"),
        (image, vec![], Op::Concat, "it takes two inputs or more, but 1 is wired to it"),
        (image, vec![Op::Relu], Op::Relu, "it takes one input, but 2 are wired to it"),
        (image, vec![Op::Relu], wider(), "it takes one input, but 2 are wired to it"),
        (
            &[1 << 30],
            vec![Op::Relu, Op::Relu],
            Op::Concat,
            "a tensor of sizes [3221225472] has more than 2^31 elements; use smaller sizes",
        ),
    ];
    let row = |(input, others, op, expected): &(&[usize], Vec<Op>, Op, &str)| {
        let message = format!("node `layer` ({}): {expected}", op.name());
        (format!("{op:?} on {input:?} and {others:?}"), refusal(input, others, op.clone()), message)
    };
    assert_rows(&rows.iter().map(row).collect::<Vec<_>>());
}
