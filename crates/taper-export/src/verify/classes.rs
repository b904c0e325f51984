//! A file that answers with classes beside the trained model's logits.

use super::files::Files;
use super::{RUNTIME, Sample, Verification, VerifyError, Worst, answers, class};

/// As [`verify_files`](super::verify_files()), of a file that answers with the class of each image, where `sample` has
/// the model's logits. Rounding decides between two that are nearly equal, so another class than the model's passes if
/// its logit is within `margin` of the greatest; how far it lies below is the difference.
pub(crate) fn verify_classes(
    files: &Files<'_>,
    sample: &Sample<'_>,
    margin: f64,
) -> Result<Verification, VerifyError> {
    let width = (sample.logits.len() / sample.count.max(1)).max(1);
    let rows: Vec<&[f32]> = sample.logits.chunks(width).collect();
    let classes: Vec<f32> = rows.iter().map(|row| class(row) as f32).collect();
    let mut worst = Worst::default();
    let mut named = Vec::with_capacity(classes.len());
    answers(files, &Sample { logits: &classes, ..*sample }, |start, found, _| {
        for (place, &found) in (start..).zip(found) {
            worst.see(place, logit(rows[place], found), rows[place][class(rows[place])]);
            named.push(found);
        }
    })?;
    if worst.difference <= margin {
        let (images, max_abs_diff) = (sample.count, worst.difference);
        return Ok(Verification { images, max_abs_diff, runtime: RUNTIME });
    }
    Err(VerifyError::OtherClass {
        image: worst.place,
        found: named[worst.place],
        expected: classes[worst.place],
        difference: worst.difference,
        margin,
    })
}

/// The logit of a class; NaN, which agrees with nothing, if there is no such class.
fn logit(row: &[f32], class: f32) -> f32 {
    let is_place = class >= 0.0 && class.fract() == 0.0;
    let known = row.get(class as usize).filter(|_| is_place);
    known.copied().unwrap_or(f32::NAN)
}
