//! The instruction set that models run on.

use std::sync::OnceLock;

use taper_kernels::{Isa, KernelError};

/// [`Isa::current`], once [`Isa::check`] has passed `TAPER_ISA`; both are asked once. All ways into the kernels
/// begin here, so that a name that this processor does not have is an error everywhere.
pub(crate) fn isa() -> Result<Isa, KernelError> {
    static CHECKED: OnceLock<Result<Isa, KernelError>> = OnceLock::new();
    CHECKED.get_or_init(|| Isa::check().map(|()| Isa::current())).clone()
}
