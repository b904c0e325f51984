//! The methods of a flow on plain tensors, beside candle's own of the same name: with a flow in the place of its
//! tensors, a model must go on computing what it did.

use candle_core::{D, DType, Device, IndexOp, Module, Result, Tensor};
use candle_nn::{Activation, PReLU};
use taper_export::flow::{Flow, Layer};

use super::check::{numbers, positive};

/// Writes each body twice: for whatever flows, and for tensors with the methods they bring.
macro_rules! twins {
    ($($name:ident($($input:expr),*) |$($x:ident),*| $body:expr;)*) => {
        vec![$({
            fn flow<F: Flow>(inputs: &[F]) -> Result<Vec<F>> {
                #[allow(unused_imports, reason = "not in every case")]
                use taper_export::flow::ops;
                let [$($x),*] = inputs else { panic!("inputs") };
                Ok(vec![$body?])
            }
            fn own(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
                #[allow(unused_imports, reason = "not in every case")]
                use candle_nn::ops;
                #[allow(dead_code, reason = "not in every case")]
                type F = Tensor;
                let [$($x),*] = inputs else { panic!("inputs") };
                Ok(vec![$body?])
            }
            let inputs: Vec<Tensor> = vec![$($input),*];
            (stringify!($name), flow(&inputs), own(&inputs))
        }),*]
    };
}

type Outcome = (&'static str, Result<Vec<Tensor>>, Result<Vec<Tensor>>);

fn features(seed: u64) -> Tensor {
    numbers(&[4, 6], seed)
}

fn image() -> Tensor {
    numbers(&[2, 4, 6, 8], 1)
}

fn one() -> Tensor {
    Tensor::new(0.25f32, &Device::Cpu).unwrap()
}

fn composed() -> Vec<Outcome> {
    twins! {
        stack(features(1), features(2)) |x, y| F::stack(&[x, y], 1);
        stack_last(features(1), features(2)) |x, y| F::stack(&[x, y], D::Minus1);
        stack_of_others(features(1), image()) |x, y| F::stack(&[x, y], 0);
        chunk(features(1)) |x| F::cat(&x.chunk(4, 1)?.iter().rev().cloned().collect::<Vec<_>>(), 1);
        chunk_of_few(features(1)) |x| F::cat(&x.chunk(9, 0)?.iter().rev().cloned().collect::<Vec<_>>(), 0);
        i_of_ranges(image()) |x| x.i((.., 1, 2.., ..=3));
        i_of_a_range(image()) |x| x.i(1..);
        i_of_a_place(image()) |x| x.i(1);
        i_of_a_list(image()) |x| x.i((.., vec![1u32, 0]));
        i_of_a_slice(image()) |x| x.i(&[1u32, 0][..]);
        i_outside(image()) |x| x.i((.., 4));
        get(image()) |x| x.get(1);
        get_of_one_number(one()) |x| x.get(0);
        get_on_dim(image()) |x| x.get_on_dim(2, 3);
        flatten(image()) |x| x.flatten(1, 2);
        flatten_backwards(image()) |x| x.flatten(2, 1);
        flatten_to(image()) |x| x.flatten_to(1);
        flatten_from(image()) |x| x.flatten_from(D::Minus2);
        flatten_all(image()) |x| x.flatten_all();
        flatten_of_one_number(one()) |x| x.flatten_from(0);
        flatten_to_of_one_number(one()) |x| x.flatten_to(0);
        flatten_all_of_one_number(one()) |x| x.flatten_all();
        squeeze(numbers(&[4, 1, 6], 1)) |x| x.squeeze(1);
        squeeze_of_more(image()) |x| x.squeeze(1);
        unsqueeze(features(1)) |x| x.unsqueeze(D::Minus1);
        t(image()) |x| x.t();
        t_of_a_list(numbers(&[6], 1)) |x| x.t();
        broadcast_left(features(1)) |x| x.broadcast_left((2, 3));
        expand(features(1)) |x| x.expand((2, 4, 6));
        repeat(features(1)) |x| x.repeat((2, 1, 2));
        repeat_of_fewer(image()) |x| x.repeat((1, 2));
    }
}

fn operands() -> Vec<Outcome> {
    twins! {
        clamp(features(1)) |x| x.clamp(-0.4f32, 0.3f32);
        clamp_by_values(features(1), features(2)) |x, y| x.clamp(y, &y.affine(1.0, 0.2)?);
        clamp_by_both(features(1), features(2)) |x, y| x.clamp(-0.1, y);
        clamp_by_one_number(features(1), one()) |x, y| x.clamp(0f32, y);
        maximum_of_a_number(features(1)) |x| x.maximum(0.25);
        maximum_of_a_half(features(1)) |x| x.maximum(half::f16::from_f32(0.25));
        less_than_a_half(features(1)) |x| x.lt(half::bf16::from_f32(0.25));
        maximum_of_one_number(features(1), one()) |x, y| x.maximum(y);
        minimum_of_one_number(features(1), one()) |x, y| x.minimum(y);
        eq_of_one_number(features(1), one()) |x, y| x.eq(y);
        gt_of_a_whole_number(features(1)) |x| x.gt(0);
        lt_of_a_list(features(1), numbers(&[6], 1)) |x, y| x.lt(y);
        broadcast_lt(features(1), numbers(&[6], 1)) |x, y| x.broadcast_lt(y);
        add_of_another_shape(features(1), numbers(&[6], 1)) |x, y| x.add(y);
        pow(positive(&[4, 6], 1), features(2)) |x, y| x.pow(y);
        results(features(1), features(2)) |x, y| x.clone() + y.sqr();
        quotient(features(1)) |x| x.clone() / 3.0;
        eq_in_bytes(features(1)) |x| x.to_dtype(DType::U8)?.eq(300i64);
    }
}

fn functions() -> Vec<Outcome> {
    twins! {
        swiglu(features(1)) |x| ops::swiglu(x);
        silu(features(1)) |x| ops::silu(x);
        sigmoid(features(1)) |x| ops::sigmoid(x);
        hard_sigmoid(features(1)) |x| ops::hard_sigmoid(&x.affine(8.0, 0.0)?);
        leaky_relu(features(1)) |x| ops::leaky_relu(x, 0.1);
        mish(features(1)) |x| ops::mish(x);
        selu(features(1)) |x| ops::selu(x, 1.5, 1.1);
        softmax(image()) |x| ops::softmax(x, 1);
        softmax_last_dim(image()) |x| ops::softmax_last_dim(x);
        log_softmax(image()) |x| ops::log_softmax(x, 2);
        pixel_shuffle(image()) |x| ops::pixel_shuffle(x, 2);
        pixel_unshuffle(image()) |x| ops::pixel_unshuffle(x, 2);
        rms_norm(features(1), positive(&[6], 2)) |x, y| ops::rms_norm(x, y, 1e-5);
        layer_norm(features(1), positive(&[6], 2), numbers(&[6], 3)) |x, y, z| ops::layer_norm(x, y, z, 1e-5);
    }
}

/// Both, if they differ; errors are equal whatever they say.
fn difference((name, ours, theirs): &Outcome) -> Option<String> {
    let (ours, theirs) = match (ours, theirs) {
        (Err(_), Err(_)) => return None,
        (Ok(ours), Ok(theirs)) => (&ours[0], &theirs[0]),
        (Ok(_), Err(error)) => return Some(format!("{name}: only candle says {error}")),
        (Err(error), Ok(_)) => return Some(format!("{name}: only ours says {error}")),
    };
    if (ours.dims(), ours.dtype()) != (theirs.dims(), theirs.dtype()) {
        let shape = |tensor: &Tensor| format!("{:?} {:?}", tensor.dims(), tensor.dtype());
        return Some(format!("{name}: {}, candle's is {}", shape(ours), shape(theirs)));
    }
    let numbers = |tensor: &Tensor| -> Vec<f64> {
        tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
    };
    let is_same = |(a, b): (f64, f64)| a == b || (a - b).abs() < 1e-6 || (a.is_nan() && b.is_nan());
    let is_same = numbers(ours).into_iter().zip(numbers(theirs)).all(is_same);
    (!is_same).then(|| format!("{name}: {ours}, candle's is {theirs}"))
}

#[test]
fn methods_do_what_candles_do() {
    let all: Vec<Outcome> = [composed(), operands(), functions()].into_iter().flatten().collect();
    let differences: Vec<String> = all.iter().filter_map(difference).collect();
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        all.len(),
        differences.join("\n")
    );
    // Where candle refuses, so must a flow: each kind is there.
    assert!(all.iter().filter(|(_, ours, _)| ours.is_err()).count() > 5);
}

#[test]
fn layers_do_what_candles_do() {
    let layers = [
        Activation::Gelu,
        Activation::NewGelu,
        Activation::Relu,
        Activation::Relu2,
        Activation::Relu6,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::Swiglu,
        Activation::Swish,
        Activation::Mish,
        Activation::HardSwish,
        Activation::Elu(0.5),
        Activation::LeakyRelu(0.2),
        Activation::GeluPytorchTanh,
    ];
    let x = (numbers(&[4, 6], 1) * 8.0).unwrap();
    let outcome = |layer: Activation| {
        (
            "activation",
            Layer::forward(&layer, &x).map(|made| vec![made]),
            Module::forward(&layer, &x).map(|made| vec![made]),
        )
    };
    let mut all: Vec<Outcome> = layers.into_iter().map(outcome).collect();
    for (slope, x) in
        [(numbers(&[4], 2), image()), (numbers(&[1], 2), image()), (numbers(&[6], 2), features(1))]
    {
        let layer = PReLU::new(slope.clone(), slope.elem_count() == 1);
        let (ours, theirs) = (Layer::forward(&layer, &x), Module::forward(&layer, &x));
        all.push(("prelu", ours.map(|made| vec![made]), theirs.map(|made| vec![made])));
    }
    let differences: Vec<String> = all.iter().filter_map(difference).collect();
    assert!(differences.is_empty(), "{differences:?}");
    assert!(all.iter().all(|(_, ours, _)| ours.is_ok()));
}
