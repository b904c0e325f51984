//! Arrays that are, and are not, a graph's weights.

use std::collections::BTreeMap;

use taper_graph::{Array, BatchNorm2d, Conv2d, Graph, Linear, Op, Weights};

fn graph() -> Graph {
    let ops = [
        Op::Conv2d(Conv2d::new(2, 1)),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Flatten,
        Op::Linear(Linear::new(3)),
    ];
    Graph::sequential("net", &[1, 2, 2], ops).unwrap()
}

/// One array for every parameter, its elements counting up.
fn arrays(graph: &Graph) -> BTreeMap<String, Array> {
    let array = |sizes: &[usize]| Array {
        shape: sizes.to_vec(),
        data: (0..sizes.iter().product::<usize>()).map(|i| i as f32).collect(),
    };
    graph.params().map(|named| (named.name, array(&named.param.shape))).collect()
}

#[test]
fn weights_come_in_graph_order_whatever_order_they_were_given_in() {
    let graph = graph();
    let weights = Weights::new(&graph, arrays(&graph)).unwrap();
    let names: Vec<&str> = weights.iter().map(|(name, _)| name).collect();
    let expected =
        ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "3.weight", "3.bias"];
    assert_eq!(names, expected);
    assert_eq!(weights.iter().len(), 8);
    assert_eq!(weights.get("3.weight").map(|array| array.shape.clone()), Some(vec![3, 8]));
    assert_eq!(weights.get("3.weight").map(|array| array.data[23]), Some(23.0));
    assert_eq!(weights.get("2.weight"), None);
}

#[test]
fn everything_that_is_wrong_is_listed() {
    let graph = graph();
    let mut arrays = arrays(&graph);
    arrays.remove("0.bias");
    arrays.remove("1.running_var");
    arrays.insert("fc.weight".to_owned(), Array { shape: vec![1], data: vec![0.0] });
    arrays.insert("3.weight".to_owned(), Array { shape: vec![8, 3], data: vec![0.0; 24] });
    arrays.insert("3.bias".to_owned(), Array { shape: vec![3], data: vec![0.0; 2] });
    let error = Weights::new(&graph, arrays).unwrap_err();
    assert_eq!(error.missing, ["0.bias", "1.running_var"]);
    assert_eq!(error.unexpected, ["fc.weight"]);
    assert_eq!(
        error.to_string(),
        "these are not the weights of the network `net`: missing 0.bias, 1.running_var; unexpected fc.weight; \
         3.weight is [8, 3] and should be [3, 8]; 3.bias has 2 elements and should have 3"
    );
}

#[test]
fn no_arrays_are_the_weights_of_no_network_but_one_without_parameters() {
    assert_eq!(Weights::new(&graph(), BTreeMap::new()).unwrap_err().missing.len(), 8);
    let plain = Graph::sequential("plain", &[2], [Op::Relu]).unwrap();
    assert_eq!(Weights::new(&plain, BTreeMap::new()).unwrap().iter().len(), 0);
}
