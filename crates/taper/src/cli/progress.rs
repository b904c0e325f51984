//! How a run shows on standard error: bars on a terminal, plain lines elsewhere. Both fit into 80 columns (up to
//! 999 epochs of 999 steps).

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use taper::data::LoadEvent;
use taper::data::image_folder::BadImage;
use taper::graph::thousands;
use taper::pipeline::RunEvent;
use taper::train::{Control, EpochEnd, Event, StepEnd};

use super::{interrupt, terminal};

/// Where there is no terminal, a line at least this often, so that a log shows the run is alive.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// The most files left out that are named: a folder may have a hundred thousand.
const NAMED: usize = 20;

/// Shows the progress of one run.
pub(super) struct Progress {
    quiet: bool,
    bar: ProgressBar,
    last_line: Instant,
    started: Instant,
    /// Steps that an earlier process made.
    earlier: Option<usize>,
    /// Files that are no whole images.
    left_out: usize,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar =
            if quiet || !terminal::watched() { ProgressBar::hidden() } else { ProgressBar::no_length() };
        // Until there is something to show; indicatif's own style would show an empty bar.
        bar.set_style(style("{wide_msg}"));
        Self { quiet, bar, last_line: Instant::now(), started: Instant::now(), earlier: None, left_out: 0 }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| terminal::note(text));
        }
    }

    /// Loud even if the rest is to be quiet.
    fn warning(&self, text: &str) {
        self.bar.suspend(|| terminal::note(format!("WARNING: {text}")));
    }

    /// Names the first files that are left out; how many more there are is said when the data are there.
    fn skipped(&mut self, bad: &BadImage) {
        self.left_out += 1;
        if self.left_out <= NAMED {
            self.warning(&format!("leaving out {}: {}", bad.path.display(), bad.reason));
        }
    }

    /// Shows how the data are had.
    pub(super) fn data(&mut self, event: LoadEvent) {
        match event {
            LoadEvent::Trying { source } => self.line(&format!("data: trying {source}")),
            LoadEvent::Download { file, received, total } => {
                self.bar.set_style(style("[{bar:20}] {bytes}/{total_bytes} {wide_msg}"));
                self.bar.set_message(file.clone());
                self.bar.set_length(total);
                self.bar.set_position(received);
                if received == total {
                    self.bar.reset();
                    self.line(&format!("data: received {file}, {} bytes", thousands(total)));
                }
            }
            LoadEvent::Decoded { source, train, test } => {
                if let Some(more) = self.left_out.checked_sub(NAMED).filter(|&more| more > 0) {
                    self.warning(&format!("and leaving out {} more", thousands(more as u64)));
                }
                self.line(&format!(
                    "data: {source}, {} training and {} test images",
                    thousands(train as u64),
                    thousands(test as u64)
                ));
            }
            LoadEvent::Waiting { folder } => {
                self.line(&format!("data: waiting for another process that prepares {}", folder.display()));
            }
            LoadEvent::Decoding { done, total } => {
                self.bar.set_style(style("[{bar:20}] {pos}/{len} images {wide_msg}"));
                self.bar.set_length(total as u64);
                self.bar.set_position(done as u64);
                if done == total {
                    self.bar.reset();
                }
            }
            LoadEvent::Skipped(bad) => self.skipped(&bad),
            LoadEvent::FellBack { reason } => self.bar.suspend(|| terminal::fallback(&reason)),
            _ => {}
        }
    }

    /// Shows what was found in the folder of the run.
    pub(super) fn run(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::GoesOn { from, steps, .. } => {
                self.line(&format!(
                    "going on after step {} from {}",
                    thousands(steps as u64),
                    from.display()
                ));
            }
            RunEvent::Damaged { path, reason, .. } => {
                self.warning(&format!("passing over the checkpoint {}: {reason}", path.display()));
            }
            RunEvent::Finished { folder, .. } => {
                self.line(&format!("the run in {} is finished; there is nothing to do", folder.display()));
            }
            _ => {}
        }
    }

    /// Shows how training goes; asks it to stop after Ctrl-C.
    pub(super) fn train(&mut self, event: &Event<'_>) -> Control {
        match event {
            Event::Started { epochs, steps_per_epoch, train_images, validation_images, .. } => {
                self.started = Instant::now();
                self.line(&format!(
                    "training: {epochs} epochs of {steps_per_epoch} steps on {} images, validated on {}",
                    thousands(*train_images as u64),
                    thousands(*validation_images as u64)
                ));
                // A narrow terminal cuts the message off: a line that wraps could not be written over.
                self.bar.set_style(style("{prefix} [{bar:16}] {wide_msg}"));
            }
            Event::Step(step) => self.step(step),
            Event::EpochEnd(epoch) => self.epoch(epoch),
            Event::StoppedEarly { epoch, best, .. } => {
                self.line(&format!(
                    "ending after epoch {epoch}: epoch {best} had the lowest validation loss"
                ));
            }
            Event::Interrupted { epoch, step, .. } => {
                self.line(&format!("interrupted in epoch {epoch} after step {step}: saving"));
            }
            _ => {}
        }
        if interrupt::asked() { Control::Stop } else { Control::Continue }
    }

    fn step(&mut self, step: &StepEnd) {
        let text = format!(
            "loss {:.4} {:6.2} %  {} images/s  {:#} left",
            step.loss,
            100.0 * step.accuracy,
            thousands(step.images_per_second as u64),
            HumanDuration(self.time_left(step)),
        );
        let prefix = format!("epoch {}/{}", step.epoch, step.epochs);
        if self.bar.is_hidden() {
            if self.last_line.elapsed() > LINE_EVERY {
                self.last_line = Instant::now();
                self.line(&format!("{prefix} step {}/{}  {text}", step.step, step.steps));
            }
            return;
        }
        self.bar.set_prefix(prefix);
        self.bar.set_message(text);
        self.bar.set_length(step.steps as u64);
        self.bar.set_position(step.step as u64);
    }

    /// From the pace of the run so far, validation included.
    fn time_left(&mut self, step: &StepEnd) -> Duration {
        let done = (step.epoch - 1) * step.steps + step.step;
        let left = step.epochs * step.steps - done;
        let own = done - *self.earlier.get_or_insert(done - 1);
        self.started.elapsed().mul_f64(left as f64 / own.max(1) as f64)
    }

    fn epoch(&mut self, epoch: &EpochEnd) {
        self.last_line = Instant::now();
        self.line(&format!(
            "epoch {}/{}  loss {:.4} {:6.2} %  val. loss {:.4} {:6.2} %  {} images/s",
            epoch.epoch,
            epoch.epochs,
            epoch.train_loss,
            100.0 * epoch.train_accuracy,
            epoch.validation_loss,
            100.0 * epoch.validation_accuracy,
            thousands(epoch.images_per_second as u64),
        ));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a wrong one shows as the default style.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
