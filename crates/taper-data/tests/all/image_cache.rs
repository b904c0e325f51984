//! Decoded images in the cache: when they are taken from it, and when they are decoded anew.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use taper_data::image_folder::{self, ImageFolder, ImageFolderError, ImageOptions};
use taper_data::{Choice, LoadOptions, load};
use tempfile::TempDir;

fn save(folder: &Path, name: &str, level: u8) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(4, 3, Rgb([level; 3])).save(path).unwrap();
}

/// A folder of images beside the cache: `photos` and `cache`.
fn photos() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (photos, cache) = (folder.path().join("photos"), folder.path().join("cache"));
    for number in 0..20 {
        save(&photos, &format!("cat/{number:02}.png"), number);
        save(&photos, &format!("dog/{number:02}.png"), 100 + number);
    }
    (folder, photos, cache)
}

fn read(photos: &Path, cache: &Path) -> Result<ImageFolder, ImageFolderError> {
    image_folder::read_cached(photos, &ImageOptions::default(), cache, &mut |_, _| ())
}

/// Which file the one in the cache is: another takes its place when images are decoded anew.
fn file(cache: &Path) -> (PathBuf, u64) {
    let files: Vec<PathBuf> = fs::read_dir(cache).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    (files[0].clone(), fs::metadata(&files[0]).unwrap().ino())
}

#[test]
fn images_are_decoded_once() {
    let (_folder, photos, cache) = photos();
    let first = read(&photos, &cache).unwrap();
    let kept = file(&cache);
    let second = read(&photos, &cache).unwrap();
    assert_eq!((first.train, first.test), (second.train, second.test));
    assert_eq!(file(&cache), kept);
}

#[test]
fn what_has_changed_is_decoded_anew() {
    let (_folder, photos, cache) = photos();
    let before = read(&photos, &cache).unwrap();
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("another picture", |photos| save(photos, "cat/00.png", 200)),
        ("one more", |photos| save(photos, "cat/99.png", 1)),
        ("one fewer", |photos| fs::remove_file(photos.join("cat/05.png")).unwrap()),
        ("another name", |photos| fs::rename(photos.join("cat/06.png"), photos.join("cat/98.png")).unwrap()),
    ];
    for (what, change) in changes {
        let kept = file(&cache);
        change(&photos);
        let plain = image_folder::read(&photos, &ImageOptions::default(), &mut |_, _| ()).unwrap();
        let cached = read(&photos, &cache).unwrap();
        assert_eq!((plain.train, plain.test), (cached.train, cached.test), "{what}");
        assert_ne!(file(&cache).1, kept.1, "{what}");
        assert_eq!(file(&cache).0, kept.0, "{what}: it takes the place of the old one");
    }
    // What is mapped stays what it was.
    assert_eq!(before.train.images.image(0)[0], before.train.images.image(0)[1]);
    assert_eq!(before.train.len() + before.test.len(), 40);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let (_folder, photos, cache) = photos();
    let whole = image_folder::read(&photos, &ImageOptions::default(), &mut |_, _| ()).unwrap();
    // Dropped at once: a file must not be written into while it is mapped.
    drop(read(&photos, &cache).unwrap());
    let (path, _) = file(&cache);
    let bytes = fs::read(&path).unwrap();
    for damage in [&bytes[..5000], b"", b"Taper's decoded images, 1\n"] {
        fs::write(&path, damage).unwrap();
        let again = read(&photos, &cache).unwrap();
        assert_eq!((&again.train, &again.test), (&whole.train, &whole.test));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn files_that_are_no_images_are_told_each_time() {
    let (_folder, photos, cache) = photos();
    fs::write(photos.join("cat/bad.png"), "no image").unwrap();
    fs::write(photos.join("cat/cut.png"), &fs::read(photos.join("cat/00.png")).unwrap()[..50]).unwrap();
    let told = read(&photos, &cache).unwrap_err().to_string();
    assert!(told.contains("bad.png") && told.contains("cut.png"), "{told}");
    assert_eq!(read(&photos, &cache).unwrap_err().to_string(), told);
    // They need not be decoded again to be left out.
    let kept = file(&cache);
    let options = ImageOptions { skip_bad: true, ..ImageOptions::default() };
    let left = image_folder::read_cached(&photos, &options, &cache, &mut |_, _| ()).unwrap();
    assert_eq!((left.skipped.len(), left.train.len() + left.test.len()), (2, 40));
    assert_eq!(file(&cache), kept);
}

#[test]
fn a_cache_that_cannot_be_written_is_told_with_the_remedy() {
    let (folder, photos, _) = photos();
    let taken = folder.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let mut options = LoadOptions::new(Choice::ImageFolder);
    options.data_dir = Some(photos);
    options.image_cache = Some(taken.join("cache"));
    let refused = load(&options, &mut |_| ()).unwrap_err().to_string();
    assert!(refused.contains("taken") && refused.contains("TAPER_CACHE"), "{refused}");
    options.image_cache = None;
    assert_eq!(load(&options, &mut |_| ()).unwrap().train.len(), 36);
}

#[test]
fn parts_of_mapped_images_are_as_those_in_memory() {
    let (_folder, photos, cache) = photos();
    let plain = image_folder::read(&photos, &ImageOptions::default(), &mut |_, _| ()).unwrap().train;
    let mapped = read(&photos, &cache).unwrap().train;
    assert_eq!(plain.images.sha256(), mapped.images.sha256());
    assert_eq!(plain.images.channel_statistics(), mapped.images.channel_statistics());
    let ((a, b), (c, d)) = (plain.split(7, 3), mapped.split(7, 3));
    assert_eq!((&a, &b), (&c, &d));
    assert_eq!(a.take(5).images.pixels(), c.take(5).images.pixels());
    assert_eq!(a.subset(&[4, 0, 4]).unwrap(), c.subset(&[4, 0, 4]).unwrap());
}
