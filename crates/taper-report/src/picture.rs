//! Small pictures of pixels: digits, feature maps, filters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The width and the height that pictures are shown in at most.
pub(crate) const LARGEST: usize = 112;

/// A picture: grey, or colour, or colour and how opaque it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    size: [usize; 2],
    /// 1, 3 or 4 bytes a pixel.
    channels: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// The picture of an image `[C, H, W]` of bytes: grey for one channel, colour for three, and for any other number the
    /// mean of the channels. One that is wider or higher than 112 pixels is made smaller, so that a page of many stays small.
    /// None unless `pixels` are `shape` and not empty.
    ///
    /// ```
    /// use taper_report::Picture;
    /// assert!(Picture::of_image([1, 2, 2], &[0, 50, 100, 255]).is_some());
    /// assert!(Picture::of_image([1, 2, 2], &[0, 50]).is_none());
    /// ```
    #[must_use]
    pub fn of_image([channels, height, width]: [usize; 3], pixels: &[u8]) -> Option<Self> {
        let area = height.checked_mul(width).filter(|&area| area > 0)?;
        if channels == 0 || pixels.len() != area.checked_mul(channels)? {
            return None;
        }
        let (shrink, value) = (Shrink::of([width, height]), |at: usize| f32::from(pixels[at]));
        let mean = |channel: usize, x, y| shrink.mean([x, y], |at| value(channel * area + at));
        Some(match channels {
            3 => Self::paint(shrink.to, |x, y| [0, 1, 2].map(|channel| mean(channel, x, y) as u8)),
            n => Self::paint(shrink.to, |x, y| {
                [((0..n).map(|channel| mean(channel, x, y)).sum::<f32>() / n as f32) as u8]
            }),
        })
    }

    /// A picture of `[width, height]` whose pixel at column and row `paint` gives: grey, or red, green and blue, with opacity
    /// as a fourth number or without.
    pub(crate) fn paint<const C: usize>(
        [width, height]: [usize; 2],
        paint: impl Fn(usize, usize) -> [u8; C],
    ) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self { size: [width, height], channels: C, pixels: places.flat_map(|(x, y)| paint(x, y)).collect() }
    }

    /// Width and height.
    pub(crate) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Red, green, blue and opacity of every pixel, row by row.
    pub(crate) fn rgba(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        self.pixels.chunks_exact(self.channels).map(|pixel| match *pixel {
            [r, g, b, a] => [r, g, b, a],
            [r, g, b] => [r, g, b, 255],
            _ => [pixel[0], pixel[0], pixel[0], 255],
        })
    }

    /// The picture as a PNG file in the address of an image.
    pub(crate) fn data_uri(&self) -> String {
        // A picture's sizes fit its pixels, so that there is nothing to refuse.
        let png = encode(self.size, self.channels, &self.pixels).unwrap_or_default();
        format!("data:image/png;base64,{}", STANDARD.encode(png))
    }
}

/// How a picture is made smaller: each pixel is the mean of those in its place.
pub(crate) struct Shrink {
    from: [usize; 2],
    /// The width and the height it becomes.
    pub(crate) to: [usize; 2],
}

impl Shrink {
    /// For pictures of `[width, height]`: not at all up to [`LARGEST`], and to that if they are larger.
    pub(crate) fn of(from: [usize; 2]) -> Self {
        let longer = from[0].max(from[1]).max(LARGEST);
        Self { from, to: from.map(|side| (side * LARGEST / longer).max(1)) }
    }

    /// The mean of what lies at column and row `at` of the smaller picture; `value` tells of a pixel of the larger one, row by
    /// row.
    pub(crate) fn mean(&self, at: [usize; 2], value: impl Fn(usize) -> f32) -> f32 {
        let [columns, rows] = [0, 1].map(|axis| {
            let start = |at: usize| at * self.from[axis] / self.to[axis];
            start(at[axis])..start(at[axis] + 1)
        });
        let sum = |y: usize| columns.clone().map(|x| value(x + self.from[0] * y)).sum::<f32>();
        let count = columns.len() * rows.len();
        rows.map(sum).sum::<f32>() / count as f32
    }
}

/// Pixels as a PNG file.
pub(crate) fn encode([width, height]: [usize; 2], channels: usize, pixels: &[u8]) -> Result<Vec<u8>, String> {
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(format!("{width}×{height} pixels"));
    };
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    let mut writer = encoder.write_header().map_err(|cause| cause.to_string())?;
    writer.write_image_data(pixels).map_err(|cause| cause.to_string())?;
    writer.finish().map_err(|cause| cause.to_string())?;
    Ok(file)
}
