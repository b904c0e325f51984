//! The gradient of the raw convolution, written out in full.

use super::{Epilogue, NO_GRADIENT};
use crate::blocked::Blocked;
use crate::error::{KernelError, check_len};
use crate::simd::{LANES, Simd, dispatch};

impl Epilogue {
    /// The gradient of the raw convolution of `images` images, `dz`, in the layout of the convolution's output with the
    /// halo `halo`, which becomes zero; adds the bias gradients to `dbias_sum`, eight for each block of channels.
    ///
    /// `codes` are those that [`Epilogue::forward`] wrote; `dy` is the gradient of its result, without a halo.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the layouts give it.
    ///
    /// ```
    /// use taper_graph::MaxPool2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, Epilogue}};
    /// // Of two pixels the second one was chosen.
    /// let pool = MaxPool2d { kernel: [1, 2], stride: [1, 2], ..MaxPool2d::new(2) };
    /// let epilogue = Epilogue::new(Blocked::new([1, 1, 2], 0), true, Some(&pool), None, 0, Isa::current())?;
    /// let (mut codes, mut dy, mut dz, mut dbias) = ([255; 8], [0.0; 8], [9.0; 16], [0.0; 8]);
    /// (codes[0], dy[0]) = (1, 5.0);
    /// epilogue.backward_dense(&codes, &dy, &mut dz, 0, 1, &mut dbias)?;
    /// assert_eq!((dz[0], dz[8], dbias[0]), (0.0, 5.0, 5.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backward_dense(
        &self,
        codes: &[u8],
        dy: &[f32],
        dz: &mut [f32],
        halo: usize,
        images: usize,
        dbias_sum: &mut [f32],
    ) -> Result<(), KernelError> {
        let to = self.conv.with_halo(halo);
        check_len("codes", codes.len(), self.codes_len(images))?;
        check_len("dy", dy.len(), self.codes_len(images))?;
        check_len("dz", dz.len(), to.elements(images))?;
        check_len("bias gradient", dbias_sum.len(), to.blocks() * LANES)?;
        dz.fill(0.0);
        let from = self.output().with_halo(0);
        let planes = codes.chunks_exact(from.plane()).zip(dy.chunks_exact(from.plane()));
        dispatch!(self.isa, |s| for (at, (dz, (codes, dy))) in
            dz.chunks_exact_mut(to.plane()).zip(planes).enumerate()
        {
            let dbias = &mut dbias_sum[at % to.blocks() * LANES..][..LANES];
            let sum = match self.apart {
                true => self.scatter::<_, true>(s, to, codes, dy, dz),
                false => self.scatter::<_, false>(s, to, codes, dy, dz),
            };
            // SAFETY: eight elements.
            unsafe { s.store(s.add(s.load(dbias, 0), sum), dbias, 0) };
        });
        Ok(())
    }

    /// Adds a plane of gradients to the elements that the codes name; returns the sums over the plane. `APART` promises
    /// that no element is under two windows, so that there is nothing to add to.
    #[inline(always)]
    fn scatter<S: Simd, const APART: bool>(
        &self,
        s: S,
        to: Blocked,
        codes: &[u8],
        dy: &[f32],
        dz: &mut [f32],
    ) -> S::F {
        let (zero, scale) = (s.splat(0.0), s.splat(self.scale()));
        let none = s.splat_u(u32::from(NO_GRADIENT));
        let (mut sum, mut from) = (zero, 0);
        for rows in &self.rows {
            for columns in &self.columns {
                // SAFETY: `from` walks over the plane.
                let (code, dy) = unsafe { (s.load_bytes(codes, from), s.mul(s.load(dy, from), scale)) };
                sum = s.add(sum, s.select(s.eq_u(code, none), zero, dy));
                for (tap_row, row) in rows.each() {
                    let line = to.at(0, row, 0);
                    for (tap, column) in columns.each() {
                        let at = line + column * LANES;
                        let own = s.eq_u(code, s.splat_u((tap_row * self.kernel[1] + tap) as u32));
                        let own = s.select(own, dy, zero);
                        // SAFETY: the taps fall on the plane, whose length `backward_dense` checked.
                        unsafe {
                            let own = if APART { own } else { s.add(s.load(dz, at), own) };
                            s.store(own, dz, at);
                        }
                    }
                }
                from += LANES;
            }
        }
        sum
    }
}
