//! Long rows of values made fit to be drawn.

/// More points than this on one line cannot be told apart.
const MOST_POINTS: usize = 1000;

/// Whether a value can be drawn: beyond this a number is damage, and the distance of two may have no value.
pub(super) fn is_sound(value: f64) -> bool {
    value.abs() <= 1e30
}

/// The mean of those values that can be drawn; none without any.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let sound = values.into_iter().filter(|&value| is_sound(value));
    let (sum, count) = sound.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Where an axis of accuracies begins, for all but a twentieth of these to lie above: the first steps climb from nothing, and
/// would press the rest together. A multiple of 5 %, and no more than 95 %.
pub(crate) fn floor(accuracies: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = accuracies.into_iter().filter(|&value| is_sound(value)).collect();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted.get(sorted.len() / 20)?;
    Some(((20.0 * usual).floor() / 20.0).clamp(0.0, 0.95))
}

/// The lowest and the highest point of each of some hundred stretches, which looks the same as all of them.
pub(super) fn thin(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let stretch = points.len().div_ceil(MOST_POINTS / 2);
    let mut kept = Vec::with_capacity(MOST_POINTS);
    for part in points.chunks(stretch) {
        let order = |a: &(usize, &[f64; 2]), b: &(usize, &[f64; 2])| a.1[1].total_cmp(&b.1[1]);
        let low = part.iter().enumerate().min_by(order);
        let high = part.iter().enumerate().max_by(order);
        let mut ends: Vec<(usize, &[f64; 2])> = low.into_iter().chain(high).collect();
        ends.sort_by_key(|(place, _)| *place);
        ends.dedup_by_key(|(place, _)| *place);
        kept.extend(ends.into_iter().map(|(_, point)| *point));
    }
    kept
}

/// The moving mean of points: each has the mean of its value and its `reach` neighbours' to both sides, as far as there are
/// any, so that the line through them is smooth. What is not a finite number does not count. Of a long row, some five hundred
/// points are given, the last among them.
///
/// ```
/// use taper_report::plot::smooth;
/// let points = [[0.0, 1.0], [1.0, 3.0], [2.0, 5.0], [3.0, 1.0]];
/// assert_eq!(smooth(&points, 1), [[0.0, 2.0], [1.0, 3.0], [2.0, 3.0], [3.0, 3.0]]);
/// assert_eq!(smooth(&[[0.0, 1.0], [1.0, f64::NAN]], 1), [[0.0, 1.0], [1.0, 1.0]]);
/// ```
#[must_use]
pub fn smooth(points: &[[f64; 2]], reach: usize) -> Vec<[f64; 2]> {
    let Some(last) = points.len().checked_sub(1) else { return Vec::new() };
    let stride = points.len().div_ceil(MOST_POINTS / 2);
    let places = (0..last).step_by(stride).chain([last]);
    let at = |at: usize| {
        let window = &points[at.saturating_sub(reach)..=at.saturating_add(reach).min(last)];
        Some([points[at][0], mean(window.iter().map(|point| point[1]))?])
    };
    places.filter_map(at).collect()
}
