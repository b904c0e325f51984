//! Names, wiring and completeness of whole graphs.

use taper_graph::{Conv2d, Graph, Op, ValueId};

use crate::support::assert_rows;

fn graph_with_relu() -> (Graph, ValueId) {
    let mut graph = Graph::new("net", &[4]).unwrap();
    let value = graph.wire("relu", Op::Relu, &[graph.input()]).unwrap();
    (graph, value)
}

#[test]
fn graphs_that_do_not_hold_together() {
    let (mut graph, relu) = graph_with_relu();
    let mut message = |name: &str, inputs: &[ValueId]| {
        graph.wire(name, Op::Tanh, inputs).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    };
    let foreign = {
        let (mut larger, relu) = graph_with_relu();
        larger.wire("second", Op::Relu, &[relu]).unwrap()
    };
    let no_name = "is no name for a node; use letters, digits, `_`, `-` and `.`, and not `input`";
    let rows = [
        (
            "taken name",
            message("relu", &[relu]),
            "two nodes are named `relu`; give each its own name".to_owned(),
        ),
        ("empty name", message("", &[relu]), format!("`` {no_name}")),
        ("reserved name", message("input", &[relu]), format!("`input` {no_name}")),
        ("a slash", message("a/b", &[relu]), format!("`a/b` {no_name}")),
        ("a line break", message("a\nb", &[relu]), format!("`a\\nb` {no_name}")),
        ("not ASCII", message("größe", &[relu]), format!("`größe` {no_name}")),
        (
            "a value of another graph",
            message("tanh", &[foreign]),
            "node `tanh` reads `value 2`, which no node before it is named; known are: input, relu"
                .to_owned(),
        ),
        (
            "no input",
            message("tanh", &[]),
            "node `tanh` (tanh): it takes one input, but 0 are wired to it".to_owned(),
        ),
    ];
    assert_rows(&rows.map(|(case, found, expected)| (case.to_owned(), found, expected)));

    let input = |name: &str, sizes: &[usize]| Graph::new(name, sizes).unwrap_err().to_string();
    assert_eq!(
        input("net", &[1, 0, 28]),
        "the input of graph `net`: a size of [1, 0, 28] is 0; every size must be at least 1"
    );
    assert_eq!(
        input("net", &[]),
        "the input of graph `net`: it has no sizes; give at least one, such as [1, 28, 28] for channels, height and width"
    );
    assert!(input("a b", &[1]).starts_with("`a b` is no name for a graph"));
    let huge = input("net", &[1 << 20, 1 << 20]);
    assert_eq!(
        huge,
        "the input of graph `net`: a tensor of sizes [1048576, 1048576] has more than 2^31 elements; use smaller sizes"
    );
}

#[test]
fn incomplete_graphs() {
    let (mut graph, _) = graph_with_relu();
    assert_eq!(graph.check_complete(), Ok(()));
    graph.wire("tanh", Op::Tanh, &[graph.input()]).unwrap();
    let unused = graph.check_complete().unwrap_err().to_string();
    assert_eq!(unused, "nothing reads the output of node `relu`; wire it onward or delete it");
    let empty = Graph::new("net", &[4]).unwrap().check_complete().unwrap_err().to_string();
    assert_eq!(empty, "graph `net` has no layers; add at least one");
}

/// A sum over many layers of the greatest size must not overflow.
#[test]
fn the_largest_networks_can_still_be_counted() {
    let whole = Conv2d { padding: [16_384; 2], ..Conv2d::new(1, 32_769) };
    let mut graph = Graph::new("net", &[1, 32_768, 32_768]).unwrap();
    for number in 0..40 {
        graph.wire(format!("conv{number}"), Op::Conv2d(whole.clone()), &[graph.output()]).unwrap();
    }
    assert_eq!(graph.macs(), u64::MAX);
    assert_eq!(graph.parameter_count(), 40 * (32_769 * 32_769 + 1));
}
