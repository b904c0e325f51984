//! Values between the layers and gradients by them, beside the network itself and finite differences.

use taper_graph::{Array, Conv2d, Graph, Linear, Op, Preset, ValueId};
use taper_model::{Model, stages};

use crate::fixture::relative_error;

fn image(len: usize) -> Vec<f32> {
    (0..len).map(|at| ((at * 37) % 101) as f32 / 101.0).collect()
}

/// A network from `[K, H, W]` that is all of `graph` behind the value `at`, with the weights of `model`.
fn rest(model: &Model, at: ValueId) -> Model {
    let graph = model.graph();
    let mut rest = Graph::new("rest", &graph.shape(at).item()).unwrap();
    for node in &graph.nodes()[at.index()..] {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|input| rest_value(&rest, input, at)).collect();
        rest.wire(node.name.clone(), node.op.clone(), &inputs).unwrap();
    }
    let weights = model.weights().unwrap();
    let wanted: Vec<String> = rest.params().map(|param| param.name).collect();
    let arrays = weights.iter().filter(|(name, _)| wanted.iter().any(|wanted| wanted == name));
    let arrays = arrays.map(|(name, array)| (name.to_owned(), array.clone())).collect();
    let weights = taper_graph::Weights::new(&rest, arrays).unwrap();
    Model::from_weights(rest, &weights).unwrap()
}

fn rest_value(rest: &Graph, value: &ValueId, at: ValueId) -> ValueId {
    rest.values().nth(value.index() - at.index()).unwrap()
}

#[test]
fn the_last_value_is_the_logits() {
    for preset in Preset::ALL {
        let model = Model::new(preset.graph().unwrap(), 5).unwrap();
        let images = image(2 * 784);
        let graph = model.graph();
        let values = model.values(&images, &[graph.input(), graph.output()]).unwrap();
        assert_eq!(values[0], Array { shape: vec![2, 1, 28, 28], data: images.clone() });
        let logits: Vec<f64> = model.logits(&images).unwrap().into_iter().map(f64::from).collect();
        assert!(relative_error(&values[1].data, &logits) < 1e-5, "{preset:?}");
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    // The networks are linear in pieces between ReLUs, so a small step finds the slope but at a kink, where the
    // differences to both sides are not the same.
    let mut compared = 0;
    for preset in Preset::ALL {
        let model = Model::new(preset.graph().unwrap(), 5).unwrap();
        let at = *stages(model.graph()).last().unwrap();
        let class = 3;
        let [value, gradient] = model.value_and_gradient(&image(784), at, class).unwrap();
        assert_eq!(value.shape, model.graph().shape(at).with_batch(1), "{preset:?}");
        assert_eq!(value.shape, gradient.shape, "{preset:?}");
        let rest = rest(&model, at);
        let logit = |values: &[f32]| f64::from(rest.logits(values).unwrap()[class]);
        let here = logit(&value.data);
        let step = 0.02;
        for place in (0..value.data.len()).step_by(value.data.len() / 40) {
            let moved = |by: f32| {
                let mut values = value.data.clone();
                values[place] += by;
                logit(&values)
            };
            let (up, down) =
                ((moved(step) - here) / f64::from(step), (here - moved(-step)) / f64::from(step));
            if (up - down).abs() > 5e-6 {
                continue;
            }
            let (found, slope) = (f64::from(gradient.data[place]), (up + down) / 2.0);
            let close = (found - slope).abs() < 5e-6 + 0.01 * slope.abs();
            assert!(close, "{preset:?}, place {place}: {found} instead of {slope}");
            compared += usize::from(slope.abs() > 1e-4);
        }
    }
    assert!(compared > 20, "only {compared} slopes are not flat");
}

#[test]
fn grad_cam_of_a_network_worked_out_by_hand() {
    // Two maps: the image and twice its negative. The logit of class 1 is the sum over all pixels of 3 × first + 1 × second
    // map, so the weights are 3 and 1, and the answer is 3x − 2x = x, cut off at 0.
    let ops = [Op::Conv2d(Conv2d::new(2, 1)), Op::Flatten, Op::Linear(Linear::new(2))];
    let graph = Graph::sequential("by-hand", &[1, 2, 2], ops).unwrap();
    let mut model = Model::new(graph, 0).unwrap();
    let mut row = vec![0.0; 8];
    row.extend([3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]);
    let arrays = [
        ("0.weight", vec![2, 1, 1, 1], vec![1.0, -2.0]),
        ("0.bias", vec![2], vec![0.0, 0.0]),
        ("2.weight", vec![2, 8], row),
        ("2.bias", vec![2], vec![5.0, 7.0]),
    ];
    let arrays = arrays.into_iter().map(|(name, shape, data)| (name.to_owned(), Array { shape, data }));
    model.set_weights(&taper_graph::Weights::new(model.graph(), arrays.collect()).unwrap()).unwrap();
    let maps = model.graph().values().nth(1).unwrap();
    let map = model.grad_cam(&[1.0, -1.0, 0.5, 0.0], maps, 1).unwrap();
    assert_eq!(map, Array { shape: vec![2, 2], data: vec![1.0, 0.0, 0.5, 0.0] });
    // Nothing speaks for class 0.
    assert_eq!(model.grad_cam(&[1.0, -1.0, 0.5, 0.0], maps, 0).unwrap().data, [0.0; 4]);
}

#[test]
fn bad_questions_are_refused() {
    let model = Model::new(Preset::LeNet5.graph().unwrap(), 0).unwrap();
    let (graph, image) = (model.graph(), image(784));
    let (foreign, maps) = (Preset::Residual.graph().unwrap().output(), stages(graph)[0]);
    let refused = [
        (model.values(&image, &[foreign]).map(drop), "has no value"),
        (model.values(&image[1..], &[maps]).map(drop), "no whole number of images"),
        (model.grad_cam(&image, foreign, 0).map(drop), "has no value"),
        (model.grad_cam(&image, graph.output(), 0).map(drop), "not feature maps"),
        (model.grad_cam(&image, maps, 10).map(drop), "10"),
        (model.grad_cam(&[0.0; 2 * 784], maps, 0).map(drop), "one image"),
    ];
    for (answer, expected) in refused {
        let error = answer.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_stages_of_the_presets() {
    let names = |preset: Preset| {
        let graph = preset.graph().unwrap();
        stages(&graph).iter().map(|&at| graph.value_name(at).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(Preset::Tutorial), ["layer1.1", "layer2.1", "layer3.1"]);
    assert_eq!(names(Preset::LeNet5), ["relu1", "relu2"]);
    assert_eq!(names(Preset::Residual), ["block1.relu", "block2.relu"]);
    let dense = Graph::sequential("dense", &[1, 4, 4], [Op::Flatten, Op::Linear(Linear::new(3))]).unwrap();
    assert_eq!(stages(&dense), []);
    // What is done to the image before the first convolution tells nothing of the network.
    let ops = [Op::Relu, Op::Conv2d(Conv2d::new(2, 3)), Op::Flatten, Op::Linear(Linear::new(3))];
    let late = Graph::sequential("late", &[1, 4, 4], ops).unwrap();
    assert_eq!(
        stages(&late).iter().map(|&at| late.shape(at).item().to_vec()).collect::<Vec<_>>(),
        [[2, 2, 2]]
    );
}
