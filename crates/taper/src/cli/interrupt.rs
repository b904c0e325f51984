//! Ctrl-C and SIGTERM: while training they end it cleanly, elsewhere, or the second time, the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

static TRAINING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens from now on.
pub(super) fn install() {
    // Where no handler can be set, Ctrl-C does what the system has it do.
    let _ = ctrlc::set_handler(|| {
        let again = ASKED.swap(true, Ordering::SeqCst);
        if again || !TRAINING.load(Ordering::SeqCst) {
            std::process::exit(i32::from(super::INTERRUPTED));
        }
    });
}

/// Says that training is under way, which looks at [`asked`] after each step.
pub(super) fn training(under_way: bool) {
    TRAINING.store(under_way, Ordering::SeqCst);
}

/// Whether the user wants the run to end.
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
