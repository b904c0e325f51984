//! The reliability diagram: how often a network is right beside how sure it was.

use taper_metrics::ReliabilityBin;

use super::Plot;
use super::items::{Anchor, Item, line, rect, text};
use super::palette::{BLUE, INK, MUTED, ORANGE, RULE};

const SIZE: [f32; 2] = [440.0, 380.0];

/// The corners of the square from 0 to 1.
const LEFT: f32 = 60.0;
const TOP: f32 = 56.0;
const WIDTH: f32 = 360.0;
const HEIGHT: f32 = 270.0;

/// A bar for each bin, as high as the share of its images that were classified rightly; on the diagonal that is what the
/// network's confidence promised (Guo et al. 2017, figure 1).
pub(crate) fn reliability(bins: &[ReliabilityBin], ece: f64) -> Plot {
    let filled = bins.iter().filter(|bin| bin.images > 0).count();
    let description = format!(
        "Accuracy by confidence in {} bins, {filled} of them with images. A network that is right as often as it says lies on \
         the diagonal; the expected calibration error is {:.2} %.",
        bins.len(),
        100.0 * ece
    );
    let mut plot = Plot::new("reliability", "Reliability", &description, SIZE);
    let items = &mut plot.items;
    items.push(text("Reliability", [12.0, 20.0], 15.0, Anchor::Start, INK));
    items.push(rect([12.0, 30.0], [12.0, 12.0], BLUE.with_alpha(0.75)));
    items.push(text("right, of the images in the bin", [29.0, 40.0], 12.5, Anchor::Start, INK));
    items.push(line(vec![[244.0, 36.0], [262.0, 36.0]], 2.0, ORANGE));
    items.push(text("as promised", [267.0, 40.0], 12.5, Anchor::Start, INK));
    axes(items);
    for bin in bins.iter().filter(|bin| bin.images > 0) {
        let (at, end) = (place(bin.lower, bin.accuracy), place(bin.upper, 0.0));
        items.push(rect([at[0] + 1.0, at[1]], [end[0] - at[0] - 2.0, end[1] - at[1]], BLUE.with_alpha(0.75)));
    }
    items.push(line(vec![place(0.0, 0.0), place(1.0, 1.0)], 2.0, ORANGE));
    plot
}

fn place(x: f64, y: f64) -> [f32; 2] {
    [LEFT + WIDTH * x as f32, TOP + HEIGHT * (1.0 - y as f32)]
}

fn axes(items: &mut Vec<Item>) {
    for tenth in (0..=10).step_by(2) {
        let value = f64::from(tenth) / 10.0;
        let label = format!("{} %", tenth * 10);
        let paint = if tenth == 0 { MUTED } else { RULE };
        items.push(line(vec![place(0.0, value), place(1.0, value)], 1.0, paint));
        let [x, y] = place(0.0, value);
        items.push(text(&*label, [x - 8.0, y + 4.5], 12.5, Anchor::End, MUTED));
        let [x, y] = place(value, 0.0);
        items.push(text(label, [x, y + 18.0], 12.5, Anchor::Middle, MUTED));
    }
    let [x, y] = place(0.5, 0.0);
    items.push(text(
        "confidence: probability of the class it named",
        [x, y + 40.0],
        12.5,
        Anchor::Middle,
        INK,
    ));
}
