//! PNG files of one size, decoded into one array of pixels.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder};

use super::ParquetProblem;
use crate::dataset::DatasetError;
use crate::idx::DEFLATE_LIMIT;
use crate::images::Images;

/// Images as they come, `[N, C, H, W]`.
#[derive(Default)]
pub(super) struct Pixels {
    /// Channels, height and width of the first image, hence of all.
    shape: Option<[usize; 3]>,
    count: usize,
    data: Vec<u8>,
    /// Kept to save an allocation per image.
    interleaved: Vec<u8>,
}

/// What is wrong with an image, before its row is known.
pub(super) enum Problem {
    Image(String),
    Shape { found: [usize; 3], expected: [usize; 3] },
}

impl Problem {
    pub(super) fn at(self, row: usize) -> ParquetProblem {
        match self {
            Self::Image(cause) => ParquetProblem::Image { row, cause },
            Self::Shape { found, expected } => ParquetProblem::Shape { row, found, expected },
        }
    }
}

impl Pixels {
    /// Decodes one PNG and appends it.
    pub(super) fn push(&mut self, encoded: &[u8]) -> Result<(), Problem> {
        let unreadable = |cause| Problem::Image(format!("not a readable PNG ({cause})"));
        let decoder = PngDecoder::new(Cursor::new(encoded)).map_err(unreadable)?;
        let channels = match decoder.color_type() {
            ColorType::L8 => 1,
            ColorType::Rgb8 => 3,
            other => {
                return Err(Problem::Image(format!("PNG pixels of type {other:?}, not 8-bit grey or RGB")));
            }
        };
        let (width, height) = decoder.dimensions();
        let found = [channels, height as usize, width as usize];
        let expected = *self.shape.get_or_insert(found);
        if found != expected {
            return Err(Problem::Shape { found, expected });
        }
        // A file cannot unpack to more than this: so its header's promise is not believed further.
        let bytes = decoder.total_bytes();
        if bytes > DEFLATE_LIMIT.saturating_mul(encoded.len() as u64) {
            return Err(Problem::Image(format!(
                "a PNG of {} bytes cannot hold {height}×{width} pixels",
                encoded.len()
            )));
        }
        let bytes = bytes as usize;
        if channels == 1 {
            let start = self.data.len();
            self.data.resize(start + bytes, 0);
            decoder.read_image(&mut self.data[start..]).map_err(unreadable)?;
        } else {
            self.interleaved.resize(bytes, 0);
            decoder.read_image(&mut self.interleaved).map_err(unreadable)?;
            for channel in 0..channels {
                self.data.extend(self.interleaved.iter().skip(channel).step_by(channels));
            }
        }
        self.count += 1;
        Ok(())
    }

    /// All images, or nothing when there was none.
    pub(super) fn finish(self) -> Option<Result<Images, DatasetError>> {
        let [channels, height, width] = self.shape?;
        Some(Images::new(self.count, channels, height, width, self.data))
    }
}
