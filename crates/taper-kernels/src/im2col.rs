//! Images as matrices: one row for each (channel, tap), one column for each output pixel.

use crate::geometry::ConvGeometry;

/// Calls `visit(row, out_row, in_row, first..end, in_column)` for every run of output pixels in one row of the image
/// that one tap maps onto the input: columns `first..end` of output row `out_row` read input row `in_row` from
/// column `in_column` on, one stride apart.
fn for_each_run(g: &ConvGeometry, mut visit: impl FnMut(usize, usize, Option<(usize, usize, usize, usize)>)) {
    let [vertical, horizontal] = g.windows;
    let mut row = 0;
    for channel in 0..g.group_in() {
        for tap_y in 0..vertical.kernel {
            let rows = vertical.inside(tap_y, g.input[0], g.output[0]);
            for tap_x in 0..horizontal.kernel {
                let columns = horizontal.inside(tap_x, g.input[1], g.output[1]);
                for out_row in 0..g.output[0] {
                    let run = (rows.contains(&out_row) && !columns.is_empty()).then(|| {
                        let in_row = channel * g.input[0] + vertical.element(out_row, tap_y);
                        let start = in_row * g.input[1] + horizontal.element(columns.start, tap_x);
                        (columns.start, columns.end, start, horizontal.stride)
                    });
                    visit(row, out_row, run);
                }
                row += 1;
            }
        }
    }
}

/// Spreads one group of one image, `[C/groups, H, W]`, into `columns`, `[taps, out_height·out_width]`; padding is 0.
pub(crate) fn im2col(g: &ConvGeometry, image: &[f32], columns: &mut [f32]) {
    let width = g.output[1];
    for_each_run(g, |row, out_row, run| {
        let line = &mut columns[row * g.out_pixels() + out_row * width..][..width];
        let Some((first, end, start, stride)) = run else {
            line.fill(0.0);
            return;
        };
        line[..first].fill(0.0);
        line[end..].fill(0.0);
        let line = &mut line[first..end];
        if stride == 1 {
            line.copy_from_slice(&image[start..start + line.len()]);
        } else {
            for (to, from) in line.iter_mut().zip(image[start..].iter().step_by(stride)) {
                *to = *from;
            }
        }
    });
}

/// The reverse of [`im2col`]: adds every column element to the pixel it came from.
pub(crate) fn col2im(g: &ConvGeometry, columns: &[f32], image: &mut [f32]) {
    let width = g.output[1];
    for_each_run(g, |row, out_row, run| {
        let Some((first, end, start, stride)) = run else { return };
        let line = &columns[row * g.out_pixels() + out_row * width..][first..end];
        if stride == 1 {
            for (to, from) in image[start..start + line.len()].iter_mut().zip(line) {
                *to += *from;
            }
        } else {
            for (to, from) in image[start..].iter_mut().step_by(stride).zip(line) {
                *to += *from;
            }
        }
    });
}
