//! Memory that begins on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Elements of a cache line.
const LINE: usize = 16;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A growing row of f32 that begins on a cache line, so that no vector of eight lies across two of them: an ordinary `Vec`
/// is aligned to half a vector at most, and every other load would be of two lines.
///
/// ```
/// use taper_kernels::Aligned;
/// let mut values = Aligned::zeros(3);
/// values.grow(5);
/// values[4] = 1.0;
/// assert_eq!(values[..], [0.0, 0.0, 0.0, 0.0, 1.0]);
/// ```
#[derive(Clone, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// `len` zeros. Like a `Vec`, it ends the program if there is no memory for them: who takes `len` from outside checks
    /// it first.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        let mut row = Self::default();
        row.grow(len);
        row
    }

    /// Makes the row at least `len` long; what is new is zero.
    pub fn grow(&mut self, len: usize) {
        if self.len < len {
            // What lies behind the end in the last line was never written to, and is zero.
            self.lines.resize(len.div_ceil(LINE), Line([0.0; LINE]));
            self.len = len;
        }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are contiguous arrays of f32 without padding, and hold at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the row is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl fmt::Debug for Aligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A network has millions of them.
        write!(f, "Aligned({} elements)", self.len)
    }
}
