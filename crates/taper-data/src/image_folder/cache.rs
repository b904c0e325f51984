//! Decoded images in a file, from which they are read as they are wanted.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4,096 | what the file is, and zeros |
//! | `N × C × H × W` | the pixels |
//! | 8 each | numbers of the files that are no whole images |
//! | 8 each | N, C, H, W, and how many of those numbers there are |
//! | 32 | SHA-256 of what the images were made from |
//! | 32 | SHA-256 of all from the pixels up to here |
//!
//! Numbers are little-endian. A file is made for one state of the folder; with another, or a damaged file, it is made anew, by one
//! process at a time: it has a folder of its own in the cache, with a file beside it that is locked meanwhile.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use taper_files::{WriteError, create_private_folder, remove_leftovers, write_atomic};

use crate::hash::Sha;
use crate::images::Images;
use crate::stored::{ReadError, Stored};

/// What such a file begins with; the number is that of the form above.
const MAGIC: &[u8] = b"Taper's decoded images, 2\n";

/// The file in an entry's folder.
const IMAGES: &str = "images";

/// The file beside it that is locked while the images are decoded. It stays: to delete it while another process opens it would give
/// two of them a lock.
const LOCK: &str = "lock";

/// Where the pixels begin: a whole page, so that no image needs one more than it must.
const START: usize = 4096;

/// Bytes behind the list of files that were left out.
const TAIL: usize = 5 * 8 + 2 * 32;

/// Bytes that are hashed between two looks at the file.
const BLOCK: usize = 1 << 20;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) images: Images,
    /// Which of the files are no whole images, in ascending order.
    pub(super) left_out: Vec<usize>,
}

/// The right to make an entry's images, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    /// Nothing where the file system has no locks.
    _file: Option<File>,
}

/// Waits until no other process makes the images of the entry in the folder `entry`, which `on_wait` hears of, and deletes what one
/// that was killed left.
pub(super) fn lock(entry: &Path, on_wait: impl FnOnce()) -> Result<Lock, WriteError> {
    create_private_folder(entry)?;
    let path = entry.join(LOCK);
    let refused = |cause| WriteError::new(&path, cause);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
    let locked = match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            on_wait();
            file.lock()
        }
        Err(TryLockError::Error(cause)) => Err(cause),
        Ok(()) => Ok(()),
    };
    match locked {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::Interrupted => return Err(refused(cause)),
        // No locks on this file system. Two processes then decode the same images, and one file takes the place of the other.
        Err(_) => return Ok(Lock { _file: None }),
    }
    remove_leftovers(entry)?;
    Ok(Lock { _file: Some(file) })
}

/// The file of an entry.
pub(super) fn images_of(entry: &Path) -> PathBuf {
    entry.join(IMAGES)
}

/// The images at `path`, if they are whole and were made from `source`.
pub(super) fn open(path: &Path, source: &Sha) -> Option<Cached> {
    let file = Stored::open(path).ok()?;
    let tail = file.len().checked_sub(TAIL).filter(|tail| *tail >= START)?;
    let magic = file.bytes::<{ MAGIC.len() }>(0).ok()?;
    if magic != MAGIC || file.bytes(tail + 40).ok()? != *source {
        return None;
    }
    let number =
        |at: usize| -> Option<usize> { usize::try_from(u64::from_le_bytes(file.bytes(at).ok()?)).ok() };
    let mut sizes = [0; 5];
    for (index, size) in sizes.iter_mut().enumerate() {
        *size = number(tail + 8 * index)?;
    }
    let [count, channels, height, width, left_out] = sizes;
    let image = [height, width].iter().try_fold(channels, |n, &side| n.checked_mul(side))?;
    let list = START.checked_add(image.checked_mul(count)?)?;
    // Without an image, what it would take says nothing of the file's size.
    let is_of_images = count > 0 && image > 0 && [1, 3].contains(&channels);
    if list.checked_add(left_out.checked_mul(8)?) != Some(tail) || !is_of_images {
        return None;
    }
    if sha_of(&file, START..file.len() - 32).ok()? != file.bytes(file.len() - 32).ok()? {
        return None;
    }
    let left_out = (0..left_out).map(|index| number(list + 8 * index)).collect::<Option<_>>()?;
    Some(Cached { images: Images::of_file(file, START, [count, channels, height, width]), left_out })
}

fn sha_of(file: &Stored, range: std::ops::Range<usize>) -> Result<Sha, ReadError> {
    let (mut hasher, mut block) = (Sha256::new(), vec![0; BLOCK.min(range.len())]);
    for start in range.clone().step_by(BLOCK) {
        let bytes = &mut block[..BLOCK.min(range.end - start)];
        file.read(start, bytes)?;
        hasher.update(bytes);
    }
    Ok(hasher.finalize().into())
}

/// Writes a file of images of `shape` (C, H, W), which `fill` hands over one or more at a time; it gives the numbers of the files
/// that are left out.
pub(super) fn write(
    path: &Path,
    source: &Sha,
    shape: [usize; 3],
    fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<Vec<usize>>,
) -> Result<(), WriteError> {
    write_atomic(path, |file| {
        let mut start = MAGIC.to_vec();
        start.resize(START, 0);
        file.write_all(&start)?;
        let mut hashed = Hashed { file, hasher: Sha256::new(), len: 0 };
        let left_out = fill(&mut |pixels| hashed.write_all(pixels))?;
        let count = hashed.len / shape.iter().product::<usize>().max(1);
        for number in left_out.iter().chain([&count]).chain(&shape).chain([&left_out.len()]) {
            hashed.write_all(&(*number as u64).to_le_bytes())?;
        }
        hashed.write_all(source)?;
        let Hashed { file, hasher, .. } = hashed;
        file.write_all(&hasher.finalize())
    })
}

/// Hashes what is written through it.
struct Hashed<'a> {
    file: &'a mut dyn Write,
    hasher: Sha256,
    len: usize,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.len += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn made() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images");
        let fill = |take: &mut dyn FnMut(&[u8]) -> io::Result<()>| {
            take(&[1, 2, 3, 4, 5, 6])?;
            take(&[7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]).map(|()| vec![3, 70_000])
        };
        write(&path, &[9; 32], [1, 2, 3], fill).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_written_is_read() {
        let (_folder, path) = made();
        let Cached { images, left_out } = open(&path, &[9; 32]).unwrap();
        let plain = Images::new(3, 1, 2, 3, (1..=18).collect()).unwrap();
        assert_eq!((&images, &left_out[..]), (&plain, &[3, 70_000][..]));
        assert_eq!(images.sha256().unwrap(), plain.sha256().unwrap());
        let (some, others) = (images.gather(&[2, 0, 2]), plain.gather(&[2, 0, 2]));
        assert_eq!(some, others);
        assert_eq!(some.gather(&[1]).pixels().unwrap(), others.gather(&[1]).pixels().unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len() as usize, START + 18 + 2 * 8 + TAIL);
    }

    #[test]
    fn another_source_or_any_damage_is_told() {
        let (_folder, path) = made();
        assert!(open(&path, &[8; 32]).is_none());
        assert!(open(Path::new("/nowhere"), &[9; 32]).is_none());
        assert!(open(path.parent().unwrap(), &[9; 32]).is_none());
        let whole = fs::read(&path).unwrap();
        for at in (0..MAGIC.len()).chain(START..whole.len()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            assert!(open(&path, &[9; 32]).is_none(), "byte {at}");
        }
        for len in [0, 10, START, START + TAIL, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(open(&path, &[9; 32]).is_none(), "{len} bytes");
        }
        // No image at all, which no folder gives, also of a size that no memory has, and sizes that overflow.
        for sizes in [
            [0, 0, 0, 0, 0],
            [0, 1, 1 << 30, 1 << 30, 0],
            [u64::MAX, 2, 1 << 40, 1 << 40, 0],
            [0, 1, 1, 1, u64::MAX / 4],
            [0, 1 << 40, 1 << 40, 1, 0],
        ] {
            let mut tail: Vec<u8> = sizes.iter().flat_map(|size: &u64| size.to_le_bytes()).collect();
            tail.extend([9; 32]);
            let sha = Sha256::digest(&tail);
            fs::write(&path, [&whole[..START], &tail, &sha[..]].concat()).unwrap();
            assert!(open(&path, &[9; 32]).is_none(), "{sizes:?}");
        }
        // Five channels, which no image is decoded to.
        let fill = |take: &mut dyn FnMut(&[u8]) -> io::Result<()>| take(&[0; 5]).map(|()| vec![]);
        write(&path, &[9; 32], [5, 1, 1], fill).unwrap();
        assert!(open(&path, &[9; 32]).is_none());
    }

    #[test]
    fn a_disk_that_is_full_leaves_no_file() {
        let (_folder, path) = made();
        let before = fs::read(&path).unwrap();
        let full = |_: &mut dyn FnMut(&[u8]) -> io::Result<()>| Err(io::ErrorKind::StorageFull.into());
        assert!(write(&path, &[1; 32], [1, 1, 1], full).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
