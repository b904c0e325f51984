//! A confusion matrix as a map of heat.

use super::Plot;
use super::font;
use super::items::{Anchor, Item, rect, text};
use super::palette::{BLUE, INK, MUTED, PAPER, Paint, RED, RULE};
use crate::picture::Picture;
use crate::shade::{CellKind, STRONG, TOLD, kind_of, strength, total};

/// The side of a cell with a number in it, in pixels.
const ROOMY: f32 = 44.0;

/// The side of the whole matrix of more classes than have such cells.
const MAP: f32 = 380.0;

/// The size of the text.
const LABELS: f32 = 12.5;

/// The confusion matrix `counts[truth][prediction]` of classes with these names.
pub(crate) fn matrix(names: &[String], counts: &[Vec<u64>]) -> Plot {
    let right: Vec<u64> = counts.iter().enumerate().map(|(class, row)| row[class]).collect();
    let (all, right) = (total(counts.iter().flatten()), total(&right));
    let wrong = all.saturating_sub(right);
    let description = format!(
        "{all} test images by their class (rows) and the class they were taken for (columns); {wrong} lie off the diagonal.",
    );
    if counts.len() <= TOLD { numbered(names, counts, &description) } else { map(counts, &description) }
}

/// A matrix with its upper left corner at `at` and room for its classes, `side` pixels large, before its cells are drawn.
fn frame(description: &str, at: [f32; 2], side: f32) -> Plot {
    let size = at.map(|start| start + side + 14.0);
    let mut plot = Plot::new("confusion", "Confusion matrix", description, size);
    plot.items.push(text("Confusion matrix", [12.0, 20.0], 15.0, Anchor::Start, INK));
    plot.items.push(text("prediction", [at[0] + side / 2.0, 44.0], LABELS, Anchor::Middle, MUTED));
    plot.items.push(upwards("truth", [22.0, at[1] + side / 2.0], Anchor::Middle));
    plot
}

/// Few classes: every cell has its count, every row and column its name.
fn numbered(names: &[String], counts: &[Vec<u64>], description: &str) -> Plot {
    let longest = names.iter().map(|name| font::width(name, LABELS)).fold(0.0, f32::max);
    let turned = longest > ROOMY - 6.0;
    let [left, top] = [40.0 + longest, if turned { 64.0 + longest } else { 74.0 }];
    let mut plot = frame(description, [left, top], ROOMY * counts.len() as f32);
    let items = &mut plot.items;
    for (truth, row) in counts.iter().enumerate() {
        let support = total(row);
        for (taken, &count) in row.iter().enumerate() {
            let at = [left + ROOMY * taken as f32, top + ROOMY * truth as f32];
            cell(items, at, paint((truth, taken), count, support), count);
        }
        let middle = ROOMY * (truth as f32 + 0.5);
        items.push(text(&*names[truth], [left - 8.0, top + middle + 4.5], LABELS, Anchor::End, INK));
        let x = left + middle;
        items.push(match turned {
            true => upwards(&names[truth], [x + 4.5, top - 8.0], Anchor::Start),
            false => text(&*names[truth], [x, top - 8.0], LABELS, Anchor::Middle, INK),
        });
    }
    plot
}

/// One cell, with its count if there is one.
fn cell(items: &mut Vec<Item>, at: [f32; 2], paint: Paint, count: u64) {
    let side = ROOMY - 1.0;
    items.push(rect(at, [side, side], paint));
    if count > 0 {
        let middle = [at[0] + side / 2.0, at[1] + side / 2.0 + 4.5];
        let ink = if paint.alpha >= STRONG { PAPER } else { INK };
        items.push(text(count.to_string(), middle, LABELS, Anchor::Middle, ink));
    }
}

/// Many classes: a picture with a pixel for every cell, and the numbers of some classes.
fn map(counts: &[Vec<u64>], description: &str) -> Plot {
    let classes = counts.len();
    let [left, top] = [62.0, 74.0];
    let mut plot = frame(&format!("{description} Classes are numbered from 0."), [left, top], MAP);
    let support: Vec<u64> = counts.iter().map(total).collect();
    let picture = Picture::paint([classes, classes], |taken, truth| {
        paint((truth, taken), counts[truth][taken], support[truth]).on_paper()
    });
    plot.items.push(Item::Picture { picture, at: [left, top], size: [MAP, MAP] });
    let apart = [5, 10, 20, 25, 50, 100].into_iter().find(|apart| classes / apart < 10).unwrap_or(classes);
    for class in (0..classes).step_by(apart) {
        let middle = MAP * (class as f32 + 0.5) / classes as f32;
        let (number, [x, y]) = (class.to_string(), [left + middle, top + middle]);
        plot.items.push(text(&*number, [left - 8.0, y + 4.5], LABELS, Anchor::End, INK));
        plot.items.push(text(number, [x, top - 8.0], LABELS, Anchor::Middle, INK));
    }
    plot
}

fn paint((truth, taken): (usize, usize), count: u64, support: u64) -> Paint {
    let kind = kind_of(truth, taken, count);
    match kind {
        CellKind::None => RULE.with_alpha(0.35),
        CellKind::Right => BLUE.with_alpha(strength(count, support, kind)),
        CellKind::Wrong => RED.with_alpha(strength(count, support, kind)),
    }
}

fn upwards(words: &str, at: [f32; 2], anchor: Anchor) -> Item {
    Item::Text { text: words.to_owned(), at, size: LABELS, anchor, turned: true, paint: INK }
}
