//! The sizes to record at, and the formulas through what was found there.

use std::collections::BTreeMap;

use crate::onnx::parts::Size;

/// A size that is known only when the graph runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) name: String,
    /// The size of the sample.
    pub(super) size: i64,
    /// What sizes are multiples of.
    pub(super) step: i64,
}

/// The sizes to record at: every combination of the sample's sizes and those one step smaller, and one where all
/// are two steps smaller, to see whether what was found holds.
pub(super) fn points(axes: &[Axis]) -> Vec<BTreeMap<String, i64>> {
    let at = |steps: &dyn Fn(usize) -> i64| {
        let size = |(place, axis): (usize, &Axis)| (axis.name.clone(), axis.size - steps(place) * axis.step);
        axes.iter().enumerate().map(size).collect()
    };
    let corners = 1usize << axes.len();
    let mut points: Vec<_> =
        (0..corners).map(|corner| at(&|place| i64::from((corner >> place) & 1 == 1))).collect();
    if !axes.is_empty() {
        points.push(at(&|_| 2));
    }
    points
}

/// The formula that takes these values at [`points`]: a sum of products of sizes, if there is one.
pub(super) fn fit(values: &[i64], axes: &[Axis], points: &[BTreeMap<String, i64>]) -> Option<Size> {
    let (&check, corners) =
        values.split_last().filter(|_| !axes.is_empty()).unwrap_or((values.first()?, values));
    let formula = through(corners, axes)?;
    (formula.value(points.last()?) == Some(check)).then_some(formula)
}

/// Through the corners, one axis after the other: a line through what was found at its two ends.
fn through(corners: &[i64], axes: &[Axis]) -> Option<Size> {
    let Some((axis, rest)) = axes.split_last() else { return corners.first().copied().map(Size::from) };
    let (high, low) = corners.split_at(corners.len() / 2);
    let (high, low) = (through(high, rest)?, through(low, rest)?);
    let minus = |a: &Size, b: &Size| a.plus(&b.times(&Size::from(-1)));
    let (rise, run) = (minus(&high, &low), Size::from(axis.step));
    let above = minus(&Size::named(&axis.name), &Size::from(axis.size - axis.step));
    Some(low.times(&run).plus(&rise.times(&above)).over(axis.step))
}

/// `N = 4 T = 6, N = 3 T = 6, …`
pub(super) fn listed(points: &[BTreeMap<String, i64>]) -> String {
    let point = |point: &BTreeMap<String, i64>| {
        point.iter().map(|(name, size)| format!("{name} = {size}")).collect::<Vec<_>>().join(" ")
    };
    points.iter().map(point).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Vec<Axis> {
        let axis = |name: &str, size, step| Axis { name: name.to_owned(), size, step };
        vec![axis("N", 5, 1), axis("T", 12, 4)]
    }

    #[test]
    fn formulas_are_found_through_their_values() {
        let (axes, mut texts) = (axes(), Vec::new());
        let points = points(&axes);
        assert_eq!(points.len(), 5);
        let formulas: [fn(i64, i64) -> i64; 6] =
            [|_, _| 7, |n, _| n, |n, t| n * t, |n, t| 2 * n * t + t - 3, |_, t| t / 2, |_, t| t / 8];
        for formula in formulas {
            let values: Vec<i64> = points.iter().map(|point| formula(point["N"], point["T"])).collect();
            texts.push(fit(&values, &axes, &points).map(|size| size.to_string()));
        }
        let found: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        // An eighth of a multiple of 4 is no line.
        assert_eq!(
            found,
            [Some("7"), Some("N"), Some("N*T"), Some("2*N*T + T - 3"), Some("floor(T/2)"), None]
        );
    }
}
