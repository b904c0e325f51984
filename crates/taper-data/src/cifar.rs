//! The binary version of CIFAR-10: records of a label and 3,072 values, red, green and blue, row by row
//! (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::fs;
use std::path::PathBuf;

use crate::error::DataError;
use crate::images::Images;

/// `[C, H, W]` of its images.
const IMAGE: [usize; 3] = [3, 32, 32];

/// Images and labels of all `files`, one after the other.
pub(crate) fn read(files: &[PathBuf]) -> Result<(Images, Vec<u8>), DataError> {
    let [channels, height, width] = IMAGE;
    let record = 1 + channels * height * width;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        let refuse = |problem: String| DataError::Cifar { file: file.clone(), problem };
        let bytes = fs::read(file)
            .map_err(|cause| refuse(format!("it cannot be read ({cause}); check its permissions")))?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            return Err(refuse(format!(
                "{} bytes are no whole number of images, which take {record} each; download it again",
                bytes.len()
            )));
        }
        for record in bytes.chunks_exact(record) {
            labels.push(record[0]);
            pixels.extend_from_slice(&record[1..]);
        }
    }
    let at = |problem| {
        let file = files.first().cloned().unwrap_or_default();
        DataError::Content { images: file.clone(), labels: file, problem }
    };
    Ok((Images::new(labels.len(), channels, height, width, pixels).map_err(at)?, labels))
}
