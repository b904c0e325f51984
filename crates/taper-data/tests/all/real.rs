//! MNIST itself, where it is at hand.

use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma};
use taper_data::synthetic::{self, Part};
use taper_data::{Choice, Expected, Images, LoadOptions, load};

use super::made;

#[test]
fn mnist_from_idx_and_from_parquet_are_the_same_and_pass_the_check() {
    let made;
    let (idx, parquet, expected) = match made::real_data() {
        Some(data) => (data.join("mnist"), data.join("hub/datasets/ylecun/mnist"), Expected::default()),
        None => {
            made = tempfile::tempdir().unwrap();
            let sets = made::sets();
            made::write_idx(made.path(), &sets, ".gz");
            let hub = made.path().join("hub");
            made::write_hub(&hub, &sets);
            (made.path().to_owned(), hub, made::expected(&sets))
        }
    };
    let mut options = LoadOptions::new(Choice::Mnist);
    options.expected = expected;
    let mut load = |folder| {
        options.data_dir = Some(folder);
        load(&options, &mut |_| {}).unwrap()
    };
    let (idx, parquet) = (load(idx), load(parquet));
    assert!(idx.train == parquet.train && idx.test == parquet.test);
    assert_eq!(idx.provenance.sha256, parquet.provenance.sha256);
    if options.expected == Expected::default() {
        assert_eq!((idx.train.len(), idx.test.len()), (60_000, 10_000));
        assert_eq!(idx.train.labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert_eq!(idx.provenance.name, "mnist");
        assert_eq!(idx.provenance.license.as_deref(), Some("CC BY-SA 3.0"));
    }
}

/// A digit of MNIST, enlarged and drawn dark on a light sheet, comes back as itself: about the same size, in the
/// same place.
#[test]
fn an_enlarged_digit_of_mnist_is_prepared_as_mnist_was() {
    let images = match made::real_data() {
        Some(data) => taper_data::idx::read_images(&data.join("mnist/t10k-images-idx3-ubyte.gz")).unwrap(),
        None => as_mnist(&synthetic::digits(200, 0, Part::Test).images),
    };
    let mut far = 0;
    for index in 0..200 {
        let original = images.image(index).unwrap();
        let prepared = taper_data::prepare::digit(&on_a_sheet(&original)).unwrap();
        let dot =
            |a: &[u8], b: &[u8]| -> f64 { a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum() };
        let cosine =
            dot(&original, &prepared) / (dot(&original, &original) * dot(&prepared, &prepared)).sqrt();
        far += usize::from(cosine < 0.9);
    }
    // A pixel's shift of a thin digit costs much of the cosine; most must be closer than that.
    assert!(far <= 20, "{far} of 200 digits differ");
}

/// Eight times as large, grey on a light sheet, in a corner of it.
fn on_a_sheet(digit: &[u8]) -> Vec<u8> {
    let small = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
    let mut large = resize(&small, 224, 224, FilterType::Triangle);
    large.pixels_mut().for_each(|pixel| pixel.0[0] = 250 - (f32::from(pixel.0[0]) * 0.8) as u8);
    let mut sheet = GrayImage::from_pixel(340, 310, Luma([250]));
    image::imageops::replace(&mut sheet, &large, 20, 60);
    made::png(340, 310, image::ExtendedColorType::L8, sheet.as_raw())
}

/// The synthetic digits are not all centred and of full size: makes them so.
fn as_mnist(images: &Images) -> Images {
    let pixels = (0..images.count())
        .flat_map(|i| taper_data::prepare::digit(&on_a_sheet(&images.image(i).unwrap())).unwrap());
    Images::new(images.count(), 1, 28, 28, pixels.collect()).unwrap()
}
