//! Whatever bytes a file holds, reading it ends with data or with an error, never with a panic.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use proptest::prelude::*;
use taper_data::{idx, parquet, prepare};

fn drawing(format: ImageFormat) -> Vec<u8> {
    let page =
        GrayImage::from_fn(40, 50, |x, y| Luma([if (15..20).contains(&x) && y > 5 { 10 } else { 240 }]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(page).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn idx_and_parquet(dims in prop::array::uniform3(0u32..5), tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any");
        let header: Vec<u8> = [0, 0, 8, 3].into_iter().chain(dims.iter().flat_map(|d| d.to_be_bytes())).collect();
        std::fs::write(&path, [&header[..], &tail].concat()).unwrap();
        let fits = dims.iter().product::<u32>() as usize == tail.len() && dims[1] > 0 && dims[2] > 0;
        prop_assert_eq!(idx::read_images(&path).is_ok(), fits);

        let path = folder.path().join("other");
        std::fs::write(&path, &tail).unwrap();
        prop_assert!(parquet::read(&[&path]).is_err());
        std::fs::write(&path, [b"PAR1", &tail[..], &[100, 0, 0, 0], b"PAR1"].concat()).unwrap();
        prop_assert!(parquet::read(&[&path]).is_err());
    }

    #[test]
    fn pictures(jpeg: bool, place in any::<prop::sample::Index>(), value: u8, cut: bool) {
        let mut bytes = drawing(if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png });
        let place = place.index(bytes.len());
        bytes[place] = value;
        if cut {
            bytes.truncate(place);
        }
        if let Ok(page) = prepare::digit(&bytes) {
            prop_assert!(page.iter().any(|&pixel| pixel > 0));
        }
    }
}
