//! Classification metrics: loss, accuracy, top-k, confusion matrix, per-class scores, calibration, throughput.
//!
//! An [`Evaluator`] takes logits and labels batch by batch and gives an [`Evaluation`]. The definitions are
//! those of scikit-learn (with `zero_division=0`) and of Guo et al. 2017 for calibration, and everything is
//! summed in f64 image by image, so that the result does not depend on the batch size. The crate knows no
//! tensor library: logits are a plain slice, `[N, K]` row by row.
//!
//! ```
//! use taper_metrics::Evaluator;
//!
//! let mut evaluator = Evaluator::new(3);
//! evaluator.update(&[2.0, 0.5, 0.1, /* second image */ 0.2, 0.1, 0.3], &[0u8, 0])?;
//! evaluator.update(&[0.0, 4.0, 0.0], &[1u8])?;
//! let evaluation = evaluator.finish()?;
//!
//! assert_eq!(evaluation.images, 3);
//! assert_eq!(evaluation.accuracy, 2.0 / 3.0);
//! assert_eq!(evaluation.top2_accuracy, 1.0);
//! assert_eq!(evaluation.confusion_matrix[0], [1, 0, 1]); // of the two images of class 0
//! assert_eq!(evaluation.per_class[0].recall, 0.5);
//! # Ok::<(), taper_metrics::MetricsError>(())
//! ```

mod calibration;
mod confusion;
mod error;
mod evaluation;
mod evaluator;
mod softmax;
mod throughput;

pub use calibration::{CALIBRATION_BINS, ReliabilityBin, expected_calibration_error};
pub use confusion::{ClassScores, class_scores};
pub use error::MetricsError;
pub use evaluation::Evaluation;
pub use evaluator::Evaluator;
pub use softmax::{argmax, softmax};
pub use throughput::Throughput;
