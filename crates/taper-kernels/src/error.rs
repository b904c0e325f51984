//! What can be wrong with a kernel's arguments.

/// Why a kernel refuses its arguments.
///
/// ```
/// let error = taper_kernels::softmax([1, 2, 1], &[0.0; 3], &mut [0.0; 3]).unwrap_err();
/// assert_eq!(error.to_string(), "`x` has 3 elements, but its shape has 2");
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A slice does not have the length that the geometry gives it.
    #[error("`{what}` has {found} elements, but its shape has {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// How many elements it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A label is not one of the classes.
    #[error("label {label} of item {item} is outside the {classes} classes")]
    Label {
        /// The item's place in the batch.
        item: usize,
        /// Its label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// A probability of dropout is not one.
    #[error("the probability of dropout is {p}; use a number from 0 to 1")]
    Probability {
        /// What was asked for.
        p: f32,
    },
    /// There is no room for what so large a batch needs.
    #[error("`{what}` of {images} images would need too much memory; use a smaller batch")]
    TooManyImages {
        /// What it would be.
        what: &'static str,
        /// The images that were asked for.
        images: usize,
    },
    /// The environment asks for an instruction set that this processor does not have.
    #[error("TAPER_ISA is `{name}`, which this processor does not have; it has {known}")]
    Isa {
        /// What `TAPER_ISA` says.
        name: String,
        /// What there is.
        known: String,
    },
    /// It is too late to choose an instruction set.
    #[error("the kernels run on {settled} already; choose an instruction set before anything else")]
    IsaSettled {
        /// What they run on.
        settled: &'static str,
    },
}

/// Checks the length of one argument.
pub(crate) fn check_len(what: &'static str, found: usize, expected: usize) -> Result<(), KernelError> {
    if found == expected { Ok(()) } else { Err(KernelError::Length { what, expected, found }) }
}
