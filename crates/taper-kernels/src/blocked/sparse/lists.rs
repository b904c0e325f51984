//! The lists of gradients that pass, and what is checked of them.

use super::{PLACES, SparseConv};
use crate::blocked::Blocked;
use crate::error::{KernelError, check_len};
use crate::geometry::product;
use crate::simd::{LANES, dispatch};

/// Entries of a pixel's list are a multiple of it, so that they can be worked on side by side.
pub(super) const UNROLL: usize = 4;

/// No place; greater than all of them.
pub(super) const NOWHERE: u32 = PLACES as u32 + 1;

/// The most elements of one list of all: a gigabyte.
const ROOM: usize = 1 << 28;

/// All sizes that the numbers in lists depend on.
pub(super) type Signature = [[usize; 4]; 4];

/// The gradients of a few images that pass, as lists: what [`SparseConv::fill`] writes.
///
/// They are made once and filled again for each few images; threads need one each, images do not.
#[derive(Debug, Clone)]
pub struct SparseLists {
    /// The images that there is room for, and those that the lists are of.
    room: usize,
    pub(super) images: usize,
    /// Places of one channel's list.
    pub(super) stride: usize,
    /// For each chunk of images and each channel, how long its list is.
    pub(super) counts: Vec<usize>,
    /// Where in its chunk's first block of input channels the window starts, and the gradient there.
    pub(super) starts: Vec<u32>,
    pub(super) gradients: Vec<f32>,
    /// For each image and pixel of the convolution, where its list ends.
    pub(super) ends: Vec<usize>,
    /// The output channel, and the gradient there, of which some are zeros that fill the list.
    pub(super) channels: Vec<u32>,
    pub(super) values: Vec<f32>,
    /// Room for one chunk of images without blocks.
    pub(super) plain: Vec<f32>,
    /// Of what convolution they are.
    pub(super) signature: Signature,
}

impl SparseLists {
    /// Room for the lists of up to `images` images; `input_gradient` says whether [`SparseConv::backward_input`] will
    /// be called, which the first layer of a network has no need for.
    ///
    /// # Errors
    /// [`KernelError::TooManyImages`] if they would need more than a gigabyte.
    ///
    /// ```
    /// use taper_graph::{Conv2d, MaxPool2d};
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue, SparseConv, SparseLists}};
    /// let output = Blocked::new([8, 6, 6], 0);
    /// let epilogue = Epilogue::new(output, true, Some(&MaxPool2d::new(2)), None, 0, Isa::current())?;
    /// let (conv, input) = (Conv2d::new(8, 3).padding(1), Blocked::new([8, 6, 6], 1));
    /// let sparse = SparseConv::new(&conv, input, &epilogue, Isa::current()).ok_or("not such a convolution")?;
    /// assert!(SparseLists::new(&sparse, 5, true).is_ok());
    /// assert!(SparseLists::new(&sparse, usize::MAX, true).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(conv: &SparseConv, images: usize, input_gradient: bool) -> Result<Self, KernelError> {
        let padding = (UNROLL - 1) * conv.geometry.out_pixels();
        // More than any of the lists has: eight elements behind, and a whole line or two.
        let most = product([conv.out_blocks() * LANES, conv.pooled + 4 * LANES]).saturating_add(padding);
        if product([images.div_ceil(conv.chunk), conv.chunk, most]) > ROOM {
            return Err(KernelError::TooManyImages { what: "lists of gradients", images });
        }
        let lists = images.div_ceil(conv.chunk) * conv.out_blocks() * LANES;
        // A whole line of the cache more than a full list and what packing writes behind it, and an odd number of lines,
        // so that lists do not fall on the same sets.
        let stride = ((conv.chunk.min(images) * conv.pooled + LANES).div_ceil(16) * 16) | 16;
        let pixels = if input_gradient { conv.geometry.out_pixels() } else { 0 };
        let values = if input_gradient { images * (conv.pooled_image() + padding) + LANES } else { 0 };
        Ok(Self {
            room: images,
            images: 0,
            stride,
            counts: vec![0; lists],
            starts: vec![0; lists * stride],
            gradients: vec![0.0; lists * stride],
            ends: vec![0; images * pixels],
            channels: vec![0; values],
            values: vec![0.0; values],
            plain: vec![0.0; conv.plain_len()],
            signature: conv.signature(),
        })
    }

    /// Whether they were made for the gradient of the input, too.
    pub(super) fn of_pixels(&self) -> bool {
        !self.values.is_empty()
    }
}

impl SparseConv {
    /// What lists must have been made for, so that all in them is in bounds.
    pub(super) fn signature(&self) -> Signature {
        let Blocked { channels, height, width, halo } = self.input;
        let [a, b] = self.geometry.windows.map(|w| [w.kernel, w.stride, w.padding, w.dilation]);
        [
            [channels, height, width, halo],
            a,
            b,
            [self.geometry.out_channels, self.pooled, self.taps, self.chunk],
        ]
    }

    /// How many gradients of `images` images pass, by their codes: what [`SparseConv::fill`] returns, without making
    /// lists.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `codes` is not of `images` images.
    ///
    /// ```
    /// use taper_graph::{Conv2d, MaxPool2d};
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue, SparseConv}};
    /// // Windows of four taps; a code of 255 names none of them.
    /// let output = Blocked::new([8, 2, 2], 0);
    /// let epilogue = Epilogue::new(output, true, Some(&MaxPool2d::new(2)), None, 0, Isa::current())?;
    /// let (conv, input) = (Conv2d::new(8, 3).padding(1), Blocked::new([8, 2, 2], 1));
    /// let sparse = SparseConv::new(&conv, input, &epilogue, Isa::current()).ok_or("not such a convolution")?;
    /// assert_eq!(sparse.count(1, &[0, 3, 255, 255, 1, 255, 255, 255])?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self, images: usize, codes: &[u8]) -> Result<usize, KernelError> {
        check_len("codes", codes.len(), images.saturating_mul(self.pooled_image()))?;
        let taps = self.taps as u8;
        // Sums of bytes over 128 bytes, which vectors hold many of.
        Ok(dispatch!(self.isa, |_s| {
            let mut count = 0;
            for codes in codes.chunks(128) {
                count += usize::from(codes.iter().fold(0, |sum, &code| sum + u8::from(code < taps)));
            }
            count
        }))
    }

    /// Fills `lists` with the gradients that pass, of `images` images; adds the bias gradients to `dbias_sum`, eight for
    /// each block of channels. Returns how many gradients pass.
    ///
    /// `codes` are those that [`super::Epilogue::forward`] wrote; `dy` is the gradient of its result, without a halo.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the layouts give it, or `lists` was made for
    /// another convolution or fewer images.
    pub fn fill(
        &self,
        images: usize,
        codes: &[u8],
        dy: &[f32],
        lists: &mut SparseLists,
        dbias_sum: &mut [f32],
    ) -> Result<usize, KernelError> {
        check_len("codes", codes.len(), images.saturating_mul(self.pooled_image()))?;
        check_len("dy", dy.len(), codes.len())?;
        check_len("bias gradient", dbias_sum.len(), self.out_blocks() * LANES)?;
        self.check_lists(lists, lists.images)?;
        if images > lists.room {
            return Err(KernelError::Length {
                what: "images of the lists",
                expected: images,
                found: lists.room,
            });
        }
        lists.images = images;
        lists.counts.fill(0);
        Ok(dispatch!(self.isa, |s| {
            self.list_channels(s, images, codes, dy, lists, dbias_sum);
            if lists.of_pixels() {
                self.list_pixels(s, images, codes, dy, lists);
            }
            lists.counts.iter().sum()
        }))
    }

    /// Proves that `lists` are of this convolution and of `images` images.
    pub(super) fn check_lists(&self, lists: &SparseLists, images: usize) -> Result<(), KernelError> {
        for (found, expected) in lists.signature.as_flattened().iter().zip(self.signature().as_flattened()) {
            check_len("lists of another convolution", *found, *expected)?;
        }
        check_len("images of the lists", lists.images, images)
    }
}
