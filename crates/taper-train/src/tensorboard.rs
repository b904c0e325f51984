//! TensorBoard's event files: the numbers of a [`History`] as scalars.
//!
//! The messages are those of `tensorflow/core/util/event.proto` and `tensorflow/core/framework/summary.proto`, as far as
//! scalars need them. Numbers are stored as `f32` there. The times of events stay 0, so that the same history has the same bytes:
//! TensorBoard's axes by time (`RELATIVE`, `WALL`) say nothing, the one by step says all.
//!
//! No crate writes them here. `tensorboard-rs` 0.5.9 and `tboard` 0.1.1 take the file's name and the times from the machine and its
//! clock, and only append, so that neither the bits nor a file that a killed process left short could be had; they stand on
//! versions of `protobuf`, `image` and `prost` that have had successors for years, and `tboard` needs `protoc` to build.

mod record;

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use prost::Message;
use taper_files::WriteError;

use crate::history::{EpochRecord, History, StepRecord};

/// The first record of a file. `wall_time`, field 1 of every event, is left at 0, the start of 1970: a history has no times.
const VERSION: &str = "brain.Event:2";

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

impl History {
    /// The history as a TensorBoard event file: `train/loss`, `train/accuracy` and `train/learning_rate` for every step,
    /// `validation/loss` and `validation/accuracy` for every epoch, at its last step.
    ///
    /// The same history gives the same bytes, and a longer one begins with those of the shorter one. Events carry no times, so
    /// TensorBoard is to show them by step.
    ///
    /// ```
    /// use taper_train::{History, StepRecord};
    /// let mut history = History::default();
    /// let before = history.to_events();
    /// history.steps.push(StepRecord { epoch: 1, step: 1, loss: 2.25, accuracy: 0.125, learning_rate: 1e-3 });
    /// assert!(history.to_events().starts_with(&before));
    /// ```
    #[must_use]
    pub fn to_events(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut add = |event: Event| record::append(&mut file, &event.encode_to_vec());
        add(Event { file_version: Some(VERSION.to_owned()), ..Event::default() });
        let mut epochs = self.epochs.iter().peekable();
        for StepRecord { step, loss, accuracy, learning_rate, .. } in &self.steps {
            let of_step = [
                ("train/loss", *loss),
                ("train/accuracy", *accuracy),
                ("train/learning_rate", *learning_rate),
            ];
            add(scalars(*step, &of_step));
            if let Some(EpochRecord { validation_loss, validation_accuracy, .. }) =
                epochs.next_if(|epoch| epoch.step == *step)
            {
                let of_epoch =
                    [("validation/loss", *validation_loss), ("validation/accuracy", *validation_accuracy)];
                add(scalars(*step, &of_epoch));
            }
        }
        file
    }

    /// Writes [`History::to_events`] to `path` in one step. TensorBoard reads files whose name holds `tfevents`.
    ///
    /// # Errors
    /// [`WriteError`] with the path and the cause; an earlier file then stays as it was.
    pub fn write_events(&self, path: &Path) -> Result<(), WriteError> {
        taper_files::write_atomic(path, |file| file.write_all(&self.to_events()))
    }

    /// Brings the file `path` up to [`History::to_events`] in its place: what it holds of them already stays, so that a
    /// TensorBoard that reads it goes on where it was, and what was left by a process that was killed goes. The file need not be
    /// there; its folder must.
    ///
    /// # Errors
    /// [`WriteError`] with the path and the cause.
    pub fn update_events(&self, path: &Path) -> Result<(), WriteError> {
        let events = self.to_events();
        let update = || -> io::Result<()> {
            let there = match fs::read(path) {
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
                there => there?,
            };
            let same = there.iter().zip(&events).take_while(|(there, new)| there == new).count();
            let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
            file.set_len(same as u64)?;
            file.seek(SeekFrom::Start(same as u64))?;
            file.write_all(&events[same..])
        };
        update().map_err(|cause| WriteError::new(path, cause))
    }
}

fn scalars(step: usize, values: &[(&str, f64)]) -> Event {
    let value =
        |(tag, value): &(&str, f64)| Value { tag: (*tag).to_owned(), simple_value: Some(*value as f32) };
    let summary = Summary { value: values.iter().map(value).collect() };
    Event { step: i64::try_from(step).unwrap_or(i64::MAX), summary: Some(summary), ..Event::default() }
}
