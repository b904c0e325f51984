//! Network files: what may be left out, and the answer to every mistake.

use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op};

use crate::support::assert_rows;

/// A network of one layer.
fn file(input: &str, layer: &str) -> String {
    format!("name = \"net\"\ninput = {input}\n\n[[layers]]\n{layer}\n")
}

#[test]
fn settings_left_out_have_pytorchs_defaults() {
    let rows: Vec<(&str, Op)> = vec![
        ("op = 'conv2d'\nout_channels = 4\nkernel = 3", Op::Conv2d(Conv2d::new(4, 3))),
        (
            "op = 'conv2d'\nout_channels = 4\nkernel = [3, 1]\nstride = [1, 2]\npadding = 1\ndilation = [2, 1]\ngroups = 2\n\
             bias = false",
            Op::Conv2d(Conv2d {
                kernel: [3, 1],
                stride: [1, 2],
                padding: [1, 1],
                dilation: [2, 1],
                groups: 2,
                ..Conv2d::new(4, 1).no_bias()
            }),
        ),
        ("op = 'max_pool2d'\nkernel = 2", Op::MaxPool2d(MaxPool2d::new(2))),
        (
            "op = 'max_pool2d'\nkernel = [2, 3]",
            Op::MaxPool2d(MaxPool2d { kernel: [2, 3], stride: [2, 3], ..MaxPool2d::new(2) }),
        ),
        (
            "op = 'max_pool2d'\nkernel = 3\nstride = 1\npadding = [1, 0]\ndilation = 2\nceil_mode = true",
            Op::MaxPool2d(MaxPool2d {
                padding: [1, 0],
                dilation: [2, 2],
                ceil_mode: true,
                ..MaxPool2d::new(3).stride(1)
            }),
        ),
        ("op = 'avg_pool2d'\nkernel = 2", Op::AvgPool2d(AvgPool2d::new(2))),
        (
            "op = 'avg_pool2d'\nkernel = 3\nstride = 2\npadding = 1\nceil_mode = true\ncount_include_pad = false",
            Op::AvgPool2d(AvgPool2d {
                ceil_mode: true,
                count_include_pad: false,
                ..AvgPool2d::new(3).stride(2).padding(1)
            }),
        ),
        ("op = 'batch_norm2d'", Op::BatchNorm2d(BatchNorm2d { eps: 1e-5, momentum: 0.1 })),
        (
            "op = 'batch_norm2d'\neps = 0.001\nmomentum = 1",
            Op::BatchNorm2d(BatchNorm2d { eps: 1e-3, momentum: 1.0 }),
        ),
        (
            "op = 'normalize'\nmean = [0.5, 0.25, 0, -1]\nstd = [0.5, 0.25, 1, 2]",
            Op::Normalize(Normalize { mean: vec![0.5, 0.25, 0.0, -1.0], std: vec![0.5, 0.25, 1.0, 2.0] }),
        ),
        ("op = 'global_avg_pool'", Op::GlobalAvgPool),
        ("op = 'dropout'\np = 0.3", Op::dropout(0.3)),
        ("op = 'dropout'\np = 0", Op::dropout(0.0)),
        ("op = 'relu'", Op::Relu),
        ("op = 'gelu'", Op::Gelu),
        ("op = 'silu'", Op::Silu),
        ("op = 'tanh'", Op::Tanh),
        ("op = 'sigmoid'", Op::Sigmoid),
        ("op = 'softmax'", Op::Softmax),
        ("op = 'flatten'", Op::Flatten),
        ("op = 'add'\ninputs = ['input', 'input']", Op::Add),
        ("op = 'concat'\ninputs = ['input', 'input']", Op::Concat),
    ];
    let row = |(layer, op): (&str, Op)| {
        let graph = Graph::from_toml(&file("[4, 9, 7]", layer));
        let found = graph.map_or_else(|e| e.to_string(), |graph| format!("{:?}", graph.nodes()[0].op));
        (layer.to_owned(), found, format!("{op:?}"))
    };
    assert_rows(&rows.into_iter().map(row).collect::<Vec<_>>());
    let linear = Graph::from_toml(&file("[12]", "op = 'linear'\nout_features = 5")).unwrap();
    assert_eq!(linear.nodes()[0].op, Op::Linear(Linear::new(5)));
}

#[test]
fn layers_read_the_one_above_or_those_they_name() {
    let text = "name = 'net'\ninput = [2]\n[[layers]]\nop = 'relu'\n[[layers]]\nname = 'b'\nop = 'tanh'\n\
                [[layers]]\nop = 'add'\ninputs = ['0', 'b']\n";
    let graph = Graph::from_toml(text).unwrap();
    let names: Vec<&str> = graph.nodes().iter().map(|node| &node.name[..]).collect();
    assert_eq!(names, ["0", "b", "2"]);
    let reads: Vec<Vec<&str>> = graph
        .nodes()
        .iter()
        .map(|node| node.inputs.iter().map(|&value| graph.value_name(value)).collect())
        .collect();
    assert_eq!(reads, [vec!["input"], vec!["0"], vec!["0", "b"]]);
}

#[test]
fn a_file_is_written_as_one_would_write_it() {
    let ops = [
        Op::Conv2d(Conv2d { kernel: [3, 5], ..Conv2d::new(8, 3) }),
        Op::dropout(0.3),
        Op::Flatten,
        Op::Linear(Linear::new(10)),
    ];
    let expected = "\
name = \"net\"
input = [1, 9, 9]

[[layers]]
op = \"conv2d\"
out_channels = 8
kernel = [3, 5]
stride = 1
padding = 0
dilation = 1
groups = 1
bias = true

[[layers]]
op = \"dropout\"
p = 0.3

[[layers]]
op = \"flatten\"

[[layers]]
op = \"linear\"
out_features = 10
bias = true
";
    assert_eq!(Graph::sequential("net", &[1, 9, 9], ops).unwrap().to_toml(), expected);
}

#[test]
fn every_mistake_in_a_layer_is_named() {
    let ops = "expected one of `conv2d`, `max_pool2d`, `avg_pool2d`, `global_avg_pool`, `batch_norm2d`, `normalize`, `linear`, \
               `relu`, `gelu`, `silu`, `tanh`, `sigmoid`, `softmax`, `dropout`, `flatten`, `add`, `concat`";
    // `{layer}` stands for "layer 1 of the network file", `{ops}` for the list of all ops.
    let rows = [
        ("op = 'conv3d'", "{layer}: unknown op `conv3d`, {ops}"),
        ("kernel = 3", "{layer}: it has no `op`; say which, for instance op = \"relu\""),
        ("op = 3", "{layer}: `op` must be a string, not integer"),
        ("op = 'relu'\nslope = 0.1", "{layer}: `relu` has no settings; delete `slope`"),
        ("op = 'dropout'\np = 0.3\nq = 1", "{layer}: unknown setting `q`, expected `p`"),
        ("op = 'batch_norm2d'\neta = 1", "{layer}: unknown setting `eta`, expected `eps` or `momentum`"),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = 3\nstrides = 2",
            "{layer}: unknown setting `strides`, expected one of `out_channels`, `kernel`, `stride`, `padding`, `dilation`, `groups`, `bias`",
        ),
        (
            "op = 'max_pool2d'\nkernel = 2\ncount_include_pad = true",
            "{layer}: unknown setting `count_include_pad`, expected one of `kernel`, `stride`, `padding`, `dilation`, `ceil_mode`",
        ),
        ("op = 'conv2d'\nkernel = 3", "{layer}: missing setting `out_channels`"),
        (
            "op = 'conv2d'\nout_channels = '8'\nkernel = 3",
            "{layer}: invalid type: string \"8\", expected a whole number from 0 up, in `out_channels`",
        ),
        (
            "op = 'conv2d'\nout_channels = -8\nkernel = 3",
            "{layer}: invalid value: integer `-8`, expected a whole number from 0 up, in `out_channels`",
        ),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = 3.5",
            "{layer}: expected a whole number or [height, width], in `kernel`",
        ),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = [3, 3, 3]",
            "{layer}: expected a whole number or [height, width], in `kernel`",
        ),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = -3",
            "{layer}: expected a whole number or [height, width], in `kernel`",
        ),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = 3\nbias = 1",
            "{layer}: invalid type: integer `1`, expected a boolean, in `bias`",
        ),
        ("op = 'dropout'", "{layer}: missing setting `p`"),
        ("op = 'dropout'\np = '30%'", "{layer}: invalid type: string \"30%\", expected a number, in `p`"),
        (
            "op = 'dropout'\np = 1.5",
            "node `0` (dropout): p is 1.5; use a probability from 0 up to, but not including, 1",
        ),
        ("name = 3\nop = 'relu'", "{layer}: `name` must be a string, not integer"),
        (
            "name = 'a b'\nop = 'relu'",
            "`a b` is no name for a node; use letters, digits, `_`, `-` and `.`, and not `input`",
        ),
        (
            "name = 'input'\nop = 'relu'",
            "`input` is no name for a node; use letters, digits, `_`, `-` and `.`, and not `input`",
        ),
        ("name = 'act'\nop = 'rélu'", "{layer} (`act`): unknown op `rélu`, {ops}"),
        ("op = 'relu'\ninputs = 'input'", "{layer}: `inputs` must be a list of layer names"),
        ("op = 'relu'\ninputs = [1]", "{layer}: `inputs` must be a list of layer names"),
        (
            "op = 'relu'\ninputs = ['conv']",
            "node `0` reads `conv`, which no node before it is named; known are: input",
        ),
        ("op = 'relu'\ninputs = []", "node `0` (relu): it takes one input, but 0 are wired to it"),
        (
            "op = 'linear'\nout_features = 10",
            "node `0` (linear): it takes [N, F], but its input is [N, 4, 9, 7]; wire a flatten before it",
        ),
        (
            "op = 'conv2d'\nout_channels = 8\nkernel = 10",
            "node `0` (conv2d): on its input [N, 4, 9, 7], along the height: a kernel of 10 with dilation 1 spans 10 \
             elements, but the input has 9 and, with padding 0 on both sides, 9; use a kernel of at most 9, or padding of at least 1",
        ),
    ];
    let row = |(layer, expected): (&str, &str)| {
        let found = Graph::from_toml(&file("[4, 9, 7]", layer));
        let found = found.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
        let expected = expected.replace("{layer}", "layer 1 of the network file").replace("{ops}", ops);
        (layer.to_owned(), found, expected)
    };
    assert_rows(&rows.map(row));
}

#[test]
fn every_mistake_in_a_file_is_named() {
    let two = |second: &str| format!("{}\n[[layers]]\n{second}\n", file("[4]", "name = 'a'\nop = 'relu'"));
    let rows = [
        (String::new(), "not a network file: TOML parse error at line 1, column 1; missing setting `name`"),
        (
            "name = 'net'\ninput = [4]\n".to_owned(),
            "not a network file: TOML parse error at line 1, column 1; missing setting `layers`",
        ),
        (
            "name = 'net'\ninput = [4]\nlayers = []\n".to_owned(),
            "graph `net` has no layers; add at least one",
        ),
        (
            "name = 'net'\ninput = [4]\nlayers = 3\n".to_owned(),
            "not a network file: TOML parse error at line 3, column 10; invalid type: integer `3`, expected a sequence",
        ),
        (
            "name = 'net'\n[[layers]]\nop = 'relu'".to_owned(),
            "not a network file: TOML parse error at line 1, column 1; missing setting `input`",
        ),
        (
            "name = 'net'\ninput = [4]\ninputs = [4]\n[[layers]]\nop = 'relu'".to_owned(),
            "not a network file: TOML parse error at line 3, column 1; unknown setting `inputs`, expected one of `name`, `input`, `layers`",
        ),
        (
            "name = 'net'\ninput = 4\n[[layers]]\nop = 'relu'".to_owned(),
            "not a network file: TOML parse error at line 2, column 9; invalid type: integer `4`, expected a sequence",
        ),
        (
            "name = 'net'\ninput = [4, -1]\n[[layers]]\nop = 'relu'".to_owned(),
            "not a network file: TOML parse error at line 2, column 13; invalid value: integer `-1`, expected a whole number from 0 up",
        ),
        (
            "name = 'net'\ninput = [4, 0]\n[[layers]]\nop = 'relu'".to_owned(),
            "the input of graph `net`: a size of [4, 0] is 0; every size must be at least 1",
        ),
        (
            "name = 'net'\ninput = []\n[[layers]]\nop = 'relu'".to_owned(),
            "the input of graph `net`: it has no sizes; give at least one, such as [1, 28, 28] for channels, height and width",
        ),
        (
            "name = 'my net'\ninput = [4]\n[[layers]]\nop = 'relu'".to_owned(),
            "`my net` is no name for a graph; use letters, digits, `_`, `-` and `.`, and not `input`",
        ),
        (
            "name = 'net'\ninput = [4]\n[[layers]\nop = 'relu'".to_owned(),
            "not a network file: TOML parse error at line 3, column 10; unclosed array table, expected `]`",
        ),
        (
            "name = 'net'\ninput = [4]\n[[layers]]\nop = relu".to_owned(),
            "not a network file: TOML parse error at line 4, column 6; string values must be quoted, expected literal string",
        ),
        (
            "name = 'net'\nname = 'net'\ninput = [4]\n[[layers]]\nop = relu".to_owned(),
            "not a network file: TOML parse error at line 2, column 1; duplicate key",
        ),
        (two("name = 'a'\nop = 'relu'"), "two nodes are named `a`; give each its own name"),
        (
            two("name = 'b'\nop = 'relu'\ninputs = ['c']"),
            "node `b` reads `c`, which no node before it is named; known are: input, a",
        ),
        (
            two("op = 'relu'\ninputs = ['input']"),
            "nothing reads the output of node `a`; wire it onward or delete it",
        ),
        (two("op = 'add'"), "node `1` (add): it takes two inputs, but 1 is wired to it"),
        (two("op = 'linear'\nout_features = 0"), "node `1` (linear): out_features is 0; use at least 1"),
    ];
    let row = |(text, expected): (String, &str)| {
        let found = Graph::from_toml(&text).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
        // The TOML reader also quotes the line: `3 | [[layers]`.
        let found: Vec<&str> = found.lines().filter(|line| !line.contains(" |")).collect();
        (text, found.join("; "), expected.to_owned())
    };
    assert_rows(&rows.map(row));
}
