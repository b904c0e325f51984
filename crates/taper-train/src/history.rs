//! [`History`]: what happened in training, step by step, without a single timing.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use taper_files::WriteError;

/// The first line of the table.
const HEADER: &str = "epoch,step,loss,accuracy,learning_rate,validation_loss,validation_accuracy";

/// A text that is no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("line {line}: {cause}")]
pub struct HistoryError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: String,
}

/// One optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step, from 1 over all epochs.
    pub step: usize,
    /// Mean loss over the batch, before the update; with label smoothing, if that is on.
    pub loss: f64,
    /// Fraction of the batch classified rightly, before the update.
    pub accuracy: f64,
    /// The rate the update ran at.
    pub learning_rate: f64,
}

/// The validation after one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The last step of the epoch, from 1 over all epochs.
    pub step: usize,
    /// Mean loss over the validation images; with label smoothing, if that is on.
    pub validation_loss: f64,
    /// Fraction of the validation images classified rightly.
    pub validation_accuracy: f64,
}

/// Every step and every epoch of a training run. It holds no timings, so that the same seed gives the same bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// Every step, in order.
    pub steps: Vec<StepRecord>,
    /// Every epoch that was validated, in order.
    pub epochs: Vec<EpochRecord>,
}

impl History {
    /// The history as one CSV table, a row for each step. The two validation columns are empty but in the last row
    /// of an epoch.
    ///
    /// Numbers have as many digits as it takes to read back the very same f64. In pandas:
    /// `pd.read_csv("history.csv").plot(x="step", y="loss")`, and `.dropna()` keeps one row for each epoch.
    ///
    /// ```
    /// use taper_train::{EpochRecord, History, StepRecord};
    /// let history = History {
    ///     steps: vec![StepRecord { epoch: 1, step: 1, loss: 2.25, accuracy: 0.125, learning_rate: 1e-3 }],
    ///     epochs: vec![EpochRecord { epoch: 1, step: 1, validation_loss: 0.5, validation_accuracy: 1.0 }],
    /// };
    /// assert_eq!(history.to_csv(), "\
    /// epoch,step,loss,accuracy,learning_rate,validation_loss,validation_accuracy
    /// 1,1,2.25,0.125,0.001,0.5,1.0
    /// ");
    /// ```
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut csv = format!("{HEADER}\n");
        let mut epochs = self.epochs.iter().peekable();
        for step in &self.steps {
            let StepRecord { epoch, step: number, loss, accuracy, learning_rate } = step;
            // `{:?}` is the shortest text that reads back as the same f64. Writing to a string cannot fail.
            let _ = write!(csv, "{epoch},{number},{loss:?},{accuracy:?},{learning_rate:?},");
            let _ = match epochs.next_if(|epoch| epoch.step == *number) {
                Some(end) => writeln!(csv, "{:?},{:?}", end.validation_loss, end.validation_accuracy),
                None => writeln!(csv, ","),
            };
        }
        csv
    }

    /// Writes [`History::to_csv`] to `path` in one step.
    ///
    /// # Errors
    /// [`WriteError`] with the path and the cause; an earlier file then stays as it was.
    pub fn write_csv(&self, path: &Path) -> Result<(), WriteError> {
        taper_files::write_atomic(path, |file| file.write_all(self.to_csv().as_bytes()))
    }

    /// The history that [`History::to_csv`] wrote as `csv`, to the last bit.
    ///
    /// # Errors
    /// [`HistoryError`] naming the line and what is wrong with it.
    ///
    /// ```
    /// use taper_train::{EpochRecord, History, StepRecord};
    /// let history = History {
    ///     steps: vec![StepRecord { epoch: 1, step: 1, loss: 2.25, accuracy: 0.125, learning_rate: 1e-3 }],
    ///     epochs: vec![EpochRecord { epoch: 1, step: 1, validation_loss: 0.5, validation_accuracy: 1.0 }],
    /// };
    /// assert_eq!(History::from_csv(&history.to_csv())?, history);
    /// # Ok::<(), taper_train::HistoryError>(())
    /// ```
    pub fn from_csv(csv: &str) -> Result<Self, HistoryError> {
        let mut history = Self::default();
        let mut lines = csv.lines().enumerate();
        match lines.next() {
            Some((_, HEADER)) => {}
            _ => return Err(HistoryError { line: 1, cause: format!("the header should be `{HEADER}`") }),
        }
        for (number, line) in lines {
            let (step, epoch) = row(line).map_err(|cause| HistoryError { line: number + 1, cause })?;
            history.steps.push(step);
            history.epochs.extend(epoch);
        }
        Ok(history)
    }

    /// The epoch whose validation loss is lowest; the earlier one, if two are equal.
    #[must_use]
    pub fn best_epoch(&self) -> Option<&EpochRecord> {
        self.epochs.iter().min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
    }
}

/// One row of the table: a step, and the validation if it ended an epoch.
fn row(line: &str) -> Result<(StepRecord, Option<EpochRecord>), String> {
    let cells: Vec<&str> = line.split(',').collect();
    let &[epoch, step, loss, accuracy, learning_rate, validation_loss, validation_accuracy] =
        cells.as_slice()
    else {
        return Err(format!("{} values, but a row has 7", cells.len()));
    };
    let (epoch, step) = (cell("epoch", epoch)?, cell("step", step)?);
    let record = StepRecord {
        epoch,
        step,
        loss: cell("loss", loss)?,
        accuracy: cell("accuracy", accuracy)?,
        learning_rate: cell("learning_rate", learning_rate)?,
    };
    if validation_loss.is_empty() && validation_accuracy.is_empty() {
        return Ok((record, None));
    }
    let end = EpochRecord {
        epoch,
        step,
        validation_loss: cell("validation_loss", validation_loss)?,
        validation_accuracy: cell("validation_accuracy", validation_accuracy)?,
    };
    Ok((record, Some(end)))
}

fn cell<T: FromStr>(column: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no value for `{column}`"))
}
