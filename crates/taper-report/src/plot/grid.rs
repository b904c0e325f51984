//! Pictures in rows, each with lines of text below it.

use super::Plot;
use super::font::{self, WIDER};
use super::items::{Anchor, Item, text};
use super::palette::{GREEN, INK, MUTED, RED};
use crate::picture::Picture;

/// A picture and what stands below it.
pub(crate) struct Cell {
    pub(crate) picture: Picture,
    pub(crate) lines: Vec<String>,
    /// Whether the first line is good news; None leaves it plain.
    pub(crate) good: Option<bool>,
}

/// Distance between pictures, and to the edge.
const GAP: f32 = 12.0;

/// The height of one line of text, and the size of what stands there.
const LINE: f32 = 16.0;
const LINES: f32 = 11.5;

/// Rows of `columns` pictures, each `side` pixels wide.
pub(crate) fn grid(names: [&str; 2], description: &str, columns: usize, side: f32, cells: Vec<Cell>) -> Plot {
    let lines = cells.iter().map(|cell| cell.lines.len()).max().unwrap_or(0);
    let aspect = cells.first().map_or(1.0, |cell| {
        let [width, height] = cell.picture.size();
        height as f32 / width as f32
    });
    let (width, height) = (side, side * aspect);
    let step = [width + GAP, height + GAP + lines as f32 * LINE];
    let rows = cells.len().div_ceil(columns).max(1);
    let used = columns.min(cells.len()).max(1);
    let size = [(GAP + used as f32 * step[0]).max(240.0), 34.0 + rows as f32 * step[1]];
    let mut plot = Plot::new(names[0], names[1], description, size);
    plot.items.push(text(names[1], [GAP, 20.0], 15.0, Anchor::Start, INK));
    for (number, cell) in cells.into_iter().enumerate() {
        let at = [GAP + (number % columns) as f32 * step[0], 34.0 + (number / columns) as f32 * step[1]];
        plot.items.push(Item::Picture { picture: cell.picture, at, size: [width, height] });
        for (line, words) in cell.lines.into_iter().enumerate() {
            let paint = match (line, cell.good) {
                (0, Some(true)) => GREEN,
                (0, Some(false)) => RED,
                (0, None) => INK,
                _ => MUTED,
            };
            let below = at[1] + height + LINE * (line as f32 + 0.85);
            let words = font::start_of(&words, LINES, (width + GAP / 3.0) / WIDER);
            plot.items.push(text(words, [at[0] + width / 2.0, below], LINES, Anchor::Middle, paint));
        }
    }
    plot
}
