//! The gradients of a convolution from the gradients of its output that are not zero.
//!
//! After max pooling, ReLU and dropout a sixth of the outputs, say, pass a gradient on, and the codes of the
//! [`Epilogue`] tell which. Working on those alone is exact, and beats any dense form while they are few.

mod fill;
mod input;
mod lists;
mod weight;

use taper_graph::Conv2d;

use super::{Blocked, Epilogue};
use crate::geometry::{ConvGeometry, product};
use crate::isa::Isa;
use crate::simd::LANES;

pub use lists::SparseLists;

/// The greatest place that the lists can name; the number behind it says "nowhere".
const PLACES: usize = i32::MAX as usize - 1;

/// The most entries of the tables, of which each takes some ten times as much memory as an element of the image: a
/// pooling that needs more has so large windows that it gains nothing here.
const ENTRIES: usize = 1 << 24;

/// The gradients of a convolution of one group, by its [`Epilogue`]'s codes.
///
/// For a few images at a time: [`SparseConv::fill`] makes lists of the gradients that pass, from which
/// [`SparseConv::backward_weight`] and [`SparseConv::backward_input`] work. Additions are in a fixed order.
///
/// ```
/// use taper_graph::{Conv2d, MaxPool2d};
/// use taper_kernels::{Isa, blocked::{Blocked, Epilogue, SparseConv, SparseLists}};
///
/// // One 1×1 filter of weight 3 on 1×2 pixels; the second one won the pooling.
/// let (conv, isa) = (Conv2d::new(1, 1), Isa::current());
/// let pool = MaxPool2d { kernel: [1, 2], stride: [1, 2], ..MaxPool2d::new(2) };
/// let input = Blocked::new([1, 1, 2], 0);
/// let epilogue = Epilogue::new(input, true, Some(&pool), None, 0, isa)?;
/// let sparse = SparseConv::new(&conv, input, &epilogue, isa).ok_or("not such a convolution")?;
///
/// let (mut dy, mut codes, mut x) = ([0.0; 8], [255; 8], [0.0; 16]);
/// (dy[0], codes[0], x[0], x[8]) = (2.0, 1, 5.0, 7.0);
/// let (mut lists, mut dbias) = (SparseLists::new(&sparse, 1, true)?, [0.0; 8]);
/// assert_eq!(sparse.fill(1, &codes, &dy, &mut lists, &mut dbias)?, 1);
/// assert_eq!(dbias[0], 2.0);
///
/// let (mut sum, mut dweight) = (vec![0.0; sparse.weight_sum_len()], [0.0]);
/// sparse.backward_weight(1, &x, &mut lists, true, &mut sum)?;
/// sparse.unpack_weight_sum(&[&sum], &mut dweight)?;
/// assert_eq!(dweight, [14.0]);
///
/// let (mut packed, mut dx) = (vec![0.0; sparse.backward_packed_len()], [9.0; 16]);
/// sparse.pack_backward(&[3.0], &mut packed)?;
/// sparse.backward_input(1, &lists, &packed, &mut dx)?;
/// assert_eq!([dx[0], dx[8]], [0.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SparseConv {
    geometry: ConvGeometry,
    input: Blocked,
    isa: Isa,
    /// What a gradient that passes is multiplied by.
    scale: f32,
    /// Pixels of one channel after pooling.
    pooled: usize,
    /// Taps of a pooling window.
    taps: usize,
    /// Images whose gradients for one channel share a list.
    chunk: usize,
    /// For each image of a chunk, pooled pixel and tap of its window: where in the chunk's first block of input channels
    /// the window of the convolution starts.
    starts: Vec<u32>,
    /// For each pixel of the convolution where its part of `winners` ends.
    winner_ends: Vec<usize>,
    /// The pooled pixels, and the codes there, that name a pixel of the convolution.
    winners: Vec<(u32, u32)>,
    weight: weight::Form,
    slices: Vec<input::Slice>,
}

impl SparseConv {
    /// For the convolution `conv` of the images `input`, whose halo must hold all that its windows reach, followed by
    /// `epilogue`. `None` if the convolution has several groups, these do not fit together, or they are too large:
    /// 2³¹ elements of an image or output channels, or 2²⁴ taps of pooling windows.
    ///
    /// ```
    /// use taper_graph::{Conv2d, MaxPool2d};
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue, SparseConv}};
    /// let (conv, output) = (Conv2d::new(8, 3).padding(1), Blocked::new([8, 6, 6], 0));
    /// let epilogue = Epilogue::new(output, true, Some(&MaxPool2d::new(2)), None, 0, Isa::current())?;
    /// let new = |halo| SparseConv::new(&conv, Blocked::new([3, 6, 6], halo), &epilogue, Isa::current());
    /// assert!(new(1).is_some() && new(0).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(conv: &Conv2d, input: Blocked, epilogue: &Epilogue, isa: Isa) -> Option<Self> {
        let image = [input.channels, input.height, input.width];
        let geometry = ConvGeometry::new(conv, 1, image).ok().filter(|geometry| geometry.groups == 1)?;
        let [height, width] = geometry.output;
        if epilogue.conv != Blocked::new([geometry.out_channels, height, width], 0) {
            return None;
        }
        // Places in a chunk of images, and channels, are 32-bit numbers which are compared as signed ones. Said before
        // anything is reckoned with them: a halo may be any number.
        if input.image().max(geometry.out_channels) > PLACES {
            return None;
        }
        let reaches = |axis: usize, size: usize| {
            let window = geometry.windows[axis];
            let end =
                window.start(geometry.output[axis] - 1) + (window.dilation * (window.kernel - 1)) as isize;
            window.padding <= input.halo && end < (size + input.halo) as isize
        };
        if !reaches(0, input.height) || !reaches(1, input.width) {
            return None;
        }
        let chunk = weight::chunk_of(&geometry, input);
        let pooled = epilogue.output().pixels();
        let entries = product([chunk, pooled, epilogue.taps()]);
        if input.elements(chunk) > PLACES || entries > ENTRIES {
            return None;
        }
        let (winner_ends, winners) = winners(epilogue);
        Some(Self {
            starts: starts(&geometry, input, epilogue, chunk),
            weight: weight::Form::new(&geometry, input),
            slices: input::slices(&geometry, input),
            scale: epilogue.scale(),
            taps: epilogue.taps(),
            geometry,
            input,
            isa,
            pooled,
            chunk,
            winner_ends,
            winners,
        })
    }

    /// Blocks of output channels.
    fn out_blocks(&self) -> usize {
        self.geometry.out_channels.div_ceil(LANES)
    }

    /// Elements of one image after pooling.
    fn pooled_image(&self) -> usize {
        self.out_blocks() * self.pooled * LANES
    }

    /// Whether the gradients of weight and input are found sooner from the `entries` gradients of `images` images that
    /// pass, as [`SparseConv::count`] gives them, than in full.
    ///
    /// The limits are where measured times of both meet. For 3×3 convolutions the dense form is Winograd's, with a
    /// quarter of the products; else it is direct.
    ///
    /// ```
    /// use taper_graph::{Conv2d, MaxPool2d};
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue, SparseConv}};
    /// let (conv, output) = (Conv2d::new(8, 3).padding(1), Blocked::new([8, 6, 6], 0));
    /// let epilogue = Epilogue::new(output, true, Some(&MaxPool2d::new(2)), None, 0, Isa::current())?;
    /// let input = Blocked::new([8, 6, 6], 1);
    /// let sparse = SparseConv::new(&conv, input, &epilogue, Isa::current()).ok_or("not such a convolution")?;
    /// assert!(sparse.pays(10, 1) && !sparse.pays(8 * 36, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pays(&self, entries: usize, images: usize) -> bool {
        let [vertical, horizontal] = self.geometry.windows;
        let winograd = [vertical, horizontal].iter().all(|w| (w.kernel, w.stride, w.dilation) == (3, 1, 1));
        let limit = match self.weight {
            weight::Form::Rows(_) => 0.35,
            weight::Form::Blocks(_) if winograd => 0.25,
            weight::Form::Blocks(_) => 0.65,
        };
        let outputs = images as f64 * self.geometry.out_image_len() as f64;
        entries as f64 <= limit * outputs
    }
}

/// See [`SparseConv::starts`].
fn starts(geometry: &ConvGeometry, input: Blocked, epilogue: &Epilogue, chunk: usize) -> Vec<u32> {
    let [vertical, horizontal] = geometry.windows;
    let mut starts = Vec::with_capacity(chunk * epilogue.output().pixels() * epilogue.taps());
    for image in 0..chunk {
        for rows in &epilogue.rows {
            for columns in &epilogue.columns {
                let window = starts.len();
                starts.resize(window + epilogue.taps(), 0);
                for (tap_row, row) in rows.each() {
                    for (tap, column) in columns.each() {
                        let row = row * vertical.stride + input.halo - vertical.padding;
                        let column = column * horizontal.stride + input.halo - horizontal.padding;
                        let start = image * input.image() + row * input.row() + column * LANES;
                        starts[window + tap_row * epilogue.kernel[1] + tap] = start as u32;
                    }
                }
            }
        }
    }
    starts
}

/// See [`SparseConv::winners`] and [`SparseConv::winner_ends`].
fn winners(epilogue: &Epilogue) -> (Vec<usize>, Vec<(u32, u32)>) {
    let conv = epilogue.conv;
    let mut all = Vec::new();
    for (row, rows) in epilogue.rows.iter().enumerate() {
        for (column, columns) in epilogue.columns.iter().enumerate() {
            let pooled = (row * epilogue.columns.len() + column) as u32;
            for (tap_row, y) in rows.each() {
                for (tap, x) in columns.each() {
                    let code = (tap_row * epilogue.kernel[1] + tap) as u32;
                    all.push((y * conv.width + x, (pooled, code)));
                }
            }
        }
    }
    all.sort_unstable();
    let ends = (0..conv.pixels()).map(|pixel| all.partition_point(|(at, _)| *at <= pixel)).collect();
    (ends, all.into_iter().map(|(_, winner)| winner).collect())
}
