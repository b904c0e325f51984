//! How a confusion matrix is shown, in tables and in pictures alike: how strongly its cells are coloured, and which are told
//! of in words.

/// Classes up to which a confusion matrix tells every count; a wider one is wider than a page.
pub(crate) const TOLD: usize = 20;

/// What a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// Nothing.
    None,
    /// Images classified rightly.
    Right,
    /// Mistakes.
    Wrong,
}

/// The strongest shade that bears dark digits.
const WEAK: f32 = 0.5;

/// The weakest shade that bears light digits.
pub(crate) const STRONG: f32 = 0.9;

/// The sum of counts. Those of a damaged file may have none.
pub(crate) fn total<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    counts.into_iter().fold(0, |sum, &count| sum.saturating_add(count))
}

pub(crate) fn kind_of(truth: usize, taken: usize, count: u64) -> CellKind {
    match count {
        0 => CellKind::None,
        _ if truth == taken => CellKind::Right,
        _ => CellKind::Wrong,
    }
}

/// From 0 to 1. A handful of mistakes among a thousand images is what one looks for, so that they go by the root of
/// their share, and a single one can be seen. The shades between [`WEAK`] and [`STRONG`] are left out: on them neither dark
/// nor light digits have 4.5 times the contrast that reading needs (WCAG 2.2, 1.4.3), in light and dark mode.
pub(crate) fn strength(count: u64, support: u64, kind: CellKind) -> f32 {
    let share = count as f32 / support.max(1) as f32;
    let strength = match kind {
        CellKind::None => 0.0,
        CellKind::Right => 0.25 + 0.75 * share * share,
        CellKind::Wrong => (0.14 + 1.6 * share.sqrt()).min(1.0),
    };
    match strength > 0.6 {
        true => STRONG + (1.0 - STRONG) * (strength - 0.6) / 0.4,
        false => WEAK * strength / 0.6,
    }
}

/// The cells off the diagonal that count something, the greatest first: how often a class was taken for another one.
pub(crate) fn mistakes(counts: &[Vec<u64>]) -> Vec<(u64, usize, usize)> {
    let cells = counts.iter().enumerate();
    let cells =
        cells.flat_map(|(truth, row)| row.iter().enumerate().map(move |(taken, &n)| (n, truth, taken)));
    let mut wrong: Vec<_> = cells.filter(|&(n, truth, taken)| n > 0 && truth != taken).collect();
    // Stable: among equals the first in reading order stays first.
    wrong.sort_by_key(|&(n, ..)| std::cmp::Reverse(n));
    wrong
}
