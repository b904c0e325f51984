//! Ctrl-C and SIGTERM: while training they end it cleanly, elsewhere, or the second time, the program at once. A server has
//! no other end, so that there it is no failure.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::terminal;

static TRAINING: AtomicBool = AtomicBool::new(false);
static SERVING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);
/// Where the checkpoints are of a run that other processes share.
static SHARED: OnceLock<PathBuf> = OnceLock::new();
/// How often training has shown that it goes on.
static SIGNS: AtomicUsize = AtomicUsize::new(0);

/// `mpirun` ends processes a second after it has asked them to end. A step that takes longer than this is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Listens from now on.
pub(super) fn install() {
    // Where no handler can be set, Ctrl-C does what the system has it do.
    let _ = ctrlc::set_handler(|| {
        if SERVING.load(Ordering::SeqCst) {
            std::process::exit(0);
        }
        let again = ASKED.swap(true, Ordering::SeqCst);
        if again || !TRAINING.load(Ordering::SeqCst) {
            std::process::exit(i32::from(super::INTERRUPTED));
        }
        tell_if_stuck();
    });
}

/// When a process dies, `mpirun` asks the others to end. They cannot while they wait for it, so that this is the last that can
/// be said.
fn tell_if_stuck() {
    let Some(checkpoints) = SHARED.get() else { return };
    let before = SIGNS.load(Ordering::SeqCst);
    std::thread::sleep(PATIENCE);
    if TRAINING.load(Ordering::SeqCst) && SIGNS.load(Ordering::SeqCst) == before {
        terminal::note(format!(
            "error: another process of this run has ended, or this one was told to in the middle of a long step; the newest \
             checkpoint is in {}: the same command with --resume goes on from there",
            checkpoints.display()
        ));
    }
}

/// Says that other processes share the run, and where its checkpoints are.
pub(super) fn shared(checkpoints: PathBuf) {
    // It is said once.
    let _ = SHARED.set(checkpoints);
}

/// Says that training goes on, which looks at [`asked`] after each step.
pub(super) fn training(under_way: bool) {
    SIGNS.fetch_add(1, Ordering::SeqCst);
    TRAINING.store(under_way, Ordering::SeqCst);
}

/// Says that from now on the program serves, until it is ended.
pub(super) fn serving() {
    SERVING.store(true, Ordering::SeqCst);
}

/// Whether the user wants the run to end.
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
