//! Shifts by whole pixels, which keep every grey level.

use crate::batches::unit;

/// Fills `shifted` with `image`, of shape `[C, H, W]`, moved by `[x, y]` whole pixels: right and down, or left and up where
/// negative. Bytes become floats in 0…1; what comes from beyond the edge is 0.
///
/// ```
/// let mut shifted = [1.0; 4];
/// taper_data::shift_into(&[255, 0, 51, 0], [1, 2, 2], [1, 0], &mut shifted);
/// assert_eq!(shifted, [0.0, 1.0, 0.0, 0.2]);
/// ```
///
/// # Panics
/// When `image` or `shifted` is shorter than the shape.
pub fn shift_into(image: &[u8], shape: [usize; 3], [x, y]: [isize; 2], shifted: &mut [f32]) {
    let [channels, height, width] = shape;
    for (row, to) in shifted[..channels * height * width].chunks_exact_mut(width.max(1)).enumerate() {
        let (channel, row) = (row / height, row % height);
        let Some(from) = minus(row, y).filter(|from| *from < height) else {
            to.fill(0.0);
            continue;
        };
        let from = &image[(channel * height + from) * width..][..width];
        for (column, to) in to.iter_mut().enumerate() {
            let byte = minus(column, x).and_then(|column| from.get(column));
            *to = byte.map_or(0.0, |&byte| unit(byte));
        }
    }
}

/// `place − shift`, if there is such a place.
fn minus(place: usize, shift: isize) -> Option<usize> {
    if shift < 0 { place.checked_add(shift.unsigned_abs()) } else { place.checked_sub(shift.unsigned_abs()) }
}
