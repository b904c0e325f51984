//! What follows a convolution, in one pass: bias, ReLU, max pooling and dropout.

mod backward;
mod dropout;
mod forward;

use taper_graph::{MaxPool2d, Shape, ShapeError, Window, WindowError};

use super::Blocked;
use crate::dropout::{Draw, DropoutKey, Rate};
use crate::error::{KernelError, check_len};
use crate::geometry::PoolGeometry;
use crate::isa::Isa;
use crate::simd::{LANES, dispatch};

pub use dropout::dropout;

/// The code of an element that passes no gradient on.
pub(crate) const NO_GRADIENT: u8 = 255;

/// What happens to the raw result of a convolution: `+ bias`, then ReLU, max pooling and dropout, each if asked for.
///
/// Max pooling is as in [`crate::max_pool2d`]: the first of equal values is chosen, NaN counts as the greatest, and a
/// window on padding alone gives −∞. ReLU keeps NaN. In training, [`Epilogue::forward`] writes a code for each element:
/// the number of the tap (row by row) whose value was chosen, or 255 where ReLU or dropout passes no gradient on.
///
/// ```
/// use taper_graph::MaxPool2d;
/// use taper_kernels::{Isa, blocked::{Blocked, Epilogue}};
///
/// // One channel of 1×2 pixels with the bias −1, of which the greater passes ReLU and pooling.
/// let pool = MaxPool2d { kernel: [1, 2], stride: [1, 2], ..MaxPool2d::new(2) };
/// let conv = Blocked::new([1, 1, 2], 0);
/// let epilogue = Epilogue::new(conv, true, Some(&pool), None, 0, Isa::current())?;
/// let (mut plane, mut bias, mut y, mut codes) = ([0.0; 16], [0.0; 8], [9.0; 8], [9; 8]);
/// (plane[0], plane[8], bias[0]) = (2.0, 3.0, -1.0);
/// epilogue.forward(&mut plane, Some(&bias), &mut y, Some(&mut codes), 0, None)?;
/// assert_eq!((y[0], codes[0]), (2.0, 1));
/// assert_eq!((y[1], codes[1]), (0.0, 255));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// The raw plane, without a halo.
    pub(crate) conv: Blocked,
    output: Blocked,
    relu: bool,
    /// Taps of the window along height and width; one each without pooling.
    pub(crate) kernel: [usize; 2],
    /// The rows and columns under each output row and column.
    pub(crate) rows: Vec<Taps>,
    pub(crate) columns: Vec<Taps>,
    /// Whether no two windows share an element.
    apart: bool,
    rate: Option<Rate>,
    isa: Isa,
}

impl Epilogue {
    /// For a convolution with the output `conv`, whose halo does not matter; the result has the halo `out_halo`.
    /// `dropout` is the probability, from 0 to 1.
    ///
    /// # Errors
    /// [`ShapeError`] if the pooling does not fit the image, or has more than 254 taps, or `dropout` is no probability.
    pub fn new(
        conv: Blocked,
        relu: bool,
        pool: Option<&MaxPool2d>,
        dropout: Option<f32>,
        out_halo: usize,
        isa: Isa,
    ) -> Result<Self, ShapeError> {
        let image = [conv.channels, conv.height, conv.width];
        let whole = MaxPool2d { stride: [1, 1], ..MaxPool2d::new(1) };
        let g = PoolGeometry::max(pool.unwrap_or(&whole), 1, image)?;
        let [vertical, horizontal] = g.windows;
        if vertical.kernel.saturating_mul(horizontal.kernel) >= usize::from(NO_GRADIENT) {
            return Err(too_many_taps(vertical, image)?);
        }
        let rate = dropout.map(|p| Rate::new(p).map_err(|_| no_probability(p))).transpose()?;
        let taps = |axis: usize| -> Vec<Taps> {
            (0..g.output[axis]).map(|position| Taps::of(&g.windows[axis], g.input[axis], position)).collect()
        };
        let apart = |window: &Window| window.dilation * (window.kernel - 1) < window.stride;
        Ok(Self {
            conv: conv.with_halo(0),
            output: Blocked::new([conv.channels, g.output[0], g.output[1]], out_halo),
            relu,
            kernel: [vertical.kernel, horizontal.kernel],
            rows: taps(0),
            columns: taps(1),
            apart: g.windows.iter().all(apart),
            rate,
            isa,
        })
    }

    /// The layout of the result.
    ///
    /// ```
    /// use taper_graph::MaxPool2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue}};
    /// let conv = Blocked::new([9, 6, 8], 0);
    /// let epilogue = Epilogue::new(conv, true, Some(&MaxPool2d::new(2)), Some(0.3), 1, Isa::current())?;
    /// assert_eq!(epilogue.output(), Blocked::new([9, 3, 4], 1));
    /// assert_eq!(epilogue.codes_len(5), 5 * 16 * 3 * 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn output(&self) -> Blocked {
        self.output
    }

    /// Codes of `images` images, in the order of the result without a halo: `[images, blocks, pixels, 8]`.
    pub fn codes_len(&self, images: usize) -> usize {
        self.output.with_halo(0).elements(images)
    }

    /// The taps of a window, and so the number of codes.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// What a gradient that passes is multiplied by.
    pub(crate) fn scale(&self) -> f32 {
        self.rate.map_or(1.0, |rate| rate.scale)
    }

    /// Turns `plane`, the raw convolution `[H'·W'·8]` of the eight channels `block` of one image, into their plane `y` of the
    /// layout [`Epilogue::output`], whose halo stays as it is.
    ///
    /// `bias` is that of the eight channels, zero beyond the last one. `codes` are those of the plane, eight for each of
    /// its pixels; evaluation needs none. `draw` is the key of the dropout mask and the image's number in the batch;
    /// without it nothing is dropped.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the layouts give it, or there is no such block.
    pub fn forward(
        &self,
        plane: &mut [f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        mut codes: Option<&mut [u8]>,
        block: usize,
        draw: Option<(DropoutKey, usize)>,
    ) -> Result<(), KernelError> {
        let pixels = self.output.pixels();
        let codes_len = pixels.saturating_mul(LANES);
        check_len("plane", plane.len(), self.conv.plane())?;
        check_len("bias", bias.map_or(LANES, <[f32]>::len), LANES)?;
        check_len("y", y.len(), self.output.plane())?;
        check_len("codes", codes.as_ref().map_or(codes_len, |codes| codes.len()), codes_len)?;
        if block >= self.output.blocks() {
            return Err(KernelError::Length {
                what: "blocks",
                expected: self.output.blocks(),
                found: block + 1,
            });
        }
        let draw = self.rate.zip(draw).map(|(rate, (key, image))| {
            let plane = (image as u64).wrapping_mul(self.output.blocks() as u64).wrapping_add(block as u64);
            (Draw { key, rate }, plane.wrapping_mul(pixels as u64))
        });
        dispatch!(self.isa, |s| self.pass(s, plane, bias, y, codes.as_deref_mut(), draw));
        let channels = self.output.channels - block * LANES;
        if channels < LANES {
            self.clear(channels, y, codes);
        }
        Ok(())
    }

    /// Puts zeros into the channels of a plane from number `from` on, and [`NO_GRADIENT`] into their codes: what is
    /// computed there is not always zero (zero weights times NaN).
    fn clear(&self, from: usize, y: &mut [f32], codes: Option<&mut [u8]>) {
        let halo = self.output.halo;
        let rows = y.chunks_exact_mut(self.output.row()).skip(halo).take(self.output.height);
        for pixel in rows.flat_map(|row| row.chunks_exact_mut(LANES).skip(halo).take(self.output.width)) {
            pixel[from..].fill(0.0);
        }
        for codes in codes.into_iter().flat_map(|codes| codes.chunks_exact_mut(LANES)) {
            codes[from..].fill(NO_GRADIENT);
        }
    }
}

/// The elements under a window along one axis: `count` of them from `first` on, the first under tap number `tap`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) tap: usize,
    pub(crate) count: usize,
    /// From one element to the next.
    pub(crate) step: usize,
}

impl Taps {
    fn of(window: &Window, input: usize, position: usize) -> Self {
        let taps = window.taps(position, input);
        let first = if taps.is_empty() { 0 } else { window.element(position, taps.start) };
        Self { first, tap: taps.start, count: taps.len(), step: window.dilation }
    }

    /// The tap numbers and their elements.
    pub(crate) fn each(self) -> impl Iterator<Item = (usize, usize)> + Clone {
        (0..self.count).map(move |at| (self.tap + at, self.first + at * self.step))
    }
}

fn no_probability(p: f32) -> ShapeError {
    ShapeError::Setting { setting: "dropout", value: p.to_string(), allowed: "a probability from 0 to 1" }
}

fn too_many_taps(window: Window, image: [usize; 3]) -> Result<ShapeError, ShapeError> {
    let remedies = vec!["a pooling kernel of at most 254 taps".to_owned()];
    let cause = WindowError::KernelTooLarge {
        window,
        span: window.span().unwrap_or(window.kernel),
        input: image[1],
        padded: image[1] + 2 * window.padding,
        remedies,
    };
    Ok(ShapeError::Window { input: Shape::batch_of(&image)?, axis: "height", cause })
}
