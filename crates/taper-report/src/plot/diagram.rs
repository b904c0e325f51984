//! The network as a diagram: a box for each layer with the shape of what it gives, from the image down to the logits.

use taper_graph::{Graph, Node, Op, Shape};

use super::Plot;
use super::font::{self, WIDER};
use super::items::{Anchor, Item, line, rect, text};
use super::palette::{BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, Paint};

const WIDTH: f32 = 440.0;

/// The height of a box, and from one to the next.
const BOX: f32 = 27.0;
const STEP: f32 = 40.0;

/// Where the first box begins.
const TOP: f32 = 36.0;

/// The width of the strip for one connection that skips layers, and of those for all.
const LANE: f32 = 14.0;
const LANES: f32 = 56.0;

/// The size of the text.
const LABELS: f32 = 12.5;

/// The free width between the texts of a box.
const GAP: f32 = 12.0;

/// Draws the network.
pub(crate) fn diagram(graph: &Graph) -> Plot {
    let rows = graph.nodes().len() + 1;
    let skips = lanes(skips(graph));
    let count = skips.iter().map(|skip| skip.lane + 1).max().unwrap_or(0);
    let lane = LANE.min(LANES / count.max(1) as f32);
    let left = 12.0 + lane * count as f32;
    let size = [WIDTH, TOP + STEP * rows as f32];
    let words = graph.nodes().iter().map(|node| format!("{} {}", node.name, what(&node.op)));
    let description = format!(
        "From the input {} through {} to the output {}.",
        graph.input_shape(),
        words.collect::<Vec<_>>().join(", "),
        graph.output_shape()
    );
    let mut plot = Plot::new("network", "Network", &description, size);
    let items = &mut plot.items;
    items.push(text(format!("Network: {}", graph.name()), [12.0, 20.0], 15.0, Anchor::Start, INK));
    let columns = [left, left + GAP + room_for_names(graph, left) + GAP];
    row(items, 0, columns, ["input", "an image", &item(graph.input_shape())], MUTED);
    for (index, node) in graph.nodes().iter().enumerate() {
        let labels = [&*node.name, &what(&node.op), &item(&node.shape)];
        row(items, index + 1, columns, labels, kind(&node.op));
        if node.inputs.iter().any(|input| input.index() == index) {
            let x = (left + WIDTH - 12.0) / 2.0;
            let from = TOP + STEP * index as f32 + BOX;
            arrow(items, vec![[x, from], [x, from + STEP - BOX]], [0.0, 1.0]);
        }
    }
    for skip in skips {
        let x = left - lane * (skip.lane as f32 + 0.7);
        let [from, to] = [skip.from, skip.to].map(|at| TOP + STEP * at as f32 + BOX / 2.0);
        // It leaves below the middle of a box and arrives above it, so that two do not touch.
        let (from, to) = (from + 5.0, to - 5.0);
        arrow(items, vec![[left, from], [x, from], [x, to], [left, to]], [1.0, 0.0]);
    }
    plot
}

/// One box with its name, what it does, and the shape it gives.
fn row(
    items: &mut Vec<Item>,
    number: usize,
    [left, middle]: [f32; 2],
    [name, what, shape]: [&str; 3],
    paint: Paint,
) {
    let (y, right) = (TOP + STEP * number as f32, WIDTH - 12.0);
    let (at, size) = ([left, y], [right - left, BOX]);
    items.push(rect(at, size, paint.with_alpha(0.12)));
    items.push(rect(at, [4.0, BOX], paint));
    let line = y + 18.0;
    let name = font::end_of(name, LABELS, (middle - left - 2.0 * GAP) / WIDER);
    items.push(text(name, [left + GAP, line], LABELS, Anchor::Start, MUTED));
    items.push(text(what, [middle, line], LABELS, Anchor::Start, INK));
    items.push(text(shape, [right - GAP, line], LABELS, Anchor::End, INK));
}

/// What the names of layers have of the width: as much as they need, if what the layers do and give can be told beside them.
fn room_for_names(graph: &Graph, left: f32) -> f32 {
    let widest = |text: fn(&Node) -> String| {
        graph.nodes().iter().map(|node| font::width(&text(node), LABELS)).fold(0.0, f32::max)
    };
    let others = WIDER * (widest(|node| what(&node.op)) + widest(|node| item(&node.shape)));
    let names = WIDER * widest(|node| node.name.clone());
    (WIDTH - 12.0 - left - 4.0 * GAP - others).min(names).max(WIDER * font::width("input", LABELS))
}

/// A line with a head that points along `way`.
fn arrow(items: &mut Vec<Item>, points: Vec<[f32; 2]>, way: [f32; 2]) {
    let Some(&[x, y]) = points.last() else { return };
    items.push(line(points, 1.4, MUTED));
    let ([along, across], back) = (way, 6.0);
    let base = [x - along * back, y - across * back];
    let wing = |side: f32| [base[0] + across * side, base[1] + along * side];
    items.push(Item::Polygon { points: vec![[x, y], wing(3.5), wing(-3.5)], paint: MUTED });
}

/// A connection from one row to another that is not the next.
struct Skip {
    from: usize,
    to: usize,
    lane: usize,
}

fn skips(graph: &Graph) -> Vec<Skip> {
    let of_node = |(index, node): (usize, &Node)| {
        let froms: Vec<usize> =
            node.inputs.iter().map(|input| input.index()).filter(|&from| from != index).collect();
        froms.into_iter().map(move |from| Skip { from, to: index + 1, lane: 0 })
    };
    graph.nodes().iter().enumerate().flat_map(of_node).collect()
}

/// Gives each connection the innermost lane that no other takes beside it, the short ones first.
fn lanes(mut skips: Vec<Skip>) -> Vec<Skip> {
    skips.sort_by_key(|skip| (skip.to - skip.from, skip.from));
    let mut placed: Vec<Skip> = Vec::with_capacity(skips.len());
    for skip in skips {
        let taken = |lane: usize| {
            placed.iter().any(|other| other.lane == lane && other.from < skip.to && skip.from < other.to)
        };
        let lane = (0..).find(|&lane| !taken(lane)).unwrap_or(0);
        placed.push(Skip { lane, ..skip });
    }
    placed
}

/// What an op does, in a few words.
fn what(op: &Op) -> String {
    let window = |[height, width]: [usize; 2]| format!("{height}×{width}");
    match op {
        Op::Conv2d(conv) => format!("convolution {}{}", window(conv.kernel), by(conv.stride)),
        Op::MaxPool2d(pool) => format!("max-pool {}{}", window(pool.kernel), by(pool.stride)),
        Op::AvgPool2d(pool) => format!("average-pool {}{}", window(pool.kernel), by(pool.stride)),
        Op::GlobalAvgPool => "mean of each map".to_owned(),
        Op::BatchNorm2d(_) => "batch norm".to_owned(),
        Op::Normalize(_) => "normalise".to_owned(),
        Op::Linear(_) => "linear".to_owned(),
        Op::Relu => "ReLU".to_owned(),
        Op::Dropout(dropout) => format!("dropout {}", dropout.p),
        Op::Add => "sum".to_owned(),
        Op::Flatten | Op::Concat | Op::Softmax | Op::Gelu | Op::Silu | Op::Tanh | Op::Sigmoid => {
            op.name().to_owned()
        }
    }
}

/// The stride, if it is not 1.
fn by(stride: [usize; 2]) -> String {
    match stride {
        [1, 1] => String::new(),
        [height, width] if height == width => format!(", every {height}"),
        [height, width] => format!(", every {height}×{width}"),
    }
}

/// Layers with weights, layers that make maps smaller, and the rest.
fn kind(op: &Op) -> Paint {
    match op {
        Op::Conv2d(_) => BLUE,
        Op::Linear(_) => PURPLE,
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::GlobalAvgPool => GREEN,
        Op::Add | Op::Concat => ORANGE,
        _ => MUTED,
    }
}

/// `32×28×28` of `[N, 32, 28, 28]`.
fn item(shape: &Shape) -> String {
    shape.item().iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}
