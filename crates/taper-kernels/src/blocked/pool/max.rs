//! Max pooling.

use taper_graph::{MaxPool2d, ShapeError};

use super::{Span, Windows, put};
use crate::blocked::elementwise::first_lanes;
use crate::blocked::layout::{Blocked, Values, ValuesMut};
use crate::error::{KernelError, check_len};
use crate::geometry::PoolGeometry;
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// Max pooling of blocked images of one size: of equal values the first, row by row, is chosen; NaN counts as the greatest;
/// a window on padding alone has −∞.
///
/// Which tap of its window won is kept as a code for each output element, of [`code_bytes`](Self::code_bytes) bytes.
///
/// ```
/// use taper_graph::MaxPool2d;
/// use taper_kernels::Isa;
/// use taper_kernels::blocked::{Blocked, BlockedMaxPool};
/// let pool = BlockedMaxPool::new(&MaxPool2d::new(2), Blocked::new([8, 2, 2], 0), Isa::current())?;
/// let mut x = [0.0; 32];
/// x[16..24].fill(3.0);
/// let (mut y, mut codes, mut dx) = ([0.0; 8], vec![0; pool.codes_len(1)], [9.0; 32]);
/// pool.forward(1, x[..].into(), (&mut y[..]).into(), Some(&mut codes))?;
/// assert_eq!((y[0], codes[0]), (3.0, 2));
/// pool.backward(1, &codes, [1.0; 8][..].into(), (&mut dx[..]).into())?;
/// assert_eq!([dx[0], dx[8], dx[16], dx[24]], [0.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlockedMaxPool {
    windows: Windows,
    isa: Isa,
}

/// Windows of up to this many taps have codes of one byte, since one value is no tap.
const BYTE_TAPS: usize = u8::MAX as usize;

impl BlockedMaxPool {
    /// For images of the sizes of `input`, whose halo does not matter: each argument says its own.
    ///
    /// # Errors
    /// [`ShapeError`] if the pooling does not fit the image.
    pub fn new(pool: &MaxPool2d, input: Blocked, isa: Isa) -> Result<Self, ShapeError> {
        let geometry = PoolGeometry::max(pool, 1, [input.channels, input.height, input.width])?;
        Ok(Self { windows: Windows::new(&geometry, input.channels), isa })
    }

    /// The sizes of the output, without a halo.
    pub fn output(&self) -> Blocked {
        self.windows.output
    }

    /// Bytes of one code: 1, or 4 for windows of more than 255 taps.
    pub fn code_bytes(&self) -> usize {
        if self.windows.kernel[0].saturating_mul(self.windows.kernel[1]) <= BYTE_TAPS { 1 } else { 4 }
    }

    /// Bytes of the codes of `images` images.
    pub fn codes_len(&self, images: usize) -> usize {
        self.windows.output.elements(images).saturating_mul(self.code_bytes())
    }

    /// Greatest value of each window, and in `codes`, if given, which tap it is.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo, or `codes` is not
    /// [`BlockedMaxPool::codes_len`] long.
    pub fn forward(
        &self,
        images: usize,
        x: Values<'_>,
        y: ValuesMut<'_>,
        codes: Option<&mut [u8]>,
    ) -> Result<(), KernelError> {
        let from = x.check("x", self.windows.input, images)?;
        let to = y.check("y", self.windows.output, images)?;
        if let Some(codes) = &codes {
            check_len("codes", codes.len(), self.codes_len(images))?;
        }
        let layouts = [from, to];
        dispatch!(self.isa, |s| match (codes, self.code_bytes()) {
            (None, _) => self.pool(s, images, layouts, x.data, y.data, |_, _, _| ()),
            (Some(codes), 1) => self.pool(
                s,
                images,
                layouts,
                x.data,
                y.data,
                #[inline(always)]
                // SAFETY: the codes are as many as the elements of the output, whose blocks of eight `at` counts.
                |s, code, at| unsafe { s.store_bytes(code, codes, at) }
            ),
            (Some(codes), _) => self.pool(
                s,
                images,
                layouts,
                x.data,
                y.data,
                #[inline(always)]
                |s, code, at| {
                    let mut words = [0; LANES];
                    // SAFETY: eight elements.
                    unsafe { s.store_u(code, &mut words, 0) };
                    let (bytes, _) = codes[4 * at..4 * (at + LANES)].as_chunks_mut();
                    bytes.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
                }
            ),
        });
        Ok(())
    }

    /// Calls `keep(s, codes, element of the codes)` with the codes of each output pixel.
    #[inline(always)]
    fn pool<S: Simd>(
        &self,
        s: S,
        images: usize,
        [from, to]: [Blocked; 2],
        x: &[f32],
        y: &mut [f32],
        mut keep: impl FnMut(S, S::U, usize),
    ) {
        let (windows, steps) = (&self.windows, self.windows.steps(from));
        let [high, wide] = windows.kernel;
        let mut code_at = 0;
        windows.for_each_output_row(
            images,
            to,
            #[inline(always)]
            |image, block, row, y_at| {
                let row = &windows.rows[row];
                for (at, column) in windows.columns.iter().enumerate() {
                    let first = windows.first_tap(from, image, block, row, column);
                    let whole = row.is_whole(high) && column.is_whole(wide);
                    // Sizes that are constants unroll.
                    // SAFETY: the taps of a span fall on the input, and the length of `x` was checked.
                    let (greatest, code) = unsafe {
                        match (high, wide) {
                            _ if row.taps.is_empty() || column.taps.is_empty() => {
                                let none = s.splat(f32::NEG_INFINITY);
                                (first_lanes(s, to.lanes(block), none), s.splat_u(u32::MAX))
                            }
                            (2, 2) if whole => maximum(s, x, first, steps, [2, 2], [0, 0], 2),
                            (3, 3) if whole => maximum(s, x, first, steps, [3, 3], [0, 0], 3),
                            _ => {
                                let counts = [row.taps.len(), column.taps.len()];
                                let starts = [row.taps.start, column.taps.start];
                                maximum(s, x, first, steps, counts, starts, wide)
                            }
                        }
                    };
                    // SAFETY: the pixel is in its row of the output, whose length was checked.
                    unsafe { s.store(greatest, y, y_at + at * LANES) };
                    keep(s, code, code_at);
                    code_at += LANES;
                }
            },
        );
    }

    /// Gradient of max pooling: each output's gradient goes to the element that was chosen.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo, or `codes` is not
    /// [`BlockedMaxPool::codes_len`] long.
    pub fn backward(
        &self,
        images: usize,
        codes: &[u8],
        dy: Values<'_>,
        dx: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        let to = dx.check("gradient of x", self.windows.input, images)?;
        let from = dy.check("dy", self.windows.output, images)?;
        check_len("codes", codes.len(), self.codes_len(images))?;
        self.windows.clear(images, to, dx.data);
        let layouts = [from, to];
        dispatch!(self.isa, |s| match (self.windows.apart, self.code_bytes()) {
            (true, 1) => self.scatter::<_, false, false>(s, images, layouts, codes, dy.data, dx.data),
            (true, _) => self.scatter::<_, false, true>(s, images, layouts, codes, dy.data, dx.data),
            (false, 1) => self.scatter::<_, true, false>(s, images, layouts, codes, dy.data, dx.data),
            (false, _) => self.scatter::<_, true, true>(s, images, layouts, codes, dy.data, dx.data),
        });
        Ok(())
    }

    #[inline(always)]
    fn scatter<S: Simd, const ADD: bool, const WORDS: bool>(
        &self,
        s: S,
        images: usize,
        [from, to]: [Blocked; 2],
        codes: &[u8],
        dy: &[f32],
        dx: &mut [f32],
    ) {
        let (windows, steps) = (&self.windows, self.windows.steps(to));
        let mut code_at = 0;
        windows.for_each_output_row(
            images,
            from,
            #[inline(always)]
            |image, block, row, dy_at| {
                let row = &windows.rows[row];
                for (at, column) in windows.columns.iter().enumerate() {
                    // SAFETY: the codes' length was checked: as many as the output has elements.
                    let code = unsafe { load_code::<_, WORDS>(s, codes, code_at) };
                    code_at += LANES;
                    let first = windows.first_tap(to, image, block, row, column);
                    // SAFETY: the pixel is in its row of the output, whose length was checked; the taps of a span fall
                    // on the input, whose length was too.
                    unsafe {
                        let dy = s.load(dy, dy_at + at * LANES);
                        share::<_, ADD>(s, code, dy, windows.kernel[1], [row, column], dx, first, steps);
                    }
                }
            },
        );
    }
}

/// Eight codes from the `at`-th on.
///
/// # Safety
/// There must be `at + 8` codes.
#[inline(always)]
unsafe fn load_code<S: Simd, const WORDS: bool>(s: S, codes: &[u8], at: usize) -> S::U {
    if !WORDS {
        // SAFETY: the caller's promise.
        return unsafe { s.load_bytes(codes, at) };
    }
    let (bytes, _) = codes[4 * at..4 * (at + LANES)].as_chunks();
    let mut words = [0; LANES];
    words.iter_mut().zip(bytes).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
    // SAFETY: eight elements.
    unsafe { s.load_u(&words, 0) }
}

/// Gives `dy` to the tap of each lane's code, and 0 to the others.
///
/// # Safety
/// All taps must be within `dx`.
#[expect(clippy::too_many_arguments, reason = "the inner loop of one caller")]
#[inline(always)]
unsafe fn share<S: Simd, const ADD: bool>(
    s: S,
    code: S::U,
    dy: S::F,
    width: usize,
    [row, column]: [&Span; 2],
    dx: &mut [f32],
    first: usize,
    steps: [usize; 2],
) {
    for (down, row_tap) in row.taps.clone().enumerate() {
        for (across, column_tap) in column.taps.clone().enumerate() {
            let chosen = s.eq_u(code, s.splat_u((row_tap * width + column_tap) as u32));
            let value = s.select(chosen, dy, s.splat(0.0));
            // SAFETY: the caller's promise.
            unsafe { put::<_, ADD>(s, value, dx, first + down * steps[0] + across * steps[1]) };
        }
    }
}

/// The greatest value of a window of `counts` taps, and which tap it is: row · `width` + column, counted from `starts`.
///
/// # Safety
/// All taps must be within `x`, and there must be one.
#[inline(always)]
unsafe fn maximum<S: Simd>(
    s: S,
    x: &[f32],
    first: usize,
    steps: [usize; 2],
    counts: [usize; 2],
    starts: [usize; 2],
    width: usize,
) -> (S::F, S::U) {
    let code_of =
        |down: usize, across: usize| s.splat_u(((starts[0] + down) * width + starts[1] + across) as u32);
    // SAFETY: the caller's promise.
    let mut greatest = unsafe { s.load(x, first) };
    let mut code = code_of(0, 0);
    for down in 0..counts[0] {
        for across in usize::from(down == 0)..counts[1] {
            // SAFETY: the caller's promise.
            let value = unsafe { s.load(x, first + down * steps[0] + across * steps[1]) };
            let better = s.or(s.gt(value, greatest), s.ne(value, value));
            greatest = s.select(better, value, greatest);
            code = s.select_u(better, code_of(down, across), code);
        }
    }
    (greatest, code)
}
