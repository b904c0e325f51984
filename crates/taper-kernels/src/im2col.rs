//! A block of images as a matrix: one row for each (channel, tap) or each channel, one column for each output pixel of
//! each image.

use std::ops::Range;

use crate::geometry::ConvGeometry;

/// What one tap maps from a plane of the image to its row of the matrix; at least one element.
struct Tap {
    /// Output rows and columns at which the tap falls on the image.
    out_rows: Range<usize>,
    out_columns: Range<usize>,
    /// The image element under the first of them.
    start: usize,
    /// Image elements from one output row to the next, and from one output column to the next.
    steps: [usize; 2],
}

impl Tap {
    /// Matrix elements of one output row and the image element under the first of them.
    fn line(&self, out_row: usize, width: usize) -> (Range<usize>, usize) {
        let at = out_row * width;
        let from = self.start + (out_row - self.out_rows.start) * self.steps[0];
        (at + self.out_columns.start..at + self.out_columns.end, from)
    }

    /// Matrix elements from the first to the last on the image, padding at the ends of rows between them included, if
    /// all of them lie side by side in the image as well. That is so for every "same" convolution of stride 1.
    fn block(&self, width: usize) -> Option<Range<usize>> {
        let first = self.out_rows.start * width + self.out_columns.start;
        let end = (self.out_rows.end - 1) * width + self.out_columns.end;
        (self.steps == [width, 1]).then_some(first..end)
    }

    /// Sets to 0 what [`Tap::block`] took from the padding.
    fn clear_padding(&self, width: usize, line: &mut [f32]) {
        let padding = width - self.out_columns.len();
        for out_row in self.out_rows.clone().skip(1) {
            line[out_row * width + self.out_columns.start - padding..][..padding].fill(0.0);
        }
    }
}

/// Calls `visit` with every row of the matrix and its tap, or none if the tap sees nothing but padding.
fn for_each_tap(g: &ConvGeometry, mut visit: impl FnMut(usize, Option<Tap>)) {
    let [vertical, horizontal] = g.windows;
    let mut row = 0;
    for channel in 0..g.group_in() {
        for tap_y in 0..vertical.kernel {
            let out_rows = vertical.inside(tap_y, g.input[0], g.output[0]);
            for tap_x in 0..horizontal.kernel {
                let out_columns = horizontal.inside(tap_x, g.input[1], g.output[1]);
                let tap = (!out_rows.is_empty() && !out_columns.is_empty()).then(|| {
                    let in_row = channel * g.input[0] + vertical.element(out_rows.start, tap_y);
                    let start = in_row * g.input[1] + horizontal.element(out_columns.start, tap_x);
                    let steps = [vertical.stride * g.input[1], horizontal.stride];
                    Tap { out_rows: out_rows.clone(), out_columns, start, steps }
                });
                visit(row, tap);
                row += 1;
            }
        }
    }
}

/// Spreads one group of a block of images, each `[C, H, W]`, into `columns`, `[taps, images·out_pixels]`; padding is 0.
pub(crate) fn im2col(g: &ConvGeometry, group: usize, images: &[f32], columns: &mut [f32]) {
    let (width, pixels) = (g.output[1], g.out_pixels());
    let stride = images.len() / g.image_len() * pixels;
    for_each_tap(g, |row, tap| {
        let lines = columns[row * stride..][..stride].chunks_exact_mut(pixels);
        for (line, image) in lines.zip(images.chunks_exact(g.image_len())) {
            spread(tap.as_ref(), group_of(image, group, g.groups), width, line);
        }
    });
}

fn spread(tap: Option<&Tap>, image: &[f32], width: usize, line: &mut [f32]) {
    let Some(tap) = tap else {
        line.fill(0.0);
        return;
    };
    if let Some(block) = tap.block(width) {
        line[..block.start].fill(0.0);
        line[block.end..].fill(0.0);
        let from = &image[tap.start..][..block.len()];
        line[block].copy_from_slice(from);
        tap.clear_padding(width, line);
        return;
    }
    line.fill(0.0);
    for out_row in tap.out_rows.clone() {
        let (to, from) = tap.line(out_row, width);
        let (to, from) = (&mut line[to], &image[from..]);
        match tap.steps[1] {
            1 => to.copy_from_slice(&from[..to.len()]),
            step => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = *from),
        }
    }
}

/// The reverse of [`im2col`]: adds every column element to the pixel it came from. What `columns` holds for padding is
/// lost.
pub(crate) fn col2im(g: &ConvGeometry, group: usize, columns: &mut [f32], images: &mut [f32]) {
    let (width, pixels) = (g.output[1], g.out_pixels());
    let stride = images.len() / g.image_len() * pixels;
    for_each_tap(g, |row, tap| {
        let Some(tap) = tap else { return };
        let lines = columns[row * stride..][..stride].chunks_exact_mut(pixels);
        for (line, image) in lines.zip(images.chunks_exact_mut(g.image_len())) {
            collect(&tap, group_of_mut(image, group, g.groups), width, line);
        }
    });
}

fn collect(tap: &Tap, image: &mut [f32], width: usize, line: &mut [f32]) {
    if let Some(block) = tap.block(width) {
        tap.clear_padding(width, line);
        image[tap.start..].iter_mut().zip(&line[block]).for_each(|(to, from)| *to += *from);
        return;
    }
    for out_row in tap.out_rows.clone() {
        let (from, to) = tap.line(out_row, width);
        let (from, to) = (&line[from], &mut image[to..]);
        match tap.steps[1] {
            1 => to.iter_mut().zip(from).for_each(|(to, from)| *to += *from),
            step => to.iter_mut().step_by(step).zip(from).for_each(|(to, from)| *to += *from),
        }
    }
}

/// One group of a block of output images, each `[out_channels, out_pixels]`, as `[out_channels/groups, images·out_pixels]`.
pub(crate) fn gather_planes(g: &ConvGeometry, group: usize, images: &[f32], planes: &mut [f32]) {
    let rows = planes.chunks_exact_mut(planes_stride(g, images.len()));
    for (channel, row) in rows.enumerate() {
        let from = images.chunks_exact(g.out_image_len());
        for (to, image) in row.chunks_exact_mut(g.out_pixels()).zip(from) {
            let plane = &group_of(image, group, g.groups)[channel * g.out_pixels()..];
            to.copy_from_slice(&plane[..to.len()]);
        }
    }
}

/// The reverse of [`gather_planes`], with `bias` `[out_channels/groups]` added.
pub(crate) fn scatter_planes(
    g: &ConvGeometry,
    group: usize,
    planes: &[f32],
    bias: Option<&[f32]>,
    images: &mut [f32],
) {
    let rows = planes.chunks_exact(planes_stride(g, images.len()));
    for (channel, row) in rows.enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[channel]);
        let to = images.chunks_exact_mut(g.out_image_len());
        for (from, image) in row.chunks_exact(g.out_pixels()).zip(to) {
            let plane = &mut group_of_mut(image, group, g.groups)[channel * g.out_pixels()..];
            plane.iter_mut().zip(from).for_each(|(y, value)| *y = value + bias);
        }
    }
}

/// Output pixels of a block of output images that has `len` elements.
fn planes_stride(g: &ConvGeometry, len: usize) -> usize {
    len / g.out_channels
}

/// The part of `data` that belongs to one group; all parts are equal.
pub(crate) fn group_of(data: &[f32], group: usize, groups: usize) -> &[f32] {
    let len = data.len() / groups;
    &data[group * len..][..len]
}

pub(crate) fn group_of_mut(data: &mut [f32], group: usize, groups: usize) -> &mut [f32] {
    let len = data.len() / groups;
    &mut data[group * len..][..len]
}
