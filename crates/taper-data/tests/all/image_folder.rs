//! Folders of images: layouts, formats, sizes, what is refused, and what is left out.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;
use taper_data::image_folder::{self, ImageFolder, ImageFolderError, ImageOptions, picture};
use taper_data::{Choice, DataError, LoadEvent, LoadOptions, load, tenth_of_each_class};
use tempfile::TempDir;

/// A picture of one colour that says which it is.
pub(crate) fn colour(width: u32, height: u32, level: u8) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([level, 100, 255 - level]))
}

pub(crate) fn save(picture: impl Into<DynamicImage>, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let format = ImageFormat::from_path(path).unwrap();
    picture.into().save_with_format(path, format).unwrap();
}

/// `<class>/<number>.png` for two classes, in no good order.
pub(crate) fn flat(count: u8) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in (0..count).rev() {
        for (class, level) in [("dog", 100), ("cat", 0)] {
            save(colour(4, 3, level + number), &folder.path().join(format!("{class}/{number:03}.png")));
        }
    }
    folder
}

pub(crate) fn read(folder: &Path) -> Result<ImageFolder, ImageFolderError> {
    read_with(folder, &ImageOptions::default())
}

/// What is read, which is the same through a cache: one that is new, and one that was filled.
pub(crate) fn read_with(folder: &Path, options: &ImageOptions) -> Result<ImageFolder, ImageFolderError> {
    let plain = image_folder::read(folder, options, &mut |_, _| ());
    let cache = tempfile::tempdir().unwrap();
    for state in ["new", "filled"] {
        match (&plain, image_folder::read_cached(folder, options, &cache.path().join("in"), &mut |_| ())) {
            (Ok(plain), Ok(cached)) => {
                assert_eq!(plain.train, cached.train, "{state}");
                assert_eq!(plain.test, cached.test, "{state}");
                assert_eq!(plain.validation, cached.validation, "{state}");
                assert_eq!(plain.skipped, cached.skipped, "{state}");
            }
            (Err(plain), Err(cached)) => assert_eq!(plain.to_string(), cached.to_string(), "{state}"),
            (plain, cached) => panic!("{state}: {plain:?}, but cached {cached:?}"),
        }
    }
    plain
}

pub(crate) fn sized(size: [usize; 2]) -> ImageOptions {
    ImageOptions { size: Some(size), ..ImageOptions::default() }
}

/// The first byte of each image: what level it was made with.
fn levels(data: &taper_data::Dataset) -> Vec<u8> {
    (0..data.len()).map(|index| data.images.image(index).unwrap()[0]).collect()
}

#[test]
fn classes_are_folders_in_the_order_of_their_names() {
    let folder = flat(20);
    let found = read(folder.path()).unwrap();
    assert_eq!(found.train.class_names, ["cat", "dog"]);
    assert_eq!((found.train.len(), found.test.len()), (36, 4));
    assert!(found.validation.is_none() && found.skipped.is_empty());
    let images = &found.train.images;
    assert_eq!((images.channels(), images.height(), images.width()), (3, 3, 4));
    // Every image once, each with its label; the part that is kept stays in order.
    let mut all = [levels(&found.train), levels(&found.test)].concat();
    assert!(levels(&found.train).is_sorted() && levels(&found.test).is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..20).chain(100..120).collect::<Vec<u8>>());
    for part in [&found.train, &found.test] {
        assert!(levels(part).iter().zip(&part.labels).all(|(level, label)| (*level >= 100) == (*label == 1)));
    }
    // The same once more, and another test part from another seed.
    assert_eq!(read(folder.path()).unwrap().test, found.test);
    let other = ImageOptions { split_seed: 1, ..ImageOptions::default() };
    assert_ne!(read_with(folder.path(), &other).unwrap().test, found.test);
}

#[test]
fn parts_that_are_there_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (part, levels) in [("train", 0..6), ("val", 6..8), ("test", 8..9)] {
        for level in levels {
            for class in ["a", "b"] {
                save(colour(2, 2, level), &folder.path().join(format!("{part}/{class}/{level}.png")));
            }
        }
    }
    let found = read(folder.path()).unwrap();
    assert_eq!(levels(&found.train), [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
    assert_eq!(levels(found.validation.as_ref().unwrap()), [6, 7, 6, 7]);
    assert_eq!((levels(&found.test), &found.test.labels), (vec![8, 8], &vec![0, 1]));
    // A part need not have every class, but no other one.
    fs::remove_dir_all(folder.path().join("test/a")).unwrap();
    assert_eq!(read(folder.path()).unwrap().test.labels, [1]);
    save(colour(2, 2, 1), &folder.path().join("test/c/1.png"));
    let error = read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("test/c: there is no class of that name"), "{error}");
}

#[test]
fn formats_are_told_by_what_a_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for class in ["a", "b"] {
        save(colour(8, 8, 40), &at(&format!("{class}/one.png")));
        save(colour(8, 8, 40), &at(&format!("{class}/two.jpg")));
        save(colour(8, 8, 40), &at(&format!("{class}/three.webp")));
        fs::copy(at("a/two.jpg"), at(&format!("{class}/four.png"))).unwrap();
        fs::copy(at("a/three.webp"), at(&format!("{class}/five"))).unwrap();
        for litter in [".DS_Store", "Thumbs.db", "desktop.ini"] {
            fs::write(at(&format!("{class}/{litter}")), "litter").unwrap();
        }
    }
    fs::write(at("README.txt"), "files beside the classes do not matter").unwrap();
    fs::create_dir(at(".cache")).unwrap();
    fs::create_dir(at("__MACOSX")).unwrap();
    let found = read(folder.path()).unwrap();
    assert_eq!(found.train.len() + found.test.len(), 10);
    for index in 0..found.train.len() {
        let image = found.train.images.image(index).unwrap();
        // JPEG loses a little.
        let near = |value: u8, level: u8| value.abs_diff(level) <= 3;
        assert!(near(image[0], 40) && near(image[64], 100) && near(image[128], 215), "{:?}", &image[..3]);
    }
}

/// By Pillow, of a picture that `fixtures/generator/pictures.py` describes: what this crate's own library does not write.
#[test]
fn other_kinds_of_jpeg_and_webp_are_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    for (name, tolerance) in [("lossy.webp", 12), ("progressive.jpg", 5), ("cmyk.jpg", 5), ("grey.jpg", 5)] {
        let encoded = fs::read(fixtures.join(format!("picture_{name}"))).unwrap();
        let image = picture(&encoded, [3, 16, 16]).unwrap();
        for (place, found) in image.iter().enumerate() {
            let [channel, y, x] = [place / 256, place / 16 % 16, place % 16];
            let colours = [15 * x, 15 * y, 8 * (x + y)];
            // ITU-R 601.
            let luma = (299 * colours[0] + 587 * colours[1] + 114 * colours[2]) / 1000;
            let expected = if name == "grey.jpg" { luma } else { colours[channel] };
            assert!(
                usize::from(*found).abs_diff(expected) <= tolerance,
                "{name}: {found}, not {expected} at {x}, {y}"
            );
        }
        let cut = picture(&encoded[..encoded.len() * 3 / 4], [3, 16, 16]);
        assert!(cut.is_err(), "{name}, cut short");
    }
}

#[test]
fn grey_stays_grey_unless_one_image_is_coloured() {
    let folder = tempfile::tempdir().unwrap();
    let grey = GrayImage::from_pixel(3, 3, image::Luma([77]));
    for class in ["a", "b"] {
        for number in 0..3 {
            save(grey.clone(), &folder.path().join(format!("{class}/{number}.png")));
        }
    }
    let found = read(folder.path()).unwrap();
    assert_eq!((found.train.images.channels(), found.train.images.image(0).unwrap()[0]), (1, 77));
    save(colour(3, 3, 9), &folder.path().join("b/colour.png"));
    let found = read(folder.path()).unwrap();
    assert_eq!(found.train.images.channels(), 3);
    assert!(found.train.images.image(0).unwrap().iter().all(|&value| value == 77));
    let options = ImageOptions { channels: Some(1), ..ImageOptions::default() };
    let found = read_with(folder.path(), &options).unwrap();
    // 0.299 · 9 + 0.587 · 100 + 0.114 · 246
    assert!(
        (levels(&found.train).contains(&89) || levels(&found.test).contains(&89))
            && found.train.images.channels() == 1
    );
    let options = ImageOptions { channels: Some(2), ..ImageOptions::default() };
    assert!(matches!(read_with(folder.path(), &options), Err(ImageFolderError::Channels { channels: 2 })));
}

#[test]
fn the_middle_is_cut_out_of_what_covers_the_size() {
    // Left red, middle green, right blue: of 12×4 only the middle is left in 4×4.
    let thirds = RgbImage::from_fn(12, 4, |x, _| {
        [Rgb([255, 0, 0]), Rgb([0, 255, 0]), Rgb([0, 0, 255])][x as usize / 4]
    });
    let mut png = Cursor::new(Vec::new());
    thirds.write_to(&mut png, ImageFormat::Png).unwrap();
    let square = picture(png.get_ref(), [3, 4, 4]).unwrap();
    assert_eq!(square, [vec![0; 16], vec![255; 16], vec![0; 16]].concat());
    // Half as large, each pixel is the mean of those it covers, up to the filter's reach over its edges.
    let steps = GrayImage::from_fn(8, 8, |x, _| image::Luma([(x / 4) as u8 * 200]));
    let mut png = Cursor::new(Vec::new());
    steps.write_to(&mut png, ImageFormat::Png).unwrap();
    let half = picture(png.get_ref(), [1, 4, 4]).unwrap();
    assert_eq!((half[0], half[3]), (0, 200));
    assert!((1..60).contains(&half[1]) && (140..200).contains(&half[2]), "{half:?}");
}

/// A JPEG whose EXIF data say that it lies on its side.
fn turned(width: u32, height: u32) -> Vec<u8> {
    let mut jpeg = Cursor::new(Vec::new());
    colour(width, height, 10).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    // Orientation, tag 0x0112, one short: 6.
    let tiff = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = (2 + 6 + tiff.len() as u16).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

#[test]
fn pictures_are_turned_as_they_say() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        save(colour(4, 8, 10), &folder.path().join(format!("{class}/upright.png")));
        fs::write(folder.path().join(format!("{class}/turned.jpg")), turned(8, 4)).unwrap();
    }
    let found = read(folder.path()).unwrap();
    assert_eq!((found.train.images.height(), found.train.images.width()), (8, 4));
}

fn options(choice: Choice, folder: &Path) -> LoadOptions {
    let mut options = LoadOptions::new(choice);
    options.data_dir = Some(folder.to_owned());
    options.image_cache = None;
    options
}

#[test]
fn a_data_folder_may_hold_images() {
    let folder = flat(10);
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for class in ["cat", "dog"] {
        fs::rename(folder.path().join(class), photos.join(class)).unwrap();
    }
    fs::write(photos.join("cat/broken.png"), "x").unwrap();
    let mut events = Vec::new();
    for choice in [Choice::Auto, Choice::ImageFolder] {
        let mut options = options(choice, &photos);
        assert!(matches!(
            load(&options, &mut |_| ()),
            Err(DataError::ImageFolder(ImageFolderError::Bad { .. }))
        ));
        options.images.skip_bad = true;
        let loaded = load(&options, &mut |event| events.push(event)).unwrap();
        let provenance = &loaded.provenance;
        assert_eq!((&*provenance.name, &*provenance.source), ("photos", "folder:photos"));
        assert_eq!((provenance.choice, loaded.skipped.len()), (Choice::ImageFolder, 1));
    }
    assert!(
        events
            .iter()
            .any(|event| matches!(event, LoadEvent::Skipped(bad) if bad.path.ends_with("cat/broken.png")))
    );
    assert!(matches!(
        load(&options(Choice::Mnist, &photos), &mut |_| ()),
        Err(DataError::NothingFound { .. })
    ));
    assert!(matches!(load(&LoadOptions::new(Choice::ImageFolder), &mut |_| ()), Err(DataError::NoFolder)));
    let mut synthetic = LoadOptions::new(Choice::Synthetic);
    synthetic.images.size = Some([8, 8]);
    let error = load(&synthetic, &mut |_| ()).unwrap_err().to_string();
    assert!(
        error.starts_with("--image-size is for folders of images, and the data are synthetic"),
        "{error}"
    );
}

#[test]
fn the_hash_tells_images_labels_parts_and_names_apart() {
    let folder = flat(10);
    let hash = || load(&options(Choice::Auto, folder.path()), &mut |_| ()).unwrap().provenance.sha256;
    let first = hash();
    assert_eq!((first.len(), &hash()), (64, &first));
    fs::rename(folder.path().join("dog"), folder.path().join("hound")).unwrap();
    let renamed = hash();
    save(colour(4, 3, 255), &folder.path().join("cat/000.png"));
    let changed = hash();
    assert!(first != renamed && renamed != changed && first != changed);
}

proptest! {
    #[test]
    fn every_image_is_in_exactly_one_part(labels in prop::collection::vec(0..7u8, 0..300), seed in any::<u64>()) {
        let (rest, tenth) = tenth_of_each_class(&labels, seed);
        let mut all = [rest.clone(), tenth.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        prop_assert!(rest.is_sorted() && tenth.is_sorted());
        for class in 0..7 {
            let of = |part: &[usize]| part.iter().filter(|&&index| labels[index] == class).count();
            let (kept, held_out) = (of(&rest), of(&tenth));
            let count = kept + held_out;
            let tenth = (count as f64 / 10.0).round() as usize;
            prop_assert_eq!(held_out, if count < 2 { 0 } else { tenth.max(1) }, "{} of class {}", count, class);
        }
        prop_assert_eq!(tenth_of_each_class(&labels, seed), (rest, tenth));
    }
}
