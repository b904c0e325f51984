//! The one formula for sliding windows: convolution and pooling, shape inference and kernels all use it.

use std::ops::Range;

/// A window that slides along one dimension: of convolution and of pooling.
///
/// It follows PyTorch: the output has
/// `⌊(input + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` positions; with `ceil_mode` the division
/// rounds up, but a last window that would start in the padding on the right is dropped. All numbers are at most 2²⁹.
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

/// The largest number a window takes. Three of them still fit the `isize` of a 32-bit machine, so that no sum below
/// overflows.
const LARGEST: usize = 1 << 29;

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
        "a kernel of {} with dilation {} spans {span} elements, but the input has {input} and, with padding {} on \
         both sides, {padded}; use {}", window.kernel, window.dilation, window.padding, remedies.join(", or ")
    )]
    KernelTooLarge {
        /// The window.
        window: Window,
        /// Elements from the first tap to the last.
        span: usize,
        /// Size of the input.
        input: usize,
        /// Size of the input with padding on both sides.
        padded: usize,
        /// What would fit, each in words.
        remedies: Vec<String>,
    },
    /// More padding than pooling allows.
    #[error("padding {padding} is more than half of the pooling kernel's {kernel}; use at most {}", kernel / 2)]
    PaddingTooLarge {
        /// Padding on each side.
        padding: usize,
        /// Number of taps.
        kernel: usize,
    },
    /// A number so large that sizes would overflow.
    #[error("{what} is {value}, which is too large; use at most {LARGEST}")]
    Overflow {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: usize,
    },
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
            check_size(what, value)?;
        }
        let span = (self.kernel - 1).checked_mul(self.dilation).and_then(|reach| reach.checked_add(1));
        span.ok_or(WindowError::Overflow { what: "kernel", value: self.kernel })
    }

    /// The number of positions on an input of `input` elements; at least 1.
    ///
    /// # Errors
    /// [`WindowError`] if no window fits; the message says what would.
    pub fn output(&self, input: usize) -> Result<usize, WindowError> {
        self.positions(input, false)
    }

    /// As [`Window::output`], with the limit that PyTorch sets for pooling: padding of at most half the kernel (its
    /// taps, whatever the dilation), so that without dilation every window sees the input.
    ///
    /// # Errors
    /// [`WindowError`] if no window fits or the padding is too large.
    pub fn pooled(&self, input: usize) -> Result<usize, WindowError> {
        self.span()?;
        if self.padding > self.kernel / 2 {
            return Err(WindowError::PaddingTooLarge { padding: self.padding, kernel: self.kernel });
        }
        self.positions(input, true)
    }

    fn positions(&self, input: usize, pooling: bool) -> Result<usize, WindowError> {
        let span = self.span()?;
        if input == 0 {
            return Err(WindowError::EmptyInput);
        }
        check_size("the input's size", input)?;
        check_size("padding", self.padding)?;
        let padded = input + 2 * self.padding;
        let Some(room) = padded.checked_sub(span) else {
            // PyTorch lets an incomplete first window stand in ceil mode while it lacks less than one stride.
            if self.ceil_mode && span - padded < self.stride {
                return Ok(1);
            }
            let remedies = self.remedies(input, span, pooling);
            return Err(WindowError::KernelTooLarge { window: *self, span, input, padded, remedies });
        };
        if !self.ceil_mode {
            return Ok(room / self.stride + 1);
        }
        // Windows that would start in the padding on the right are dropped.
        let started_before_it = (input + self.padding).div_ceil(self.stride);
        Ok((room.div_ceil(self.stride) + 1).min(started_before_it))
    }

    /// What one could change, alone, for a kernel that is too large to fit.
    fn remedies(&self, input: usize, span: usize, pooling: bool) -> Vec<String> {
        let reach = input + 2 * self.padding - 1;
        let kernel = reach / self.dilation + 1;
        // A kernel of one tap always fits, so there are at least two here.
        let dilation = reach / (self.kernel - 1);
        let padding = (span - input).div_ceil(2);
        let candidates = [
            (format!("a kernel of at most {kernel}"), Self { kernel, ..*self }),
            (format!("dilation of at most {dilation}"), Self { dilation, ..*self }),
            (format!("padding of at least {padding}"), Self { padding, ..*self }),
        ];
        let fits = |window: &Self| {
            let room_for = |span| window.padding <= LARGEST && span <= input + 2 * window.padding;
            window.span().is_ok_and(room_for) && (!pooling || window.padding <= window.kernel / 2)
        };
        let remedies: Vec<String> =
            candidates.into_iter().filter(|(_, window)| fits(window)).map(|(remedy, _)| remedy).collect();
        if remedies.is_empty() { vec!["a larger input".to_owned()] } else { remedies }
    }

    /// Where window number `position`, one of those that [`Window::output`] counts, starts in the input; negative inside
    /// the left padding.
    #[inline]
    pub fn start(&self, position: usize) -> isize {
        (position * self.stride) as isize - self.padding as isize
    }

    /// The positions at which tap number `tap` falls on the input and not on its padding, of `positions` in all; `input`
    /// and `positions` as in [`Window::output`].
    #[inline]
    pub fn inside(&self, tap: usize, input: usize, positions: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride);
        let end = (input + self.padding).saturating_sub(offset).div_ceil(self.stride);
        let end = end.min(positions);
        first.min(end)..end
    }

    /// The taps that fall on the input and not on its padding at a position; the reverse of [`Window::inside`].
    #[inline]
    pub fn taps(&self, position: usize, input: usize) -> Range<usize> {
        let start = position * self.stride;
        let first = self.padding.saturating_sub(start).div_ceil(self.dilation);
        let end = (input + self.padding).saturating_sub(start).div_ceil(self.dilation);
        let end = end.min(self.kernel);
        first.min(end)..end
    }

    /// The input element under tap number `tap` at a position that [`Window::inside`] gave.
    #[inline]
    pub fn element(&self, position: usize, tap: usize) -> usize {
        position * self.stride + tap * self.dilation - self.padding
    }
}

fn check_size(what: &'static str, value: usize) -> Result<(), WindowError> {
    if value <= LARGEST { Ok(()) } else { Err(WindowError::Overflow { what, value }) }
}
