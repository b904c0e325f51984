//! Ctrl-C and SIGTERM: while training they end it cleanly, elsewhere, or the second time, the program at once. A server has
//! no other end, so that there it is no failure.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use taper::train::CheckpointFolder;
use taper::{RunFolder, RunLock};

use super::terminal;

static TRAINING: AtomicBool = AtomicBool::new(false);
static SERVING: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);
/// The folder of a run that other processes share, and the number of this one.
static SHARED: OnceLock<(RunFolder, usize)> = OnceLock::new();
/// What says to the other processes that this one speaks.
static SPEAKS: OnceLock<RunLock> = OnceLock::new();
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
    let Some((folder, rank)) = SHARED.get() else { return };
    let before = SIGNS.load(Ordering::SeqCst);
    std::thread::sleep(PATIENCE);
    let is_stuck = TRAINING.load(Ordering::SeqCst) && SIGNS.load(Ordering::SeqCst) == before;
    if !is_stuck || !speaks(folder, *rank) {
        return;
    }
    let checkpoints = folder.checkpoints();
    let what_now = match CheckpointFolder::has_any(&checkpoints) {
        Ok(true) => format!(
            "the newest checkpoint is in {}: the same command with --resume goes on from there",
            checkpoints.display()
        ),
        Ok(false) if folder.path().is_dir() => "there was no checkpoint yet: start it again".to_owned(),
        _ => format!(
            "if there was a checkpoint, it is in {} where process 0 ran: the same command with --resume goes on from there",
            checkpoints.display()
        ),
    };
    terminal::note(format!(
        "error: another process of this run has ended, or this one was told to in the middle of a long step; {what_now}"
    ));
}

/// Whether it is for this process to say it: process 0, which has locked the folder, and once it has ended the first that gets
/// the lock. Where the folder of process 0 is not to be seen, process 1 says it, lest nobody does.
fn speaks(folder: &RunFolder, rank: usize) -> bool {
    if rank == 0 {
        return true;
    }
    if !folder.path().is_dir() {
        return rank == 1;
    }
    folder.lock_alone().is_ok_and(|lock| SPEAKS.set(lock).is_ok())
}

/// Says that other processes share the run into `folder`, of which this one is the number `rank`.
pub(super) fn shared(folder: RunFolder, rank: usize) {
    // It is said once.
    let _ = SHARED.set((folder, rank));
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
