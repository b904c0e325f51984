//! The sizes to record at, and the formulas through what was found there.

use std::collections::BTreeMap;

use crate::onnx::parts::Size;

/// A number for every dynamic size.
pub(super) type Sizes = BTreeMap<String, i64>;

/// A size that is known only when the graph runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) name: String,
    /// The size to record at: at least that of the sample.
    pub(super) size: i64,
    /// What sizes are multiples of.
    pub(super) step: i64,
    /// The smallest that occurs.
    pub(super) least: i64,
    /// The largest that occurs, if there is one.
    pub(super) most: Option<i64>,
}

/// The sizes to record at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Points {
    /// The corners, each axis at its size or one step below, from which the formulas are made; then where they are
    /// tested, two steps below: each axis on its own, and all at once. The model has to work there.
    pub(super) needed: Vec<Sizes>,
    /// Where they are tested if the model works there: far above, and at the smallest and largest of each axis.
    pub(super) tried: Vec<Sizes>,
}

/// The points of these axes.
pub(super) fn points(axes: &[Axis]) -> Points {
    let at = |size: &dyn Fn(usize, &Axis) -> i64| -> Sizes {
        axes.iter().enumerate().map(|(place, axis)| (axis.name.clone(), size(place, axis))).collect()
    };
    let below = |axis: &Axis, steps: i64| axis.size - steps * axis.step;
    let above = |axis: &Axis, size: i64| size.min(axis.most.unwrap_or(i64::MAX));
    let far = |axis: &Axis| above(axis, 2 * axis.size + 3 * axis.step);
    let alone = |own: usize, size: &dyn Fn(&Axis) -> i64| {
        at(&|place, axis| if place == own { size(axis) } else { axis.size })
    };
    let corners = 1usize << axes.len();
    let mut needed: Vec<Sizes> = (0..corners)
        .map(|corner| at(&|place, axis| below(axis, i64::from((corner >> place) & 1 == 1))))
        .collect();
    needed.extend((0..axes.len()).map(|own| alone(own, &|axis| below(axis, 2))));
    needed.push(at(&|_, axis| below(axis, 2)));
    let mut tried = Vec::new();
    for own in 0..axes.len() {
        tried.push(alone(own, &|axis| axis.least));
        tried.push(alone(own, &far));
        tried.push(alone(own, &|axis| axis.most.unwrap_or(axis.size)));
    }
    if axes.len() > 1 {
        tried.push(at(&|_, axis| above(axis, axis.size + 5 * axis.step)));
    }
    let mut known: Vec<Sizes> = Vec::new();
    let mut is_new = |point: &Sizes| {
        let is_new = !known.contains(point);
        known.extend(is_new.then(|| point.clone()));
        is_new
    };
    needed.retain(&mut is_new);
    tried.retain(&mut is_new);
    Points { needed, tried }
}

/// The formula that takes these values at `points`, corners first: a sum of products of sizes, if there is one.
pub(super) fn fit(values: &[i64], axes: &[Axis], points: &[Sizes]) -> Option<Size> {
    let formula = through(values.get(..1 << axes.len())?, axes)?;
    let holds = |(value, point): (&i64, &Sizes)| formula.value(point) == Some(*value);
    values.iter().zip(points).all(holds).then_some(formula)
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
pub(super) fn listed(points: &[Sizes]) -> String {
    let point = |point: &Sizes| {
        point.iter().map(|(name, size)| format!("{name} = {size}")).collect::<Vec<_>>().join(" ")
    };
    points.iter().map(point).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, size: i64, step: i64) -> Axis {
        Axis { name: name.to_owned(), size, step, least: step, most: None }
    }

    fn all(axes: &[Axis]) -> Vec<Sizes> {
        let Points { needed, tried } = points(axes);
        [needed, tried].concat()
    }

    #[test]
    fn points_are_near_far_and_each_on_its_own() {
        let numbers = |axes: &[Axis]| -> Vec<Vec<i64>> {
            all(axes).iter().map(|point| point.values().copied().collect()).collect()
        };
        assert_eq!(numbers(&[]), [vec![]; 1] as [Vec<i64>; 1]);
        assert_eq!(numbers(&[axis("N", 5, 1)]), [[5], [4], [3], [1], [13]]);
        let both = numbers(&[axis("N", 5, 1), axis("T", 12, 4)]);
        let needed = [[5, 12], [4, 12], [5, 8], [4, 8], [3, 12], [5, 4], [3, 4]];
        assert_eq!(both[..7], needed);
        assert_eq!(both[7..], [[1, 12], [13, 12], [5, 36], [10, 32]]);
        let bounded = Axis { least: 3, most: Some(9), ..axis("T", 6, 1) };
        assert_eq!(numbers(&[bounded]), [[6], [5], [4], [3], [9]]);
    }

    #[test]
    fn formulas_are_found_through_their_values() {
        let (axes, mut texts) = ([axis("N", 5, 1), axis("T", 12, 4)], Vec::new());
        let points = all(&axes);
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

    #[test]
    fn what_only_seems_a_formula_nearby_is_none() {
        let (h, w) = (axis("H", 10, 1), axis("W", 10, 1));
        let points = all(&[h.clone(), w.clone()]);
        type Formula = fn(i64, i64) -> i64;
        let formulas: [(&str, Formula); 6] = [
            ("an eighth", |h, _| h / 8),
            ("two roundings that cancel", |h, w| h / 2 - w / 2),
            ("the smaller", |h, w| h.min(w)),
            ("a limit above the sample", |h, _| h.min(16)),
            ("a limit below the sample", |h, _| h.max(2)),
            ("a square", |h, _| h * h),
        ];
        for (name, formula) in formulas {
            let values: Vec<i64> = points.iter().map(|point| formula(point["H"], point["W"])).collect();
            assert_eq!(fit(&values, &[h.clone(), w.clone()], &points), None, "{name}");
        }
    }
}
