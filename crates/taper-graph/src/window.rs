//! The one formula for sliding windows: convolution and pooling, shape inference and kernels all use it.

use std::ops::Range;

/// A window that slides along one dimension: of convolution and of pooling.
///
/// It follows PyTorch: the output has
/// `⌊(input + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` positions; with `ceil_mode` the division
/// rounds up, but a last window that would start in the padding on the right is dropped.
///
/// ```
/// use taper_graph::Window;
/// let window = Window { kernel: 3, stride: 2, padding: 1, dilation: 1, ceil_mode: false };
/// assert_eq!(window.output(28)?, 14);
/// assert_eq!(window.start(0), -1);
/// # Ok::<(), taper_graph::WindowError>(())
/// ```
///
/// Source: [`torch.nn.MaxPool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Number of taps.
    pub kernel: usize,
    /// Distance between two positions, in input elements.
    pub stride: usize,
    /// Elements added on each side of the input.
    pub padding: usize,
    /// Distance between two taps, in input elements.
    pub dilation: usize,
    /// Whether a last, incomplete window counts.
    pub ceil_mode: bool,
}

/// Why a [`Window`] does not fit an input; the message says what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The kernel, stride or dilation is zero.
    #[error("{what} is 0; use at least 1")]
    Zero {
        /// Which of the three.
        what: &'static str,
    },
    /// The input has no elements.
    #[error("the input has size 0; an image needs at least one row and one column")]
    EmptyInput,
    /// The kernel spans more than the padded input.
    #[error(
        "a kernel of {kernel} with dilation {dilation} spans {span} elements, but the input has {input} and, \
         with padding {padding} on both sides, {padded}; use {}", fitting_kernel(*kernel, *dilation, *padded, *span)
    )]
    KernelTooLarge {
        /// Number of taps.
        kernel: usize,
        /// Distance between two taps.
        dilation: usize,
        /// Elements from the first tap to the last.
        span: usize,
        /// Size of the input.
        input: usize,
        /// Padding on each side.
        padding: usize,
        /// Size of the input with padding on both sides.
        padded: usize,
    },
    /// A pooling window would lie in the padding alone.
    #[error("padding {padding} is more than half of the pooling kernel's {span}; use at most {}", span / 2)]
    PaddingTooLarge {
        /// Padding on each side.
        padding: usize,
        /// Elements from the first tap to the last.
        span: usize,
    },
    /// The sizes overflow the machine's integers.
    #[error("kernel {kernel}, padding {padding} and dilation {dilation} overflow; use smaller numbers")]
    Overflow {
        /// Number of taps.
        kernel: usize,
        /// Padding on each side.
        padding: usize,
        /// Distance between two taps.
        dilation: usize,
    },
}

fn fitting_kernel(kernel: usize, dilation: usize, padded: usize, span: usize) -> String {
    let padding = (span - padded).div_ceil(2);
    let largest = (padded.max(1) - 1) / dilation + 1;
    if padded == 0 || largest >= kernel {
        return format!("padding of {padding} more");
    }
    format!("a kernel of at most {largest}, or padding of {padding} more")
}

impl Window {
    /// A window of `kernel` taps with stride 1, no padding and no dilation.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, padding: 0, dilation: 1, ceil_mode: false }
    }

    /// Elements from the first tap to the last: `dilation·(kernel − 1) + 1`.
    ///
    /// # Errors
    /// A zero kernel, stride or dilation, or overflow.
    pub fn span(&self) -> Result<usize, WindowError> {
        for (what, value) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            if value == 0 {
                return Err(WindowError::Zero { what });
            }
        }
        let span = (self.kernel - 1).checked_mul(self.dilation).and_then(|reach| reach.checked_add(1));
        span.ok_or_else(|| self.overflow())
    }

    /// The number of positions on an input of `input` elements; at least 1.
    ///
    /// # Errors
    /// [`WindowError`] if no window fits; the message says what would.
    pub fn output(&self, input: usize) -> Result<usize, WindowError> {
        let span = self.span()?;
        if input == 0 {
            return Err(WindowError::EmptyInput);
        }
        let padded = self.padding.checked_mul(2).and_then(|both| both.checked_add(input));
        let padded = padded.filter(|&size| size <= isize::MAX as usize).ok_or_else(|| self.overflow())?;
        let too_large = WindowError::KernelTooLarge {
            kernel: self.kernel,
            dilation: self.dilation,
            span,
            input,
            padding: self.padding,
            padded,
        };
        let Some(room) = padded.checked_sub(span) else {
            // PyTorch lets an incomplete first window stand in ceil mode while it lacks less than one stride.
            let incomplete = self.ceil_mode && span - padded < self.stride;
            return if incomplete { Ok(1) } else { Err(too_large) };
        };
        if !self.ceil_mode {
            return Ok(room / self.stride + 1);
        }
        let positions = room.div_ceil(self.stride) + 1;
        let last_starts_in_right_padding = (positions - 1)
            .checked_mul(self.stride)
            .is_none_or(|last_start| last_start >= input + self.padding);
        Ok(if last_starts_in_right_padding { positions - 1 } else { positions })
    }

    /// As [`Window::output`], with the limit that pooling has: padding of at most half the kernel's span, so
    /// that no window lies in the padding alone.
    ///
    /// # Errors
    /// [`WindowError`] if no window fits or the padding is too large.
    pub fn pooled(&self, input: usize) -> Result<usize, WindowError> {
        let span = self.span()?;
        if self.padding > span / 2 {
            return Err(WindowError::PaddingTooLarge { padding: self.padding, span });
        }
        self.output(input)
    }

    /// Where window number `position` starts in the input; negative inside the left padding.
    pub fn start(&self, position: usize) -> isize {
        (position * self.stride) as isize - self.padding as isize
    }

    /// The positions at which tap number `tap` falls on the input and not on its padding, of `positions` in all.
    pub fn inside(&self, tap: usize, input: usize, positions: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride);
        let end = (input + self.padding).saturating_sub(offset).div_ceil(self.stride);
        let end = end.min(positions);
        first.min(end)..end
    }

    /// The input element under tap number `tap` at a position that [`Window::inside`] gave.
    pub fn element(&self, position: usize, tap: usize) -> usize {
        position * self.stride + tap * self.dilation - self.padding
    }

    fn overflow(&self) -> WindowError {
        WindowError::Overflow { kernel: self.kernel, padding: self.padding, dilation: self.dilation }
    }
}
