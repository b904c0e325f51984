//! Files mapped into memory: the only module outside `taper-kernels` that may hold unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use memmap2::{Advice, UncheckedAdvice};

/// Bytes that stay in this process's memory after they were read; the system's cache of files may keep more, and gives it back
/// when memory is wanted.
const RESIDENT: usize = 32 << 20;

/// What the system brings in around a byte that is read.
const AROUND: usize = 64 << 10;

/// A file as a slice of bytes, of which only what was read lately takes memory.
///
/// The file must not be changed while it is mapped. Those of this crate are written beside their places and moved there
/// ([`taper_files::write_atomic`]), so that a file once mapped stays what it was even when another takes its place.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: Mmap,
    /// Bytes that were brought in since the last were let go, at most.
    resident: AtomicUsize,
}

impl Mapped {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the bytes behind the slice do not change: see the type. A process that writes into the files of
        // another's cache can do as much to its other files.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map, resident: AtomicUsize::new(0) })
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The bytes at `range`, which must lie within the file as for a slice.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        let more = range.len().max(AROUND);
        if self.resident.fetch_add(more, Ordering::Relaxed) > RESIDENT
            && self.resident.swap(0, Ordering::Relaxed) > RESIDENT
        {
            self.let_go();
        }
        &self.map[range]
    }

    /// Tells the system that the bytes at `range` will be read soon.
    pub(crate) fn expect(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if range.end <= self.len() {
            // Only a hint: without it they are read later.
            let _ = self.map.advise_range(Advice::WillNeed, range.start, range.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }

    /// Gives the memory back; what is read again comes from the file again.
    fn let_go(&self) {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: on Linux, `MADV_DONTNEED` on a shared mapping of a file drops the pages of this process alone. Whoever
            // reads on, in another thread too, finds the bytes of the file there, which have not changed.
            let _ = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Bytes of this process that are in memory because a file is mapped.
    #[cfg(target_os = "linux")]
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_read_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let bytes: Vec<u8> = (0..40_usize << 20).map(|at| (at % 251) as u8).collect();
        taper_files::write_atomic(&path, |file| (0..5).try_for_each(|_| file.write_all(&bytes))).unwrap();
        let mapped = Mapped::open(&path).unwrap();
        let before = resident();
        let mut most = 0;
        for at in (0..mapped.len()).step_by(1 << 20) {
            mapped.expect(at..at + 100);
            let read = mapped.bytes(at..(at + (1 << 20)).min(mapped.len()));
            assert_eq!(read[100], bytes[(at + 100) % bytes.len()]);
            assert_eq!(read.iter().map(|&byte| u64::from(byte)).max(), Some(250));
            most = most.max(resident().saturating_sub(before));
        }
        assert!(most < 2 * RESIDENT, "{most} of {} bytes are in memory", mapped.len());
    }

    #[test]
    fn an_expectation_beyond_the_end_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        std::fs::write(&path, b"abc").unwrap();
        let mapped = Mapped::open(&path).unwrap();
        mapped.expect(2..9);
        assert_eq!(mapped.bytes(1..3), b"bc");
    }
}
