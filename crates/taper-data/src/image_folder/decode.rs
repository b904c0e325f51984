//! From an encoded file to the bytes of an image of the wanted size.

use std::fs;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use rayon::prelude::*;

use super::error::PictureError;
use super::scan::File;
use crate::prepare;

/// Longest side that images are scaled to, in pixels.
pub(crate) const LARGEST: u32 = 4096;
/// Most memory that decoding one image may take, in bytes: every thread decodes one.
const MEMORY: u64 = 1 << 29;

const EMPTY: &str = "it is empty";

/// What every image becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Target {
    pub(super) fn len(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// What an image is, by its header.
pub(super) struct Header {
    /// Height and width, once turned as its EXIF data say.
    pub(super) size: [usize; 2],
    pub(super) is_colour: bool,
}

/// The headers of all files, or why there is none.
pub(super) fn headers(files: &[File]) -> Vec<Result<Header, String>> {
    files.par_iter().map(|file| header(&file.path)).collect()
}

/// Appends the images that can be decoded to `pixels`, in the order of the files, and says of each file what is wrong with it.
pub(super) fn all(files: &[&Path], target: Target, pixels: &mut Vec<u8>) -> Vec<Result<(), String>> {
    let (start, len) = (pixels.len(), target.len());
    pixels.resize(start + files.len() * len, 0);
    let images = pixels[start..].par_chunks_exact_mut(len);
    let outcomes: Vec<Result<(), String>> =
        files.par_iter().zip(images).map(|(path, image)| fill(path, target, image)).collect();
    let mut end = start;
    for (place, outcome) in outcomes.iter().enumerate() {
        if outcome.is_ok() {
            pixels.copy_within(start + place * len..start + (place + 1) * len, end);
            end += len;
        }
    }
    pixels.truncate(end);
    outcomes
}

/// Reads the PNG, JPEG or WebP file at `path` and makes it what [`picture`] does.
///
/// # Errors
/// [`PictureError`], with the path.
pub fn picture_file(path: &Path, shape: [usize; 3]) -> Result<Vec<u8>, PictureError> {
    let name = path.display().to_string();
    match fs::read(path) {
        Ok(encoded) => of(&encoded, shape).map_err(|reason| PictureError { name, reason }),
        Err(cause) => Err(PictureError { name, reason: format!("it cannot be read ({cause})") }),
    }
}

/// An encoded picture as the bytes `[C, H, W]` of an image of that shape, made as those of a folder are: see the
/// [module](super).
///
/// # Errors
/// [`PictureError`] for what is no whole picture.
///
/// # Panics
/// Unless there are 1 or 3 channels, and rows and columns.
///
/// ```
/// use taper_data::image_folder::picture;
/// let mut png = std::io::Cursor::new(Vec::new());
/// image::RgbImage::from_pixel(9, 5, image::Rgb([1, 2, 3])).write_to(&mut png, image::ImageFormat::Png)?;
/// assert_eq!(picture(png.get_ref(), [3, 1, 2])?, [1, 1, 2, 2, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn picture(encoded: &[u8], shape: [usize; 3]) -> Result<Vec<u8>, PictureError> {
    of(encoded, shape).map_err(|reason| PictureError { name: "the picture".to_owned(), reason })
}

fn of(encoded: &[u8], [channels, height, width]: [usize; 3]) -> Result<Vec<u8>, String> {
    let target = Target { channels, height, width };
    let mut image = vec![0; target.len()];
    decode(encoded, target, &mut image)?;
    Ok(image)
}

fn header(path: &Path) -> Result<Header, String> {
    let file = fs::File::open(path).map_err(|cause| format!("it cannot be read ({cause})"))?;
    if file.metadata().is_ok_and(|file| file.len() == 0) {
        return Err(EMPTY.to_owned());
    }
    let mut reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(|cause| format!("it cannot be read ({cause})"))?;
    known(reader.format())?;
    reader.limits(prepare::limits(MEMORY));
    prepare::unless_it_panics(|| header_of(reader)).map_err(explained)
}

fn header_of(reader: ImageReader<BufReader<fs::File>>) -> Result<Header, ImageError> {
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let size = [height as usize, width as usize];
    let is_colour = decoder.color_type().has_color();
    let is_turned = match decoder.orientation()? {
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => true,
    };
    Ok(Header { size: if is_turned { [size[1], size[0]] } else { size }, is_colour })
}

fn known(format: Option<ImageFormat>) -> Result<ImageFormat, String> {
    match format {
        Some(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        Some(other) => Err(format!("it is {}, not PNG, JPEG or WebP", other.to_mime_type())),
        None => Err("it is not PNG, JPEG or WebP".to_owned()),
    }
}

fn explained(cause: ImageError) -> String {
    format!("it cannot be decoded ({cause})")
}

fn fill(path: &Path, target: Target, image: &mut [u8]) -> Result<(), String> {
    let encoded = fs::read(path).map_err(|cause| format!("it cannot be read ({cause})"))?;
    decode(&encoded, target, image)
}

fn decode(encoded: &[u8], target: Target, image: &mut [u8]) -> Result<(), String> {
    if encoded.is_empty() {
        return Err(EMPTY.to_owned());
    }
    let reader = ImageReader::new(Cursor::new(encoded)).with_guessed_format();
    let format = known(reader.ok().and_then(|reader| reader.format()))?;
    let picture = prepare::decode(encoded, MEMORY).map_err(explained)?;
    // The decoder makes grey of what a JPEG lacks at its end.
    if format == ImageFormat::Jpeg && !jpeg_ends(encoded) {
        return Err("it is cut short: the end of its image is missing".to_owned());
    }
    write(&fitted(picture, target), target, image);
    Ok(())
}

/// Whether a JPEG's image comes to its end; what follows, such as the film of a telephone, does not matter.
fn jpeg_ends(encoded: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xff, marker]) = encoded.get(at..at + 2) {
        match marker {
            0xd9 => return true,
            // Padding, and markers without a length.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            _ => {
                let Some(&[high, low]) = encoded.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if marker == 0xda {
                    at = scan_end(encoded, at);
                }
            }
        }
    }
    false
}

/// Where the data of a scan end that begin at `start`: at a marker that is neither a stuffed byte nor a restart.
fn scan_end(encoded: &[u8], start: usize) -> usize {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    let rest = encoded.get(start..).unwrap_or_default();
    rest.windows(2).position(is_marker).map_or(encoded.len(), |found| start + found)
}

/// Its middle, of the shape of the target, scaled to that.
fn fitted(picture: DynamicImage, target: Target) -> DynamicImage {
    let [height, width] = [target.height as u32, target.width as u32];
    if (picture.width(), picture.height()) == (width, height) {
        return picture;
    }
    // Cut out first: scaled first, a picture of one row would become as wide as the target is high.
    let share = |whole: u32, side: u32, other: u32| {
        let share = (2 * u64::from(whole) * u64::from(side) + u64::from(other)) / (2 * u64::from(other));
        u32::try_from(share).unwrap_or(u32::MAX).max(1)
    };
    let wide = share(picture.height(), width, height).min(picture.width());
    let high = share(picture.width(), height, width).min(picture.height());
    let (left, top) = ((picture.width() - wide) / 2, (picture.height() - high) / 2);
    picture.crop_imm(left, top, wide, high).resize_exact(width, height, FilterType::Triangle)
}

/// The pixels channel by channel.
fn write(picture: &DynamicImage, target: Target, image: &mut [u8]) {
    let is_grey = !picture.color().has_color();
    if target.channels == 1 && is_grey {
        image.copy_from_slice(&picture.to_luma8());
        return;
    }
    let pixels = picture.to_rgb8();
    if target.channels == 1 {
        image.iter_mut().zip(pixels.pixels()).for_each(|(grey, pixel)| *grey = luma(pixel.0));
        return;
    }
    for (channel, plane) in image.chunks_exact_mut(target.height * target.width).enumerate() {
        plane.iter_mut().zip(pixels.pixels()).for_each(|(value, pixel)| *value = pixel.0[channel]);
    }
}

/// ITU-R 601, in the whole numbers of PIL's `convert("L")`.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_that_of_pil() {
        for (colour, grey) in
            [([255, 255, 255], 255), ([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([1, 2, 3], 2)]
        {
            assert_eq!(luma(colour), grey, "{colour:?}");
        }
    }

    #[test]
    fn a_jpeg_ends_where_its_scans_do() {
        let head = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 2];
        let is_whole = |rest: &[u8]| jpeg_ends(&[&head[..], rest].concat());
        assert!(is_whole(&[1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd9]));
        assert!(is_whole(&[1, 0xff, 0xff, 0xd9, 7, 0xff, 0xda, 7]), "what follows is no image");
        assert!(is_whole(&[1, 0xff, 0xda, 0, 2, 5, 0xff, 0xd9]), "two scans");
        assert!(!is_whole(&[1, 0xff, 0xda, 0, 2, 5, 6]));
        assert!(!is_whole(&[1, 2, 3]));
        assert!(!jpeg_ends(&[0xff, 0xd8]));
        assert!(!jpeg_ends(&[0xff, 0xd8, 0xff, 0xe0, 0xff]));
    }

    #[test]
    fn a_picture_of_one_row_is_not_blown_up() {
        for (width, height) in [(16_000, 1), (1, 16_000), (5, 3)] {
            let picture = DynamicImage::new_luma8(width, height);
            let made = fitted(picture, Target { channels: 1, height: 224, width: 200 });
            assert_eq!((made.width(), made.height()), (200, 224));
        }
    }
}
