//! From any picture of a digit to what MNIST's images are: 28×28 pixels, light on dark, centred.
//!
//! MNIST's digits were scaled to fit a box of 20×20 pixels, keeping their aspect, with grey levels from
//! anti-aliasing, and then moved so that their centre of mass is in the middle of 28×28 pixels (Y. LeCun, "The
//! MNIST database of handwritten digits"). A network trained on them knows no others, so a drawing or a
//! photograph has to pass the same way.
//!
//! ```
//! use taper_data::prepare;
//!
//! // A white page of 90×120 pixels with a black bar, as a PNG.
//! let page = image::GrayImage::from_fn(90, 120, |x, y| {
//!     image::Luma([if (20..30).contains(&x) && (10..110).contains(&y) { 0 } else { 255 }])
//! });
//! let mut png = std::io::Cursor::new(Vec::new());
//! page.write_to(&mut png, image::ImageFormat::Png)?;
//!
//! let digit = prepare::digit(png.get_ref())?;
//! assert_eq!((digit[14 * 28 + 14], digit[14 * 28]), (255, 0)); // light ink in the middle, dark paper
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::{self, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageReader, Limits, Luma};
use thiserror::Error;

use crate::idx::DEFLATE_LIMIT;

/// Side of a prepared image, in pixels.
pub const SIDE: usize = 28;
/// Pixels of a prepared image.
pub const PIXELS: usize = SIDE * SIDE;

/// Side of the box that the digit is scaled to fit, in pixels.
const BOX: u32 = 20;
/// The pixel that the centre of mass comes to, measured on MNIST (mean 14.0, in both directions).
const CENTRE: f32 = 14.0;
/// Least difference between ink and paper, 0…1: below it there is no drawing, only noise.
const CONTRAST: f32 = 0.1;
/// Share of the strongest ink that a pixel needs to count when the digit is cut out, and half of which it needs
/// to stay at all: JPEG's ringing and a sheet's shading are no ink, and MNIST's paper is plain black.
const FAINT: f32 = 0.2;
/// Longest side of a picture, in pixels; larger ones are refused before they are decoded.
const LARGEST: u32 = 16_384;
/// Most memory that decoding a picture may take, in bytes.
const MEMORY: u64 = 1 << 30;

type Ink = ImageBuffer<Luma<f32>, Vec<f32>>;

/// A picture that no digit can be taken from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({cause}); check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file is no picture that can be decoded.
    #[error(
        "{name}: cannot be decoded ({cause}); give a whole PNG, JPEG or WebP file of at most {LARGEST} pixels a side"
    )]
    Decode {
        /// The file's name.
        name: String,
        /// What the decoder said.
        cause: image::ImageError,
    },
    /// The picture is of one colour.
    #[error(
        "{name}: there is no drawing in it, only one even colour; give a picture with a dark or light digit"
    )]
    Blank {
        /// The file's name.
        name: String,
    },
}

/// Reads the PNG, JPEG or WebP file at `path` and prepares it as [`digit`] does.
///
/// # Errors
/// [`PrepareError`], with the path.
pub fn digit_file(path: &Path) -> Result<[u8; PIXELS], PrepareError> {
    let encoded = std::fs::read(path).map_err(|cause| PrepareError::Read { path: path.to_owned(), cause })?;
    prepare(&encoded, &path.display().to_string())
}

/// Prepares a PNG, JPEG or WebP file, given as its bytes: 28×28 bytes, row by row, light on dark.
///
/// Any size, colour and transparency will do. A picture that is 28×28 already is taken to be in place: it is
/// turned to grey, inverted when it is dark on light, and otherwise left as it is.
///
/// # Errors
/// [`PrepareError::Decode`] for what is no picture, [`PrepareError::Blank`] for one without a drawing.
pub fn digit(encoded: &[u8]) -> Result<[u8; PIXELS], PrepareError> {
    prepare(encoded, "the picture")
}

fn prepare(encoded: &[u8], name: &str) -> Result<[u8; PIXELS], PrepareError> {
    let picture =
        decode(encoded, MEMORY).map_err(|cause| PrepareError::Decode { name: name.to_owned(), cause })?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut grey = flatten(&picture);
    if paper(&grey, width) > 127 {
        grey.iter_mut().for_each(|value| *value = 255 - *value);
    }
    let blank = || PrepareError::Blank { name: name.to_owned() };
    if let Ok(in_place) = <[u8; PIXELS]>::try_from(grey.as_slice())
        && width == SIDE
    {
        let (low, high) = (grey.iter().min(), grey.iter().max());
        return if low == high { Err(blank()) } else { Ok(in_place) };
    }
    let paper = paper(&grey, width);
    let ink = ink(&grey, paper, width, height).ok_or_else(blank)?;
    Ok(centred(&scaled(&cut_out(&ink))))
}

/// What a picture's header may ask for, and decoding it may take.
pub(crate) fn limits(memory: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST);
    limits.max_image_height = Some(LARGEST);
    limits.max_alloc = Some(memory);
    limits
}

/// Most memory that a picture may take whatever the size of its file; a blank one can be small.
const BLANK: u64 = 16 << 20;

/// A picture, turned the right way up, in at most `memory` bytes, and no more than a file of its size can justify: the header of a
/// JPEG may claim any size.
pub(crate) fn decode(encoded: &[u8], memory: u64) -> Result<DynamicImage, image::ImageError> {
    unless_it_panics(|| decode_as_told(encoded, memory))
}

/// What a decoder gives; a panic of its own, which a damaged file might reach, is an error like any other.
pub(crate) fn unless_it_panics<T>(
    decode: impl FnOnce() -> Result<T, image::ImageError>,
) -> Result<T, image::ImageError> {
    // Nothing that was half decoded is looked at again.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(io::Error::other("the decoder gave up").into()))
}

fn decode_as_told(encoded: &[u8], memory: u64) -> Result<DynamicImage, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(encoded)).with_guessed_format()?;
    let justified = BLANK.saturating_add(3 * DEFLATE_LIMIT * encoded.len() as u64);
    let mut limits = limits(memory.min(justified));
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // The decoder counts what it needs itself, not the picture it fills.
    limits.reserve(decoder.total_bytes())?;
    // A telephone stores its photographs as its sensor lies and says in the EXIF data how to turn them.
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Grey levels, with what is transparent taken as paper: white, or black under a light drawing.
fn flatten(picture: &DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.to_luma8().into_raw();
    }
    let pixels = picture.to_luma_alpha8();
    let (mut ink, mut weight) = (0u64, 0u64);
    for pixel in pixels.pixels() {
        let [grey, alpha] = pixel.0;
        ink += u64::from(grey) * u64::from(alpha);
        weight += u64::from(alpha);
    }
    let transparent = pixels.pixels().any(|pixel| pixel.0[1] < 128);
    let light_drawing = transparent && ink > 127 * weight;
    let paper: u32 = if light_drawing { 0 } else { 255 };
    let over = |[grey, alpha]: [u8; 2]| {
        let (grey, alpha) = (u32::from(grey), u32::from(alpha));
        ((grey * alpha + paper * (255 - alpha) + 127) / 255) as u8
    };
    pixels.pixels().map(|pixel| over(pixel.0)).collect()
}

/// The paper's grey level: the median of the picture's border.
fn paper(grey: &[u8], width: usize) -> u8 {
    let last = (grey.len() / width.max(1)).saturating_sub(1);
    let mut border = Vec::new();
    for (row, pixels) in grey.chunks(width.max(1)).enumerate() {
        match pixels {
            [left, .., right] if 0 < row && row < last => border.extend([*left, *right]),
            _ => border.extend_from_slice(pixels),
        }
    }
    border.sort_unstable();
    border.get(border.len() / 2).copied().unwrap_or(0)
}

/// How much lighter than the paper each pixel is, 0…1 with the strongest at 1; nothing when there is no
/// contrast.
fn ink(grey: &[u8], paper: u8, width: usize, height: usize) -> Option<Ink> {
    let strongest = f32::from(grey.iter().max()?.saturating_sub(paper));
    if strongest < CONTRAST * 255.0 {
        return None;
    }
    let ink = grey.iter().map(|value| f32::from(value.saturating_sub(paper)) / strongest).collect();
    ImageBuffer::from_raw(width as u32, height as u32, ink)
}

/// The smallest part that holds all ink that is not faint.
fn cut_out(ink: &Ink) -> Ink {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, pixel) in ink.enumerate_pixels() {
        if pixel.0[0] >= FAINT {
            (left, top) = (left.min(x), top.min(y));
            (right, bottom) = (right.max(x), bottom.max(y));
        }
    }
    // The strongest ink is 1, so there is such a part.
    let mut part = imageops::crop_imm(ink, left, top, right + 1 - left, bottom + 1 - top).to_image();
    for pixel in part.pixels_mut().filter(|pixel| pixel.0[0] < FAINT / 2.0) {
        pixel.0[0] = 0.0;
    }
    part
}

/// Scaled so that the longest side is 20 pixels, anti-aliased, with the strongest ink at 1 again: a thin pen's
/// line gets faint by scaling down.
fn scaled(ink: &Ink) -> Ink {
    let (width, height) = ink.dimensions();
    let longest = u64::from(width.max(height));
    let scale = |side: u32| ((u64::from(side) * u64::from(BOX) + longest / 2) / longest).max(1) as u32;
    let mut small = imageops::resize(ink, scale(width), scale(height), FilterType::Triangle);
    let strongest = small.pixels().map(|pixel| pixel.0[0]).fold(f32::MIN_POSITIVE, f32::max);
    for pixel in small.pixels_mut() {
        pixel.0[0] /= strongest;
    }
    small
}

/// On a page of 28×28, moved by whole pixels so that the centre of mass is in the middle.
fn centred(ink: &Ink) -> [u8; PIXELS] {
    let (mut mass, mut x_mass, mut y_mass) = (0.0f32, 0.0, 0.0);
    for (x, y, pixel) in ink.enumerate_pixels() {
        mass += pixel.0[0];
        x_mass += pixel.0[0] * x as f32;
        y_mass += pixel.0[0] * y as f32;
    }
    // A lopsided digit is moved less, so that all of it stays on the page.
    let start = |moment: f32, side: u32| {
        ((CENTRE - moment / mass).round().max(0.0) as usize).min(SIDE.saturating_sub(side as usize))
    };
    let (left, top) = (start(x_mass, ink.width()), start(y_mass, ink.height()));
    let mut page = [0; PIXELS];
    for (x, y, pixel) in ink.enumerate_pixels() {
        page[(top + y as usize) * SIDE + left + x as usize] = (pixel.0[0] * 255.0).round() as u8;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_an_error() {
        let outcome = unless_it_panics(|| -> Result<(), _> { panic!("an assertion of the decoder's") });
        assert!(outcome.is_err_and(|error| error.to_string().contains("gave up")));
    }
}
