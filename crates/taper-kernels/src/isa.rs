//! Which instruction set the kernels run on.

use std::fmt;
use std::sync::OnceLock;

use crate::error::KernelError;
use crate::simd::portable::Portable;

/// The variable that forces an instruction set.
const VARIABLE: &str = "TAPER_ISA";

/// What kernels run on, once that is settled.
static CURRENT: OnceLock<Isa> = OnceLock::new();

/// An instruction set that this processor has.
///
/// ```
/// use taper_kernels::Isa;
/// Isa::check()?;
/// assert_eq!(Isa::portable().name(), "portable");
/// assert!(Isa::available().iter().any(|isa| isa.name() == Isa::current().name()));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Isa(Set);

/// The tokens, each of which proves that the processor has its instructions.
#[derive(Clone, Copy)]
pub(crate) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx2(crate::simd::avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(crate::simd::neon::Neon),
    Portable(Portable),
}

impl Isa {
    /// Plain Rust, which every processor runs.
    #[must_use]
    pub fn portable() -> Self {
        Self(Set::Portable(Portable))
    }

    /// All that this processor has, the fastest first.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// assert!(Isa::available().iter().any(|isa| isa.name() == "portable"));
    /// ```
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut available = Vec::new();
        #[cfg(target_arch = "x86_64")]
        available.extend(crate::simd::avx2::Avx2::detect().map(|token| Self(Set::Avx2(token))));
        #[cfg(target_arch = "aarch64")]
        available.extend(crate::simd::neon::Neon::detect().map(|token| Self(Set::Neon(token))));
        available.push(Self::portable());
        available
    }

    /// The one that kernels run on: what the environment variable `TAPER_ISA` names when the first kernel runs, or
    /// else the fastest. A name that this processor does not have is passed over; [`Isa::check`] reports it.
    #[must_use]
    pub fn current() -> Self {
        *CURRENT.get_or_init(|| {
            let asked = std::env::var_os(VARIABLE).and_then(|name| Self::named(&name.to_string_lossy()));
            asked.unwrap_or_else(|| Self::available()[0])
        })
    }

    /// Makes this the one that kernels run on, whatever `TAPER_ISA` says. Plain Rust gives the same bits on every processor;
    /// the others differ in the last ones, since some fuse a product and a sum.
    ///
    /// # Errors
    /// [`KernelError::IsaSettled`] if a kernel has run on another one, or another was asked for.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// Isa::portable().force()?;
    /// assert_eq!(Isa::current().name(), "portable");
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn force(self) -> Result<(), KernelError> {
        let settled = CURRENT.get_or_init(|| self).name();
        if settled == self.name() { Ok(()) } else { Err(KernelError::IsaSettled { settled }) }
    }

    /// Proves that `TAPER_ISA`, if it is set, names an instruction set that this processor has.
    ///
    /// # Errors
    /// [`KernelError::Isa`] with those it has.
    pub fn check() -> Result<(), KernelError> {
        let asked = std::env::var_os(VARIABLE).map(|name| name.to_string_lossy().into_owned());
        match asked {
            Some(name) if Self::named(&name).is_none() => {
                let known: Vec<_> = Self::available().iter().map(Self::name).collect();
                Err(KernelError::Isa { name, known: known.join(", ") })
            }
            _ => Ok(()),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// `avx2`, `neon` or `portable`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => "neon",
            Set::Portable(_) => "portable",
        }
    }

    pub(crate) fn set(self) -> Set {
        self.0
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
