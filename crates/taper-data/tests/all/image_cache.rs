//! Decoded images in the cache: when they are taken from it, and when they are decoded anew.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use image::{Rgb, RgbImage};
use taper_data::image_folder::{self, CacheEvent, ImageFolder, ImageFolderError, ImageOptions};
use taper_data::{Choice, LoadEvent, LoadOptions, load};
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
    image_folder::read_cached(photos, &ImageOptions::default(), cache, &mut |_| ())
}

/// What is in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    entries.sort();
    entries
}

/// Which file the one in the cache is: another takes its place when images are decoded anew.
fn file(cache: &Path) -> (PathBuf, u64) {
    let [entry] = entries(cache).try_into().unwrap();
    assert_eq!(fs::metadata(&entry).unwrap().mode() & 0o777, 0o700);
    let [images, lock]: [PathBuf; 2] = entries(&entry).try_into().unwrap();
    assert!(images.ends_with("images") && lock.ends_with("lock"));
    let inode = fs::metadata(&images).unwrap().ino();
    (images, inode)
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
    let changes: [(&str, Change); 5] = [
        ("another of the same size and time", |photos| {
            let (path, beside) = (photos.join("cat/01.png"), photos.join("new"));
            let before = fs::metadata(&path).unwrap();
            save(photos, "cat/other.png", 20);
            fs::rename(photos.join("cat/other.png"), &beside).unwrap();
            assert_eq!(fs::metadata(&beside).unwrap().len(), before.len());
            let file = fs::File::options().write(true).open(&beside).unwrap();
            file.set_modified(before.modified().unwrap()).unwrap();
            fs::rename(beside, path).unwrap();
        }),
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
    // The file of before is still open, and what it was.
    assert_eq!(before.train.images.image(0).unwrap()[0], before.train.images.image(0).unwrap()[1]);
    assert_eq!(before.train.len() + before.test.len(), 40);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let (_folder, photos, cache) = photos();
    let whole = image_folder::read(&photos, &ImageOptions::default(), &mut |_, _| ()).unwrap();
    let opened = read(&photos, &cache).unwrap().train.images;
    let (path, _) = file(&cache);
    let bytes = fs::read(&path).unwrap();
    for damage in [&bytes[..5000], b"", b"Taper's decoded images, 1\n"] {
        fs::write(&path, damage).unwrap();
        // Whoever has it open is told, instead of being killed by a signal.
        let lost = opened.sha256().err().map(|error| error.to_string());
        assert!(lost.is_none_or(|lost| lost.contains(&*path.to_string_lossy())));
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
    let left = image_folder::read_cached(&photos, &options, &cache, &mut |_| ()).unwrap();
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
fn parts_of_images_in_a_file_are_as_those_in_memory() {
    let (_folder, photos, cache) = photos();
    let plain = image_folder::read(&photos, &ImageOptions::default(), &mut |_, _| ()).unwrap().train;
    let stored = read(&photos, &cache).unwrap().train;
    assert_eq!(plain.images.sha256().unwrap(), stored.images.sha256().unwrap());
    assert_eq!(plain.images.channel_statistics().unwrap(), stored.images.channel_statistics().unwrap());
    let ((a, b), (c, d)) = (plain.split(7, 3), stored.split(7, 3));
    assert_eq!((&a, &b), (&c, &d));
    assert_eq!(a.take(5).images.pixels().unwrap(), c.take(5).images.pixels().unwrap());
    assert_eq!(a.subset(&[4, 0, 4]).unwrap(), c.subset(&[4, 0, 4]).unwrap());
}

/// Reads `PHOTOS` into `CACHE` in a process of its own: this very program, told to run one test. It says `decoded` or `found`; told to,
/// it dies in the middle of decoding.
fn process(photos: &Path, cache: &Path, dies: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "all::image_cache::a_process_of_its_own", "--ignored", "--nocapture"]);
    command.env("TAPER_TEST_PHOTOS", photos).env("TAPER_TEST_CACHE", cache);
    if dies {
        command.env("TAPER_TEST_DIES", "1");
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "what other tests call"]
fn a_process_of_its_own() {
    let [photos, cache] =
        ["TAPER_TEST_PHOTOS", "TAPER_TEST_CACHE"].map(|name| std::env::var_os(name).unwrap());
    let mut decoded = false;
    let on_event = &mut |event| {
        let begins = matches!(event, CacheEvent::Decoding { done: 0, .. });
        decoded |= begins;
        if begins && std::env::var_os("TAPER_TEST_DIES").is_some() {
            std::process::abort();
        }
    };
    let options = ImageOptions::default();
    image_folder::read_cached(photos.as_ref(), &options, cache.as_ref(), on_event).unwrap();
    // Past the test harness, which would keep it to itself.
    writeln!(std::io::stdout(), "{}", if decoded { "it decoded" } else { "it found" }).unwrap();
}

#[test]
fn what_a_killed_process_left_is_deleted() {
    let (_folder, photos, cache) = photos();
    assert!(!process(&photos, &cache, true).wait().unwrap().success());
    let [entry] = entries(&cache).try_into().unwrap();
    let left: Vec<PathBuf> = entries(&entry);
    assert!(left.iter().any(|path| path.to_string_lossy().contains(".taper-")), "{left:?}");
    assert_eq!(read(&photos, &cache).unwrap().train.len(), 36);
    file(&cache);
}

#[test]
fn of_processes_at_once_one_decodes() {
    let (_folder, photos, cache) = photos();
    let all: Vec<Child> = (0..4).map(|_| process(&photos, &cache, false)).collect();
    let said =
        all.into_iter().map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    let said: Vec<String> = said.collect();
    let count = |word: &str| said.iter().filter(|said| said.contains(word)).count();
    assert_eq!((count("it decoded"), count("it found")), (1, 3), "{said:?}");
    file(&cache);
}

#[test]
fn who_waits_for_another_process_says_so() {
    let (_folder, photos, cache) = photos();
    read(&photos, &cache).unwrap();
    let (images, _) = file(&cache);
    let lock = fs::File::open(images.with_file_name("lock")).unwrap();
    let mut options = LoadOptions::new(Choice::ImageFolder);
    (options.data_dir, options.image_cache) = (Some(photos.clone()), Some(cache));
    for (is_locked, waits) in [(false, 0), (true, 1)] {
        fs::remove_file(&images).unwrap();
        if is_locked {
            lock.lock().unwrap();
        }
        let mut waited = 0;
        let on_event = &mut |event| {
            if event == (LoadEvent::Waiting { folder: photos.clone() }) {
                waited += 1;
                // The other process ends.
                lock.unlock().unwrap();
            }
        };
        assert_eq!(load(&options, on_event).unwrap().train.len(), 36);
        assert_eq!(waited, waits);
    }
}
