//! Small graphs that would take a shape inference without limits all memory, or its numbers beyond 64 bits.

use std::time::{Duration, Instant};

use taper_export::onnx::{DataType, Dim, Node};

use super::{Graph, text};

/// Far beyond what any of these takes, far below what they would take without a limit.
const SOON: Duration = Duration::from_secs(20);

fn soon(name: &str, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    assert!(start.elapsed() < SOON, "{name} took {:?}", start.elapsed());
}

#[test]
fn known_elements_do_not_double_without_end() {
    soon("Concat of itself", || {
        let mut graph = Graph::new(17);
        let x = graph.f("N T 3");
        let mut sizes = graph.plain("Shape", [&x]).unwrap();
        for _ in 0..40 {
            sizes = graph.node("Concat", [&sizes, &sizes], |node| node.int("axis", 0)).unwrap();
        }
        assert_eq!(text(&sizes), (3u64 << 40).to_string());
        // One node reads many lists.
        let list = graph.list(&[1; 64]);
        let all = graph.node("Concat", vec![&list; 100_000], |node| node.int("axis", 0)).unwrap();
        assert_eq!(text(&all), "6400000");
    });
}

#[test]
fn sizes_do_not_grow_without_end() {
    soon("products and sums of named sizes", || {
        let mut graph = Graph::new(17);
        let (x, y) = (graph.f("N T"), graph.f("H W"));
        let (mut size, other) = (graph.plain("Shape", [&x]).unwrap(), graph.plain("Shape", [&y]).unwrap());
        for op in ["Mul", "Add", "Mul", "Mul"].into_iter().cycle().take(60) {
            size = graph.plain(op, [&size, if op == "Add" { &other } else { &size }]).unwrap();
        }
        let wide = graph.plain("Concat", [&size]).unwrap_err();
        assert!(wide.to_string().contains("axis"), "{wide}");
        let made = graph.plain("ConstantOfShape", [&size]).unwrap();
        assert!(text(&made).len() < 10_000);
    });
    soon("the elements of many sums", || {
        let mut graph = Graph::new(17);
        let dims: Vec<String> = (0..60).map(|place| format!("D{place}")).collect();
        let mut x = graph.f(&dims.join(" "));
        let pads = graph.list(&[1; 60]);
        let ends = graph.list(&[0; 60]);
        let pads = graph.node("Concat", [&pads, &ends], |node| node.int("axis", 0)).unwrap();
        x = graph.plain("Pad", [&x, &pads]).unwrap();
        let flat = graph.node("Flatten", [&x], |node| node.int("axis", 0)).unwrap();
        let count = graph.plain("Size", [&x]).unwrap();
        assert!(text(&flat).len() < 10_000 && text(&count).is_empty());
    });
    soon("halves of halves", || {
        let mut graph = Graph::new(17);
        let mut x = graph.f("1 1 H");
        let weight = graph.f("1 1 3");
        for _ in 0..5_000 {
            let with = |node: Node| node.ints("strides", [2]).ints("pads", [1, 1]);
            x = graph.node("Conv", [&x, &weight], with).unwrap();
        }
        assert!(text(&x).len() < 10_000);
    });
}

#[test]
fn as_many_dimensions_as_nobody_has_are_refused() {
    let mut graph = Graph::new(17);
    let huge = graph.x(DataType::Int64, "1000000000000");
    let (x, one) = (graph.f("2 3"), graph.list(&[1]));
    let fill = graph.plain("ConstantOfShape", [&huge]);
    let reshaped = graph.plain("Reshape", [&x, &huge]);
    let expanded = graph.plain("Expand", [&x, &huge]);
    let padded = graph.plain("Pad", [&x, &huge]);
    let cut = graph.plain("Slice", [&x, &huge, &huge]);
    let cut_to = graph.plain("Slice", [&x, &one, &huge]);
    let reduced = graph.plain("ReduceSum", [&x, &huge]);
    let longer = graph.plain("Unsqueeze", [&x, &huge]);
    for outcome in [fill, reshaped, expanded, cut, cut_to, reduced, longer] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("1000000000000 numbers") && error.contains("at most 64"), "{error}");
    }
    assert_eq!(text(&padded.unwrap()), "pad.0 pad.1");
    let mut long = graph.f(&"1 ".repeat(60));
    let axes = graph.list(&[0, 1, 2]);
    long = graph.plain("Unsqueeze", [&long, &axes]).unwrap();
    let error = graph.plain("Unsqueeze", [&long, &axes]).unwrap_err().to_string();
    assert!(error.contains("of 66 dimensions"), "{error}");
    let dims = vec![Dim::Fixed(1); 65];
    let error = graph.builder.input("long", DataType::Float32, &dims).unwrap_err().to_string();
    assert!(error.contains("of 65 dimensions"), "{error}");
}

#[test]
fn numbers_beyond_64_bits_do_not_overflow() {
    const MOST: usize = i64::MAX as usize;
    type With = fn(Node) -> Node;
    let cases: [(&str, With, &str); 5] = [
        ("kernel", |node| node.ints("kernel_shape", [MOST]).ints("dilations", [2]), "too large"),
        ("dilation", |node| node.ints("kernel_shape", [3]).ints("dilations", [MOST]), "too large"),
        ("one window", |node| node.ints("kernel_shape", [MOST]), "does not fit"),
        (
            "stride",
            |node| node.ints("kernel_shape", [1]).ints("strides", [MOST]).int("ceil_mode", 1),
            "1 1 maxpool.2",
        ),
        ("pads", |node| node.ints("kernel_shape", [1]).ints("pads", [MOST, MOST]), "1 1 size_"),
    ];
    for (name, with, words) in cases {
        let mut graph = Graph::new(17);
        let x = graph.f("1 1 9");
        let outcome = graph.node("MaxPool", [&x], with);
        let found = outcome.map_or_else(|error| error.to_string(), |value| text(&value));
        assert!(found.contains(words), "{name}: {found}");
    }
    let mut graph = Graph::new(17);
    let huge = graph.f(&format!("{MOST} {MOST}"));
    let flat = graph.node("Flatten", [&huge], |node| node.int("axis", 0)).unwrap();
    let twice = graph.node("Concat", [&huge, &huge], |node| node.int("axis", 0)).unwrap();
    assert!(
        text(&flat).starts_with("1 size_") && text(&twice).starts_with("size_"),
        "{} {}",
        text(&flat),
        text(&twice)
    );
    let (far, near) = (graph.list(&[i64::MIN, i64::MAX]), graph.list(&[i64::MAX, i64::MIN]));
    for op in ["Add", "Sub", "Mul", "Div"] {
        graph.plain(op, [&far, &near]).unwrap();
    }
    let ones = graph.list(&[-1, -1]);
    graph.plain("Div", [&far, &ones]).unwrap();
    graph.plain("Neg", [&far]).unwrap();
}
