//! Pooling, from what ONNX says of it to what PyTorch would.

use std::collections::BTreeSet;

use taper_graph::{AvgPool2d, MaxPool2d, Op, Window};

use super::Reader;
use super::call::Call;
use super::error::ReadError;
use super::forms::{Form, Found};
use crate::onnx::ops::{avg_pool, max_pool};

const SETTINGS: [&str; 7] =
    ["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"];

/// How many strides are tried: no true pool comes near it, and a file made to waste time ends there.
const MOST_STRIDES: usize = 4096;

/// Sizes of input and output along height and width.
type Sizes = [(usize, usize); 2];

/// The sizes if PyTorch's formula fits; none if the window does not.
fn pooled(windows: [Window; 2], input: [usize; 2]) -> Option<Sizes> {
    let size = |axis: usize| Some((input[axis], windows[axis].pooled(input[axis]).ok()?));
    Some([size(0)?, size(1)?])
}

/// Whether ONNX's `ceil_mode`, which counts a last window that starts in the padding too, gives the same sizes.
fn agrees_on_ceiling(windows: [Window; 2], sizes: Sizes) -> bool {
    windows.iter().zip(sizes).all(|(window, (input, output))| {
        let span = (window.kernel - 1) * window.dilation + 1;
        // Below zero where the kernel is larger than the padded input.
        let travel = (input + 2 * window.padding) as i64 - span as i64;
        let stride = window.stride as i64;
        (travel + stride - 1).div_euclid(stride) + 1 == output as i64
    })
}

/// The pool whose windows, laid side by side along each axis, are these indices into an input of that size.
pub(super) fn spread(kernel: [usize; 2], axes: [(usize, &[i64]); 2]) -> Option<MaxPool2d> {
    // A dilated pool is always written so; another one for candle alone, and only if it pads.
    for dilated in [true, false] {
        for ceil_mode in [false, true] {
            let find = |axis: usize, dilated| {
                let (input, indices) = axes[axis];
                axis_window(kernel[axis], input, indices, ceil_mode, dilated)
            };
            // One dilated axis makes a dilated pool.
            let choices: &[[bool; 2]] =
                if dilated { &[[true, true], [true, false], [false, true]] } else { &[[false, false]] };
            for [rows, columns] in choices {
                let (Some(rows), Some(columns)) = (find(0, *rows), find(1, *columns)) else { continue };
                let both = [rows, columns];
                return Some(MaxPool2d {
                    kernel,
                    stride: both.map(|window| window.stride),
                    padding: both.map(|window| window.padding),
                    dilation: both.map(|window| window.dilation),
                    ceil_mode,
                });
            }
        }
    }
    None
}

/// The window along one axis whose taps are these.
fn axis_window(
    kernel: usize,
    input: usize,
    indices: &[i64],
    ceil_mode: bool,
    dilated: bool,
) -> Option<Window> {
    let positions = indices.len().checked_div(kernel).filter(|&positions| positions > 0)?;
    dilations(kernel, input, indices).into_iter().filter(|&dilation| (dilation > 1) == dilated).find_map(
        |dilation| {
            (0..=kernel / 2).find_map(|padding| {
                let (span, padded) = ((kernel - 1) * dilation + 1, input + 2 * padding);
                // Rounding up makes a window of a kernel that lacks less than a stride.
                let (travel, lack) = (padded.saturating_sub(span), span.saturating_sub(padded));
                // The formulas of the output's size, turned round, with room for rounding.
                let least = (travel / positions).max(lack + 1);
                let most = travel.checked_div(positions.saturating_sub(2)).unwrap_or(input + padding) + 1;
                let fits = |stride: &usize| {
                    let window = Window { kernel, stride: *stride, padding, dilation, ceil_mode };
                    window.pooled(input) == Ok(positions)
                        && max_pool::taps(&window, input, positions).is_ok_and(|taps| taps == indices)
                };
                let stride = (least..=most.max(least)).take(MOST_STRIDES).find(fits)?;
                Some(Window { kernel, stride, padding, dilation, ceil_mode })
            })
        },
    )
}

/// The dilations that these taps may have: the distances of neighbours that both lie inside the input.
fn dilations(kernel: usize, input: usize, indices: &[i64]) -> BTreeSet<usize> {
    let neighbours = indices.chunks(kernel).flat_map(|window| window.windows(2));
    let steps = neighbours.filter_map(|pair| usize::try_from(pair[1].checked_sub(pair[0])?).ok());
    let steps: BTreeSet<usize> = steps.filter(|&step| step > 0 && step <= input).collect();
    // No window has two taps inside, so only its first place is told.
    if steps.is_empty() { (1..=input.clamp(2, MOST_STRIDES)).collect() } else { steps }
}

impl<'a> Reader<'a> {
    /// `[C, H, W]` of the value that a node reads.
    pub(super) fn image(&self, call: Call<'a>, value: &str) -> Result<[usize; 3], ReadError> {
        let shape = self.graph.shape(self.value(call, value)?);
        shape
            .image()
            .map_err(|_| call.unsupported(format!("it reads {shape}, which is no image [N, C, H, W]")))
    }

    pub(super) fn max_pool(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&SETTINGS)?;
        let spread = self.spread_pool(call)?;
        let (input, pool) = match spread {
            Some(found) => found,
            None => (call.input(0).unwrap_or_default(), self.plain_max_pool(call)?),
        };
        let (x, name) = (self.value(call, input)?, self.name(call, None));
        self.wire(call, &name, Op::MaxPool2d(pool), &[x])
    }

    fn plain_max_pool(&self, call: Call<'a>) -> Result<MaxPool2d, ReadError> {
        let [_, height, width] = self.image(call, call.input(0).unwrap_or_default())?;
        let [starts, ends] = call.pads()?;
        let rounds_up = call.int("ceil_mode", 0) != 0;
        let pool = MaxPool2d {
            kernel: call.pair("kernel_shape", [1, 1])?,
            stride: call.pair("strides", [1, 1])?,
            padding: starts,
            dilation: call.pair("dilations", [1, 1])?,
            ceil_mode: false,
        };
        let fits = |pool: &MaxPool2d| {
            let Some(sizes) = pooled(pool.windows(), [height, width]) else { return false };
            if rounds_up {
                return pool.ceil_mode && starts == ends && agrees_on_ceiling(pool.windows(), sizes);
            }
            max_pool::ends(pool, sizes) == ends
        };
        let mut candidates =
            [false, true].map(|ceil_mode| MaxPool2d { ceil_mode, ..pool.clone() }).into_iter();
        candidates.find(fits).ok_or_else(|| unlike_pytorch(call))
    }

    pub(super) fn avg_pool(&mut self, call: Call<'a>) -> Result<(), ReadError> {
        call.only(&[&SETTINGS[..], &["count_include_pad"]].concat())?;
        if call.pair("dilations", [1, 1])? != [1, 1] {
            return Err(call.unsupported("its windows are dilated, which no average pool of Taper's is"));
        }
        let (input, zeros) = match self.find(call.node) {
            Some(Found { input, form: Form::PaddedPool(pad), .. }) => (input, self.zeros(self.call(pad))?),
            _ => (call.input(0).unwrap_or_default(), [0, 0]),
        };
        let [_, height, width] = self.image(call, input)?;
        let [starts, ends] = call.pads()?;
        let form = avg_pool::Form {
            zeros,
            pads: [starts[0], starts[1], ends[0], ends[1]],
            count_include_pad: call.int("count_include_pad", 0) != 0 && [starts, ends] != [[0; 2]; 2],
        };
        let (kernel, stride) = (call.pair("kernel_shape", [1, 1])?, call.pair("strides", [1, 1])?);
        let padding = if zeros == [0, 0] { starts } else { zeros };
        let rounds_up = call.int("ceil_mode", 0) != 0;
        let fits = |pool: &AvgPool2d| {
            let Some(sizes) = pooled(pool.windows(), [height, width]) else { return false };
            // Where rounding up makes a difference, runtimes differ in what an incomplete window is divided by.
            avg_pool::form(pool, sizes) == form && (!rounds_up || agrees_on_ceiling(pool.windows(), sizes))
        };
        let candidates = [(false, true), (false, false), (true, true), (true, false)];
        let mut candidates = candidates.into_iter().filter(|(ceil_mode, _)| !(rounds_up && *ceil_mode)).map(
            |(ceil_mode, count_include_pad)| AvgPool2d {
                kernel,
                stride,
                padding,
                ceil_mode,
                count_include_pad,
            },
        );
        let pool = candidates.find(fits).ok_or_else(|| unlike_pytorch(call))?;
        let (x, name) = (self.value(call, input)?, self.name(call, None));
        self.wire(call, &name, Op::AvgPool2d(pool), &[x])
    }

    /// The zeros that a `Pad` before an average pool adds on both sides of height and width.
    fn zeros(&self, pad: Call<'a>) -> Result<[usize; 2], ReadError> {
        let value = pad.input(2).map_or(Some(0.0), |name| self.constants.scalar(name));
        let is_constant = matches!(pad.text("mode"), None | Some(b"constant")) && value == Some(0.0);
        match pad.whole(1).as_deref() {
            Some(&[0, 0, height, width, 0, 0, below, beside])
                if is_constant && height == below && width == beside && height.min(width) >= 0 =>
            {
                Ok([height as usize, width as usize])
            }
            _ => Err(pad.unsupported("only zeros on both sides of height and width are read")),
        }
    }
}

fn unlike_pytorch(call: Call<'_>) -> ReadError {
    let reason = "its padding and rounding are not those of a pool of PyTorch's (the same padding on both sides, or \
                  what `ceil_mode` needs at the end); pad in a way that is";
    call.unsupported(reason)
}
