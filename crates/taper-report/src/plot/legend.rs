//! Which line is which.

use super::axes::LABELS;
use super::font::{self, WIDER};
use super::items::{Anchor, Item, text};
use super::line::Series;
use super::palette::INK;

/// The width of the sample of a line, long enough to show its dashes.
const SAMPLE: f32 = 28.0;

/// From one row to the next.
const ROW: f32 = 17.0;

/// Draws the legend of a chart of this width below its title; of a single line, the title says what it is. Returns how much
/// more height it takes than one row.
pub(super) fn legend(series: &[Series], width: f32, items: &mut Vec<Item>) -> f32 {
    let (left, mut x, mut y) = (12.0, 12.0, 40.0);
    for series in series.iter().filter(|_| series.len() > 1) {
        let name = font::end_of(&series.name, LABELS, (width - 2.0 * left - SAMPLE - 5.0) / WIDER);
        let wide = SAMPLE + 5.0 + WIDER * font::width(&name, LABELS);
        if x > left && x + wide > width - left {
            (x, y) = (left, y + ROW);
        }
        items.push(series.stroke(vec![[x, y - 4.0], [x + SAMPLE, y - 4.0]]));
        items.push(text(name, [x + SAMPLE + 5.0, y], LABELS, Anchor::Start, INK));
        x += wide + 16.0;
    }
    y - 40.0
}
