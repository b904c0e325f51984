//! From numbers to bytes.

/// A byte `q` stands for `scale·(q - zero)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) scale: f32,
    pub(super) zero: u8,
}

impl Affine {
    /// For numbers in a range, and for 0, which stands for itself exactly: padding adds it.
    pub(super) fn of([low, high]: [f32; 2]) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let scale = ((high - low) / 255.0) as f32;
        // Nothing but zeros, or numbers too small to have a scale.
        if !scale.is_normal() {
            return Self { scale: 1.0, zero: 0 };
        }
        Self { scale, zero: (-low / f64::from(scale)).round().clamp(0.0, 255.0) as u8 }
    }
}

/// The greatest weight: 7 bits and a sign. 255·64·2 is the most that two products make, and fits in 16 bits.
const GREATEST: f32 = 64.0;

/// A weight as whole numbers: `q·scale` of its channel.
pub(super) struct Weight {
    pub(super) numbers: Vec<i8>,
    /// One for each channel.
    pub(super) scales: Vec<f32>,
}

/// Quantises a weight of the sizes `dims`, whose output channels are `axis`.
///
/// The bias of a channel is written in units of its scale times `input`, in 32 bits; where it is so much greater than
/// the weights that this overflows, the scale grows.
pub(super) fn weight(data: &[f32], dims: &[usize], axis: usize, bias: Option<&[f32]>, input: f32) -> Weight {
    let channels = dims[axis];
    let inner: usize = dims[axis + 1..].iter().product();
    let channel = |place: usize| place / inner.max(1) % channels.max(1);
    let mut greatest = vec![0.0f32; channels];
    for (place, number) in data.iter().enumerate() {
        let most = &mut greatest[channel(place)];
        *most = most.max(number.abs());
    }
    let scale = |(channel, greatest): (usize, f32)| {
        let bias = bias.map_or(0.0, |bias| bias[channel].abs());
        let least = f64::from(bias) / f64::from(input) / f64::from(i32::MAX / 2);
        let scale = (greatest / GREATEST).max(least as f32);
        if scale.is_normal() { scale } else { 1.0 }
    };
    let scales: Vec<f32> = greatest.into_iter().enumerate().map(scale).collect();
    let round = |(place, number): (usize, &f32)| {
        (number / scales[channel(place)]).round_ties_even().clamp(-GREATEST, GREATEST) as i8
    };
    Weight { numbers: data.iter().enumerate().map(round).collect(), scales }
}

/// A bias in units of the scales of weight and input.
pub(super) fn bias(data: &[f32], scales: &[f32]) -> Vec<i32> {
    let round = |(bias, scale): (&f32, &f32)| (f64::from(*bias) / f64::from(*scale)).round_ties_even() as i32;
    data.iter().zip(scales).map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::{Affine, bias, weight};

    #[test]
    fn zero_stands_for_itself() {
        let cases = [
            ([0.0, 255.0], 1.0, 0),
            ([-128.0, 127.0], 1.0, 128),
            ([-51.0, 0.0], 0.2, 255),
            ([2.0, 51.0], 0.2, 0),
            ([0.0, 0.0], 1.0, 0),
            ([0.0, 1e-44], 1.0, 0),
        ];
        for (range, scale, zero) in cases {
            assert_eq!(Affine::of(range), Affine { scale, zero }, "{range:?}");
        }
    }

    #[test]
    fn every_channel_uses_all_seven_bits() {
        let rows = weight(&[1.0, -2.0, 0.5, 0.25], &[2, 2], 0, None, 1.0);
        assert_eq!((rows.numbers, rows.scales), (vec![32, -64, 64, 32], vec![2.0 / 64.0, 0.5 / 64.0]));
        let columns = weight(&[1.0, -2.0, 0.5, 0.25], &[2, 2], 1, None, 1.0);
        assert_eq!((columns.numbers, columns.scales), (vec![64, -64, 32, 8], vec![1.0 / 64.0, 2.0 / 64.0]));
    }

    #[test]
    fn a_bias_far_above_its_weights_still_fits() {
        let (numbers, input) = ([1e-6, 0.0], 1e-3);
        let made = weight(&numbers, &[2, 1], 0, Some(&[3.0, -5.0]), input);
        let units: Vec<f32> = made.scales.iter().map(|scale| scale * input).collect();
        let whole = bias(&[3.0, -5.0], &units);
        for (whole, (unit, bias)) in whole.iter().zip(units.iter().zip([3.0, -5.0])) {
            assert!((f64::from(*whole) * f64::from(*unit) - bias).abs() < 1e-6, "{whole} of {unit}");
        }
    }
}
