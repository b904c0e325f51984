//! Kernels on images in blocks of eight channels, the layout in which a training step keeps its values.
//!
//! A vector register holds eight channels of one pixel, so that neither the width of an image nor the order of its
//! taps matters to a kernel. [`Blocked`] says where an element stands. The kernels here work on a few images at a time,
//! on one thread; who calls them splits the batch.

mod direct;
mod elementwise;
mod epilogue;
mod layout;
mod linear;
mod norm;
mod pool;
mod sparse;
mod winograd;

/// Who gets the planes that a convolution has finished: `emit(image, block, plane)` with the eight channels `block`,
/// `[H', W', 8]`. It may change the plane at will.
pub type Emit<'a> = dyn FnMut(usize, usize, &mut [f32]) + 'a;

pub use direct::DirectConv;
pub use elementwise::{ChannelSlice, Elementwise};
pub use epilogue::{Epilogue, dropout};
pub use layout::{Blocked, Values, ValuesMut};
pub use linear::{BlockedLinear, LinearLists};
pub use norm::BlockedNorm;
pub use pool::{BlockedAvgPool, BlockedMaxPool};
pub use sparse::{SparseConv, SparseLists};
pub use winograd::WinogradConv;
