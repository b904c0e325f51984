//! A network made for other images.

use taper_graph::{Conv2d, Graph, GraphError, Linear, Normalize, Op, Preset};

fn halves(channels: usize) -> Normalize {
    Normalize { mean: vec![0.5; channels], std: vec![0.25; channels] }
}

#[test]
fn presets_take_images_and_classes_of_other_numbers() {
    for preset in Preset::ALL {
        let (own, same) = (preset.graph().unwrap(), preset.graph_for([1, 28, 28], 10).unwrap());
        assert_eq!(own, same, "{preset}");
        for (image, classes) in [([3, 32, 32], 100), ([1, 40, 28], 2), ([3, 64, 96], 1)] {
            let graph = preset.graph_for(image, classes).unwrap();
            assert_eq!(
                (graph.input_shape().item(), graph.output_shape().item()),
                (image.to_vec(), vec![classes])
            );
            assert_eq!(Graph::from_toml(&graph.to_toml()), Ok(graph), "{preset}");
        }
    }
    // 3 × 3 × 3 weights for each of 32 filters; three poolings make 5 × 5 of 32 × 32.
    let tutorial = Preset::Tutorial.graph_for([3, 32, 32], 10).unwrap();
    let shapes: Vec<Vec<usize>> = tutorial.params().map(|named| named.param.shape.clone()).collect();
    assert_eq!((&shapes[0], &shapes[6]), (&vec![32, 3, 3, 3], &vec![625, 128 * 5 * 5]));
}

#[test]
fn what_cannot_be_had_is_refused() {
    let small = Preset::LeNet5.graph_for([1, 8, 8], 10).unwrap_err().to_string();
    assert!(small.starts_with("node `conv2` (conv2d): on its input [N, 6, 4, 4]"), "{small}");
    assert!(matches!(Preset::LeNet5.graph_for([1, 0, 8], 10), Err(GraphError::Input { .. })));
    let none = Preset::LeNet5.graph_for([1, 28, 28], 0).unwrap_err().to_string();
    assert!(none.contains("cannot be made to tell 0 classes apart"), "{none}");
    let conv = [Op::Conv2d(Conv2d::new(10, 1)), Op::GlobalAvgPool, Op::Flatten];
    let without =
        Graph::sequential("conv", &[1, 8, 8], conv).unwrap().with_classes(3).unwrap_err().to_string();
    assert!(without.starts_with("graph `conv` answers with [N, 10]"), "{without}");
    // A join behind it would still answer with more than was asked for.
    let mut joined = Graph::new("joined", &[4]).unwrap();
    let linear = joined.wire("fc", Op::Linear(Linear::new(2)), &[joined.input()]).unwrap();
    joined.wire("twice", Op::Concat, &[linear, linear]).unwrap();
    assert!(matches!(joined.with_classes(3), Err(GraphError::Classes { classes: 3, .. })));
}

#[test]
fn what_stands_behind_the_last_linear_layer_stays() {
    let ops = [
        Op::Flatten,
        Op::Linear(Linear::new(7)),
        Op::Linear(Linear { out_features: 2, bias: false }),
        Op::dropout(0.5),
    ];
    let graph = Graph::sequential("net", &[1, 3, 3], ops).unwrap().with_classes(5).unwrap();
    assert_eq!(graph.nodes()[1].op, Op::Linear(Linear::new(7)));
    assert_eq!(graph.nodes()[2].op, Op::Linear(Linear { out_features: 5, bias: false }));
    assert_eq!(graph.nodes()[3].op, Op::dropout(0.5));
}

#[test]
fn a_normalised_network_reads_its_input_through_one_layer() {
    let residual = Preset::Residual.graph_for([3, 16, 16], 4).unwrap();
    let graph = residual.normalized(halves(3)).unwrap();
    assert_eq!(graph.normalization(), Some(&halves(3)));
    assert_eq!(residual.normalization(), None);
    assert_eq!(graph.nodes().len(), residual.nodes().len() + 1);
    for (old, new) in residual.nodes().iter().zip(&graph.nodes()[1..]) {
        assert_eq!((&old.name, &old.op, &old.shape), (&new.name, &new.op, &new.shape));
        let moved: Vec<usize> = old.inputs.iter().map(|value| value.index() + 1).collect();
        assert_eq!(moved, new.inputs.iter().map(|value| value.index()).collect::<Vec<_>>(), "{}", new.name);
    }
    assert_eq!(graph.normalized(halves(1)).unwrap(), graph, "twice is once");
    assert_eq!(Graph::from_toml(&graph.to_toml()), Ok(graph));
    // A name that is taken.
    let named = "name = 'n'\ninput = [1, 4, 4]\n[[layers]]\nname = 'normalize'\nop = 'relu'\n";
    let graph = Graph::from_toml(named).unwrap().normalized(halves(1)).unwrap();
    assert_eq!(
        graph.nodes().iter().map(|node| &node.name[..]).collect::<Vec<_>>(),
        ["normalize_", "normalize"]
    );
}

#[test]
fn numbers_that_do_not_normalise_are_refused() {
    let refusal = |mean: Vec<f32>, std: Vec<f32>| {
        let ops = [Op::Normalize(Normalize { mean, std })];
        Graph::sequential("net", &[2, 4, 4], ops).unwrap_err().to_string()
    };
    let rows = [
        (
            refusal(vec![0.5], vec![1.0; 2]),
            "mean is [0.5]; use a list with one number for each channel of its input",
        ),
        (refusal(vec![0.5; 2], vec![1.0; 3]), "std is [1.0, 1.0, 1.0]; use a list with one number"),
        (refusal(vec![0.5; 2], vec![1.0, 0.0]), "std is [1.0, 0.0]; use numbers above 0"),
        (refusal(vec![0.5; 2], vec![1.0, f32::INFINITY]), "use numbers above 0"),
        (refusal(vec![f32::NAN, 0.0], vec![1.0; 2]), "use finite numbers"),
    ];
    for (found, expected) in rows {
        assert!(found.starts_with("node `0` (normalize): ") && found.contains(expected), "{found}");
    }
    let features = Graph::sequential("net", &[4], [Op::Normalize(halves(4))]).unwrap_err().to_string();
    assert!(features.contains("it takes [N, C, H, W]"), "{features}");
}
