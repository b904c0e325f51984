//! What every op makes of its inputs: shape, parameters, multiply-adds.

use taper_graph::{
    AvgPool2d, BatchNorm2d, Conv2d, Dim, Graph, Init, Linear, MaxPool2d, Normalize, Op, Shape, ShapeError,
};

use crate::support::assert_rows;

fn shape(item: &[usize]) -> Shape {
    Shape::batch_of(item).unwrap()
}

/// `[N, …]; name[sizes] …; multiply-adds`.
fn inferred(op: &Op, inputs: &[&[usize]]) -> String {
    let inputs: Vec<Shape> = inputs.iter().map(|item| shape(item)).collect();
    let inferred = op.infer(&inputs.iter().collect::<Vec<_>>()).unwrap();
    let params: Vec<String> = inferred.params.iter().map(|p| format!("{}{:?}", p.name, p.shape)).collect();
    format!("{}; {}; {}", inferred.shape, params.join(" "), inferred.macs)
}

#[test]
fn shapes_parameters_and_multiply_adds() {
    let conv = Conv2d::new(6, 3);
    let norm = "weight[4] bias[4] running_mean[4] running_var[4]";
    let image: &[&[usize]] = &[&[4, 9, 7]];
    let flat: &[&[usize]] = &[&[12]];
    let rows: Vec<(Op, &[&[usize]], String)> = vec![
        (Op::Conv2d(conv.clone()), image, "[N, 6, 7, 5]; weight[6, 4, 3, 3] bias[6]; 7560".into()),
        (Op::Conv2d(conv.clone().no_bias()), image, "[N, 6, 7, 5]; weight[6, 4, 3, 3]; 7560".into()),
        (
            Op::Conv2d(conv.clone().padding(1)),
            image,
            "[N, 6, 9, 7]; weight[6, 4, 3, 3] bias[6]; 13608".into(),
        ),
        (Op::Conv2d(conv.clone().stride(2)), image, "[N, 6, 4, 3]; weight[6, 4, 3, 3] bias[6]; 2592".into()),
        (
            Op::Conv2d(Conv2d {
                kernel: [2, 5],
                stride: [3, 1],
                padding: [0, 2],
                dilation: [4, 1],
                ..conv.clone()
            }),
            image,
            "[N, 6, 2, 7]; weight[6, 4, 2, 5] bias[6]; 3360".into(),
        ),
        (
            Op::Conv2d(Conv2d { groups: 2, ..conv.clone() }),
            image,
            "[N, 6, 7, 5]; weight[6, 2, 3, 3] bias[6]; 3780".into(),
        ),
        (
            Op::Conv2d(Conv2d { out_channels: 8, groups: 4, ..conv }),
            image,
            "[N, 8, 7, 5]; weight[8, 1, 3, 3] bias[8]; 2520".into(),
        ),
        (Op::MaxPool2d(MaxPool2d::new(2)), image, "[N, 4, 4, 3]; ; 0".into()),
        (Op::MaxPool2d(MaxPool2d::new(3).stride(2).padding(1)), image, "[N, 4, 5, 4]; ; 0".into()),
        (
            Op::MaxPool2d(MaxPool2d { dilation: [3, 2], stride: [1, 1], ..MaxPool2d::new(3) }),
            image,
            "[N, 4, 3, 3]; ; 0".into(),
        ),
        (
            Op::MaxPool2d(MaxPool2d { ceil_mode: true, ..MaxPool2d::new(2) }),
            image,
            "[N, 4, 5, 4]; ; 0".into(),
        ),
        (Op::AvgPool2d(AvgPool2d::new(2)), image, "[N, 4, 4, 3]; ; 0".into()),
        (Op::AvgPool2d(AvgPool2d::new(3).stride(2).padding(1)), image, "[N, 4, 5, 4]; ; 0".into()),
        (
            Op::AvgPool2d(AvgPool2d { ceil_mode: true, ..AvgPool2d::new(4) }),
            image,
            "[N, 4, 3, 2]; ; 0".into(),
        ),
        (Op::GlobalAvgPool, image, "[N, 4, 1, 1]; ; 0".into()),
        (Op::BatchNorm2d(BatchNorm2d::default()), image, format!("[N, 4, 9, 7]; {norm}; 0")),
        (Op::Linear(Linear::new(5)), flat, "[N, 5]; weight[5, 12] bias[5]; 60".into()),
        (Op::Linear(Linear { out_features: 5, bias: false }), flat, "[N, 5]; weight[5, 12]; 60".into()),
        (Op::Flatten, image, "[N, 252]; ; 0".into()),
        (Op::Flatten, flat, "[N, 12]; ; 0".into()),
        (
            Op::Normalize(Normalize { mean: vec![0.5; 4], std: vec![0.5; 4] }),
            image,
            "[N, 4, 9, 7]; ; 0".into(),
        ),
        (Op::dropout(0.0), image, "[N, 4, 9, 7]; ; 0".into()),
        (Op::dropout(0.999), flat, "[N, 12]; ; 0".into()),
        (Op::Add, &[&[4, 9, 7], &[4, 9, 7]], "[N, 4, 9, 7]; ; 0".into()),
        (Op::Concat, &[&[4, 9, 7], &[1, 9, 7], &[2, 9, 7]], "[N, 7, 9, 7]; ; 0".into()),
        (Op::Concat, &[&[4], &[3]], "[N, 7]; ; 0".into()),
    ];
    let shape_kept = [Op::Relu, Op::Gelu, Op::Silu, Op::Tanh, Op::Sigmoid, Op::Softmax];
    let kept = shape_kept
        .into_iter()
        .flat_map(|op| [(op.clone(), image, "[N, 4, 9, 7]; ; 0".into()), (op, flat, "[N, 12]; ; 0".into())]);
    let compare = |(op, inputs, expected): (Op, &[&[usize]], String)| {
        (format!("{op:?} on {inputs:?}"), inferred(&op, inputs), expected)
    };
    assert_rows(&rows.into_iter().chain(kept).map(compare).collect::<Vec<_>>());
}

#[test]
fn parameters_start_as_in_pytorch() {
    let params = |op: Op, item: &[usize]| op.infer(&[&shape(item)]).unwrap().params;
    // fan_in is 4 input channels / 2 groups × 3 × 3 taps; weight and bias share its bound.
    for param in params(Op::Conv2d(Conv2d { groups: 2, ..Conv2d::new(6, 3) }), &[4, 9, 7]) {
        assert_eq!(param.init, Init::Uniform { bound: 1.0 / 18f64.sqrt() }, "{}", param.name);
        assert!(param.trainable);
    }
    for param in params(Op::Linear(Linear::new(5)), &[16]) {
        assert_eq!(param.init, Init::Uniform { bound: 0.25 }, "{}", param.name);
    }
    let norm = params(Op::BatchNorm2d(BatchNorm2d::default()), &[4, 2, 2]);
    let found: Vec<_> = norm.iter().map(|p| (p.name, p.init, p.trainable)).collect();
    let [zero, one] = [Init::Constant(0.0), Init::Constant(1.0)];
    let expected = [
        ("weight", one, true),
        ("bias", zero, true),
        ("running_mean", zero, false),
        ("running_var", one, false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_shape_keeps_its_batch_symbolic() {
    let image = shape(&[3, 5, 7]);
    assert_eq!(image.to_string(), "[N, 3, 5, 7]");
    assert_eq!(image.dims()[0], Dim::Batch);
    assert_eq!((image.rank(), image.elements()), (4, 105));
    assert_eq!(image.with_batch(8), [8, 3, 5, 7]);
    assert_eq!((image.item(), image.image()), (vec![3, 5, 7], Ok([3, 5, 7])));
    assert_eq!(shape(&[12]).features(), Ok(12));
    assert_eq!(Shape::batch_of(&[]), Err(ShapeError::NoDimensions));
    assert_eq!(Shape::batch_of(&[3, 0]), Err(ShapeError::ZeroDimension { sizes: vec![3, 0] }));
    for sizes in [vec![1 << 16, 1 << 16], vec![usize::MAX, 2], vec![usize::MAX]] {
        assert_eq!(Shape::batch_of(&sizes), Err(ShapeError::TooLarge { sizes }));
    }
    assert!(Shape::batch_of(&[1 << 15, 1 << 16]).is_ok());
}

#[test]
fn a_graph_counts_only_what_is_trained() {
    let ops = [Op::Conv2d(Conv2d::new(2, 1)), Op::BatchNorm2d(BatchNorm2d::default())];
    let graph = Graph::sequential("net", &[3, 4, 4], ops).unwrap();
    assert_eq!(graph.parameter_count(), (2 * 3 + 2) + (2 + 2));
    assert_eq!(graph.params().count(), 6);
    assert_eq!(graph.macs(), 2 * 3 * 4 * 4);
    assert_eq!(graph.value_name(graph.input()), "input");
    assert_eq!(graph.value_name(graph.output()), "1");
    assert_eq!(graph.nodes()[1].inputs[0].index(), 1);
}
