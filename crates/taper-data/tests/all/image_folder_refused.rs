//! Folders of images that are refused, and what is left out of them if asked.

use std::fs;
use std::io::Cursor;

use image::{ExtendedColorType, ImageFormat, Rgb, RgbImage};
use taper_data::image_folder::{ImageFolderError, ImageOptions};

use super::image_folder::{colour, flat, read, read_with, save, sized};

#[test]
fn sizes_that_differ_need_one_to_scale_to() {
    let folder = flat(4);
    save(colour(8, 6, 50), &folder.path().join("dog/large.png"));
    let error = read(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("cat/000.png has 3x4")
            && error.contains("dog/large.png has 6x8")
            && error.contains("--image-size"),
        "{error}"
    );
    let found = read_with(folder.path(), &sized([6, 8])).unwrap();
    assert_eq!((found.train.images.height(), found.train.images.width()), (6, 8));
    for size in [[0, 4], [4, 5000]] {
        assert!(matches!(read_with(folder.path(), &sized(size)), Err(ImageFolderError::Size { .. })));
    }
}

/// A PNG that says it is larger than any memory.
fn bomb() -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut png, &[0; 4], 2, 2, ExtendedColorType::L8, ImageFormat::Png)
        .unwrap();
    let mut png = png.into_inner();
    for side in [16, 20] {
        png[side..side + 4].copy_from_slice(&60_000u32.to_be_bytes());
    }
    let sum = crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    png
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[test]
fn everything_that_is_no_whole_image_is_listed_and_left_out_if_asked() {
    let folder = flat(12);
    let at = |name: &str| folder.path().join(name);
    let png = fs::read(at("cat/000.png")).unwrap();
    let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x * 7) as u8, (y * 13) as u8]));
    let mut jpeg = Cursor::new(Vec::new());
    noise.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let bad: [(&str, &[u8], &str); 7] = [
        ("cat/a-note.txt", b"not an image", "not PNG, JPEG or WebP"),
        ("cat/b-empty.png", b"", ""),
        ("cat/c-short.png", &png[..png.len() - 30], "decoded"),
        ("dog/d-short.jpg", &jpeg[..jpeg.len() / 2], ""),
        ("dog/e-bomb.png", &bomb(), ""),
        ("dog/f.gif", b"GIF89a\x01\0\x01\0\0\0\0", "image/gif"),
        ("dog/g-half-header.png", &png[..20], ""),
    ];
    for (name, bytes, _) in bad {
        fs::write(at(name), bytes).unwrap();
    }
    fs::create_dir(at("dog/h-nested")).unwrap();
    // The size from headers, or no header looked at before.
    for options in [sized([3, 4]), ImageOptions { channels: Some(3), ..sized([3, 4]) }] {
        let error = read_with(folder.path(), &options).unwrap_err();
        let text = error.to_string();
        let ImageFolderError::Bad { bad: found, .. } = error else { panic!("{text}") };
        assert_eq!(found.len(), 8, "{text}");
        for ((name, _, reason), found) in bad.iter().zip(&found) {
            assert!(found.path.ends_with(name) && found.reason.contains(reason), "{name}: {}", found.reason);
            assert!(text.contains(name), "{text}");
        }
        assert!(text.contains("h-nested: it is a folder") && text.contains("--skip-bad"), "{text}");
        let found = read_with(folder.path(), &ImageOptions { skip_bad: true, ..options }).unwrap();
        assert_eq!((found.train.len() + found.test.len(), found.skipped.len()), (24, 8));
    }
    // Of many, the first are named.
    for number in 0..30 {
        fs::write(at(&format!("cat/z{number}.png")), "x").unwrap();
    }
    let error = read_with(folder.path(), &sized([3, 4])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("38 files are no whole image") && text.contains("\n  and 18 more\n"), "{text}");
    assert_eq!(text.lines().count(), 23, "{text}");
    assert!(matches!(error, ImageFolderError::Bad { bad, .. } if bad.len() == 38));
}

#[test]
fn layouts_that_make_no_sense_are_refused() {
    let refusal = |paths: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            save(colour(2, 2, 1), &folder.path().join(path));
        }
        match read(folder.path()) {
            Ok(found) => format!("accepted: {:?}", found.train.class_names),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "FOLDER"),
        }
    };
    let rows: [(&[&str], &str); 8] = [
        (&["a/1.png"], "FOLDER: there are 1 classes; give a folder for each of 2 to 256"),
        (&["1.png"], "FOLDER: there are 0 classes"),
        (&["test/a/1.png", "test/b/1.png"], "there is a folder `test` with classes, but no `train`"),
        (&["train/a/1.png", "train/b/1.png", "valid/a/1.png"], "beside `train` there is a folder `valid`"),
        (
            &["train/a/1.png", "train/b/1.png", "test/1.png"],
            "FOLDER/test: there is no image of a class in it",
        ),
        (
            &["train/a/1.png", "train/b/1.png", "train/2.png"],
            "train/2.png: it lies in the folder of no class",
        ),
        // A class may be called so.
        (&["bus/1.png", "train/1.png"], "accepted: [\"bus\", \"train\"]"),
        (&["bus/1.png", "test/1.png"], "accepted: [\"bus\", \"test\"]"),
    ];
    for (paths, expected) in rows {
        let found = refusal(paths);
        assert!(found.contains(expected), "{paths:?}: {found}");
    }
    let empty = flat(2);
    fs::create_dir(empty.path().join("bird")).unwrap();
    let error = read(empty.path()).unwrap_err().to_string();
    assert!(error.contains("the class `bird` has no image to train on"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_names_must_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = flat(3);
    let elsewhere = tempfile::tempdir().unwrap();
    save(colour(4, 3, 200), &elsewhere.path().join("fish/1.png"));
    symlink(elsewhere.path().join("fish"), folder.path().join("fish")).unwrap();
    symlink(folder.path().join("cat/000.png"), folder.path().join("fish/again.png")).unwrap();
    assert_eq!(read(folder.path()).unwrap().train.class_names, ["cat", "dog", "fish"]);
    symlink("nowhere", folder.path().join("cat/broken.png")).unwrap();
    let error = read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("cat/broken.png: it is neither a file nor a folder, or a link"), "{error}");
    fs::remove_file(folder.path().join("cat/broken.png")).unwrap();
    // A file may be called anything.
    fs::rename(
        folder.path().join("cat/001.png"),
        folder.path().join("cat").join(OsStr::from_bytes(b"\xff.png")),
    )
    .unwrap();
    assert!(read(folder.path()).is_ok());
    for name in [&b"\xff"[..], b"two\nlines"] {
        let class = folder.path().join(OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(error, ImageFolderError::ClassName { .. }), "{error}");
        fs::remove_dir(&class).unwrap();
    }
}
