use std::io::Cursor;

use image::{ExtendedColorType, GrayImage, ImageFormat, Luma, Rgba, RgbaImage};
use taper_data::prepare::{self, PIXELS, PrepareError};

use super::made;

/// A thick "7" in a page of the given size: true where there is ink.
fn seven(x: u32, y: u32, side: u32) -> bool {
    let (x, y, s) = (i64::from(x), i64::from(y), i64::from(side));
    let bar = (s / 4..s * 3 / 4).contains(&x) && (s / 5..s * 3 / 10).contains(&y);
    let stem = (s / 5..s * 4 / 5).contains(&y) && (x - (s * 7 / 10 - (y - s / 5) / 3)).abs() < s / 20;
    bar || stem
}

fn grey(side: u32, ink: u8, paper: u8) -> Vec<u8> {
    let page = GrayImage::from_fn(side, side, |x, y| Luma([if seven(x, y, side) { ink } else { paper }]));
    made::png(side as usize, side as usize, ExtendedColorType::L8, page.as_raw())
}

fn encode(page: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    page.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Mean absolute difference, in grey levels.
fn difference(a: &[u8; PIXELS], b: &[u8; PIXELS]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x.abs_diff(y))).sum::<f64>() / PIXELS as f64
}

/// Left, top, width, height of what is not paper, and the centre of mass.
fn extent(page: &[u8; PIXELS]) -> ([usize; 4], [f64; 2]) {
    let inked: Vec<(usize, usize)> =
        (0..PIXELS).filter(|&i| page[i] > 40).map(|i| (i % 28, i / 28)).collect();
    let range = |part: fn(&(usize, usize)) -> usize| {
        let values = inked.iter().map(part);
        (values.clone().min().unwrap(), values.max().unwrap())
    };
    let ((left, right), (top, bottom)) = (range(|p| p.0), range(|p| p.1));
    let mass: f64 = page.iter().map(|&v| f64::from(v)).sum();
    let centre = |part: fn(usize) -> usize| {
        (0..PIXELS).map(|i| part(i) as f64 * f64::from(page[i])).sum::<f64>() / mass
    };
    ([left, top, right + 1 - left, bottom + 1 - top], [centre(|i| i % 28), centre(|i| i / 28)])
}

#[test]
fn the_digit_fills_a_box_of_20_pixels_around_its_centre_of_mass() {
    for side in [40, 280, 1000] {
        let page = prepare::digit(&grey(side, 0, 255)).unwrap();
        let ([_, _, width, height], [x, y]) = extent(&page);
        assert!((19..=20).contains(&height) && (10..20).contains(&width), "{side}: {width}×{height}");
        // Half a pixel for rounding; the lopsided seven is also kept from hanging over the edge.
        assert!((x - 14.0).abs() <= 0.6 && (y - 14.0).abs() <= 0.6, "{side}: {x}, {y}");
        assert_eq!((page.iter().max(), page[0]), (Some(&255), 0));
    }
}

#[test]
fn size_colour_polarity_alpha_and_format_do_not_matter() {
    let reference = prepare::digit(&grey(280, 0, 255)).unwrap();
    let rgba = |ink: [u8; 4], paper: [u8; 4]| {
        let page = RgbaImage::from_fn(280, 280, |x, y| Rgba(if seven(x, y, 280) { ink } else { paper }));
        encode(&page.into(), ImageFormat::Png)
    };
    let jpeg = || {
        let page = image::RgbImage::from_fn(280, 280, |x, y| {
            image::Rgb(if seven(x, y, 280) { [20, 30, 90] } else { [245, 240, 225] })
        });
        encode(&page.into(), ImageFormat::Jpeg)
    };
    for (name, encoded, most) in [
        ("light on dark", grey(280, 255, 0), 0.0),
        ("pale pencil", grey(280, 120, 200), 0.0),
        ("four times the size", grey(1120, 0, 255), 4.0),
        ("a quarter of the size", grey(70, 0, 255), 8.0),
        ("blue on yellow", rgba([20, 30, 200, 255], [250, 240, 160, 255]), 0.0),
        ("black on nothing", rgba([0, 0, 0, 255], [0, 0, 0, 0]), 0.0),
        ("white on nothing", rgba([255, 255, 255, 255], [0, 0, 0, 0]), 0.0),
        ("white on transparent white", rgba([255, 255, 255, 255], [255, 255, 255, 0]), 0.0),
        ("JPEG", jpeg(), 2.0),
    ] {
        let page = prepare::digit(&encoded).unwrap();
        let found = difference(&reference, &page);
        assert!(found <= most, "{name}: {found}");
    }
}

#[test]
fn an_image_of_mnist_passes_unchanged() {
    let data = made::sets().0;
    for index in 0..data.len() {
        let original = data.images.image(index).unwrap();
        let png = made::png(28, 28, ExtendedColorType::L8, &original);
        assert_eq!(prepare::digit(&png).unwrap()[..], *original, "image {index}");
        let inverted: Vec<u8> = original.iter().map(|value| 255 - value).collect();
        let png = made::png(28, 28, ExtendedColorType::L8, &inverted);
        assert_eq!(prepare::digit(&png).unwrap()[..], *original, "image {index}, inverted");
    }
}

#[test]
fn extreme_shapes_are_no_trouble() {
    // A line one pixel thick and a thousand long, a single dot, and ink in one corner only.
    for (width, height, ink) in [(1003, 3, 3), (3, 1003, 3), (5, 5, 1), (500, 500, 1)] {
        let page = GrayImage::from_fn(width, height, |x, y| {
            let dot = ink == 1 && (x, y) == (2, 2);
            let line = ink == 3
                && (if width > height { y == 1 && x > 0 && x < 1002 } else { x == 1 && y > 0 && y < 1002 });
            Luma([if dot || line { 0 } else { 255 }])
        });
        let png = made::png(width as usize, height as usize, ExtendedColorType::L8, page.as_raw());
        let page = prepare::digit(&png).unwrap();
        assert_eq!(page.iter().max(), Some(&255), "{width}×{height}");
    }
}

#[test]
fn a_photograph_is_turned_as_its_exif_data_say() {
    let page = image::DynamicImage::ImageLuma8(GrayImage::from_fn(280, 280, |x, y| {
        Luma([if seven(x, y, 280) { 0 } else { 255 }])
    }));
    let upright = encode(&page, ImageFormat::Jpeg);
    let lying = encode(&page.rotate270(), ImageFormat::Jpeg);
    // An EXIF segment with one entry: orientation 6, to be turned by 90° to the right.
    let exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = [&lying[..2], exif, &lying[2..]].concat();
    let difference = difference(&prepare::digit(&upright).unwrap(), &prepare::digit(&turned).unwrap());
    assert!(difference < 2.0, "{difference}");
}

#[test]
fn what_holds_no_digit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drawing.png");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = prepare::digit_file(&path).unwrap_err();
        assert!(error.to_string().contains("drawing.png"), "{error}");
        error
    };
    for side in [28, 100] {
        for level in [0, 128, 255] {
            assert!(matches!(refused(&grey(side, level, level)), PrepareError::Blank { .. }));
        }
    }
    assert!(matches!(refused(&grey(100, 100, 101)), PrepareError::Blank { .. }));
    let whole = grey(100, 0, 255);
    for bytes in [&b""[..], b"no picture", &whole[..whole.len() / 2], b"GIF89a"] {
        assert!(matches!(refused(bytes), PrepareError::Decode { .. }));
    }
    let error = prepare::digit_file(&folder.path().join("nowhere.png")).unwrap_err();
    assert!(matches!(error, PrepareError::Read { .. }), "{error}");
    std::fs::write(&path, whole).unwrap();
    prepare::digit_file(&path).unwrap();
}

#[test]
fn a_header_that_claims_more_than_its_file_can_hold_is_refused() {
    let mut page = encode(&image::GrayImage::new(40, 40).into(), ImageFormat::Jpeg);
    let frame = page.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    // Precision, height and width follow the marker and its length: 16,000 pixels a side, 256 MB from some hundred bytes.
    page[frame + 5..frame + 9].copy_from_slice(&[0x3e, 0x80, 0x3e, 0x80]);
    let refused = prepare::digit(&page).unwrap_err().to_string();
    assert!(refused.contains("cannot be decoded"), "{refused}");
    // A blank page may be large.
    let blank = image::DynamicImage::from(image::GrayImage::from_pixel(3000, 3000, image::Luma([255])));
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let refused = prepare::digit(&encode(&blank, format)).unwrap_err().to_string();
        assert!(!refused.contains("cannot be decoded"), "{format:?}: {refused}");
    }
}
