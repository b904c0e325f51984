use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use taper_data::hub::{self, HubError, HubOptions};
use tempfile::TempDir;

use super::server::{COMMIT, Fault, Route, Server};

const FILES: [&str; 2] = ["mnist/train-00000-of-00001.parquet", "mnist/test-00000-of-00001.parquet"];

fn contents() -> [Vec<u8>; 2] {
    [(0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect(), b"a small file".to_vec()]
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    FILES.into_iter().zip(contents()).collect()
}

pub(crate) fn options(cache: &Path, endpoint: &str) -> HubOptions {
    let mut options = HubOptions::new(cache);
    options.endpoint = endpoint.to_owned();
    // Long, so that a busy machine fails no test that is about something else.
    options.connect_timeout = Duration::from_secs(30);
    options.stall_timeout = Duration::from_secs(30);
    options
}

struct Trial {
    cache: TempDir,
    server: Server,
    options: HubOptions,
}

impl Trial {
    fn new(route: Route, fault: Fault) -> Self {
        let (cache, server) = (tempfile::tempdir().unwrap(), Server::start(&files(), route, fault));
        let options = options(cache.path(), &server.endpoint);
        Self { cache, server, options }
    }

    /// A trial that is about waiting in vain.
    fn impatient(route: Route, fault: Fault) -> Self {
        let mut trial = Self::new(route, fault);
        trial.options.connect_timeout = Duration::from_millis(700);
        trial.options.stall_timeout = Duration::from_millis(700);
        trial
    }

    fn fetch(&self) -> Result<Vec<PathBuf>, HubError> {
        hub::fetch("ylecun/mnist", "main", &FILES, &self.options, &mut |_| {})
    }

    fn cached(&self) -> Option<Vec<PathBuf>> {
        hub::cached("ylecun/mnist", "main", &FILES, &self.options)
    }

    fn blobs(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.cache.path().join("datasets--ylecun--mnist/blobs")) else {
            return vec![];
        };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        names
    }

    fn is_whole(&self, paths: &[PathBuf]) {
        for (path, content) in paths.iter().zip(contents()) {
            assert!(fs::read(path).unwrap() == content, "{}", path.display());
        }
        assert_eq!(self.blobs(), ["etag-12", "etag-300000"]);
    }
}

#[test]
fn files_come_once_by_every_route_and_then_from_the_cache() {
    for route in [Route::Direct, Route::Relative, Route::Cdn] {
        let mut trial = Trial::new(route, Fault::None);
        let mut seen: Vec<(String, u64, u64)> = Vec::new();
        let paths = hub::fetch("ylecun/mnist", "main", &FILES, &trial.options, &mut |progress| {
            seen.push((progress.file.to_owned(), progress.received, progress.total));
        })
        .unwrap();
        trial.is_whole(&paths);
        assert!(paths[0].ends_with(format!("snapshots/{COMMIT}/{}", FILES[0])), "{}", paths[0].display());
        for (file, content) in FILES.into_iter().zip(contents()) {
            let total = content.len() as u64;
            let of_file: Vec<_> = seen.iter().filter(|event| event.0 == file).collect();
            assert!(of_file.iter().all(|event| event.2 == total), "{route:?}");
            assert!(of_file.is_sorted_by_key(|event| event.1), "{route:?}");
            assert_eq!(of_file.last().unwrap().1, total, "{route:?}");
        }
        assert!(!trial.server.take_requests().is_empty());

        assert_eq!(trial.fetch().unwrap(), paths);
        trial.options.offline = true;
        assert_eq!(trial.fetch().unwrap(), paths);
        assert_eq!(trial.cached(), Some(paths));
        assert_eq!(trial.server.take_requests(), [""; 0], "{route:?}: the cache has all");
    }
}

#[test]
fn only_what_the_cache_lacks_is_downloaded() {
    let trial = Trial::new(Route::Direct, Fault::None);
    hub::fetch("ylecun/mnist", "main", &FILES[1..], &trial.options, &mut |_| {}).unwrap();
    assert_eq!(trial.cached(), None);
    trial.server.take_requests();
    trial.is_whole(&trial.fetch().unwrap());
    assert!(trial.server.take_requests().iter().all(|request| request.contains("train-")));
}

#[test]
fn a_cache_filled_by_pythons_library_is_used_for_a_commit_too() {
    let trial = Trial::new(Route::Direct, Fault::None);
    let paths = trial.fetch().unwrap();
    fs::remove_dir_all(trial.cache.path().join("datasets--ylecun--mnist/refs")).unwrap();
    assert_eq!(trial.cached(), None);
    assert_eq!(hub::cached("ylecun/mnist", COMMIT, &FILES, &trial.options), Some(paths));
}

#[test]
fn revision_and_token_are_sent() {
    let mut trial = Trial::new(Route::Direct, Fault::None);
    trial.options.token = Some("hf_secret".to_owned());
    hub::fetch("ylecun/mnist", "refs/pr/2", &FILES, &trial.options, &mut |_| {}).unwrap();
    let requests = trial.server.take_requests();
    assert!(requests.len() >= 4);
    for request in requests {
        assert!(request.starts_with("GET /datasets/ylecun/mnist/resolve/refs%2Fpr%2F2/mnist/t"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer hf_secret"), "{request}");
    }
}

#[test]
fn offline_without_a_cache_asks_nobody() {
    let mut trial = Trial::new(Route::Direct, Fault::None);
    trial.options.offline = true;
    let error = trial.fetch().unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }) && error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("HF_HUB_OFFLINE") && error.to_string().contains(FILES[0]), "{error}");
    assert_eq!(trial.server.take_requests(), [""; 0]);
}

/// Tries, and checks that it was given up soon.
fn failure(trial: &Trial) -> HubError {
    let begin = Instant::now();
    let error = trial.fetch().unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}: {error}", begin.elapsed());
    assert_eq!(trial.cached(), None, "{error}");
    error
}

#[test]
fn a_hub_that_cannot_be_reached_is_given_up_in_time() {
    let mut trial = Trial::new(Route::Direct, Fault::None);
    trial.options.endpoint = Server::nobody();
    let error = failure(&trial);
    assert!(matches!(error, HubError::Unreachable { .. }) && error.is_unreachable(), "{error}");
    trial.options.endpoint = "http://no-such-host.invalid".to_owned();
    let error = failure(&trial);
    assert!(matches!(error, HubError::Unreachable { .. }) && error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");

    for fault in [Fault::Silent, Fault::SilentAfterFirst] {
        let error = failure(&Trial::impatient(Route::Direct, fault));
        assert!(
            matches!(error, HubError::Unreachable { .. }) && error.is_unreachable(),
            "{fault:?}: {error}"
        );
    }
}

#[test]
fn a_download_that_stands_still_is_given_up_in_time() {
    for at in [0, 100_000] {
        let error = failure(&Trial::impatient(Route::Cdn, Fault::StallAt(at)));
        assert!(error.is_unreachable(), "{error}");
        assert!(
            matches!(&error, HubError::Stalled { received, total: 300_000, .. } if (*received > 0) == (at > 0)),
            "{at}: {error}"
        );
    }
}

#[test]
fn refusals_are_told_apart() {
    for (status, unreachable, remedy) in [
        (404, false, "--revision"),
        (401, false, "HF_TOKEN"),
        (403, false, "HF_TOKEN"),
        (418, false, "HF_ENDPOINT"),
        (429, true, "later"),
        (500, true, "later"),
        (503, true, "later"),
    ] {
        let error = failure(&Trial::new(Route::Direct, Fault::Status(status)));
        assert_eq!(error.is_unreachable(), unreachable, "{error}");
        let message = error.to_string();
        for needed in [&status.to_string(), remedy, FILES[0]] {
            assert!(message.contains(needed), "{needed}: {message}");
        }
    }
    let error = failure(&Trial::new(Route::Direct, Fault::Portal));
    assert!(matches!(error, HubError::Protocol { .. }) && !error.is_unreachable(), "{error}");
}

#[test]
fn a_broken_connection_is_an_error_and_the_next_run_goes_on_from_there() {
    for route in [Route::Direct, Route::Cdn] {
        let trial = Trial::new(route, Fault::CutAt(100_000));
        let error = failure(&trial);
        assert!(matches!(error, HubError::Interrupted { total: 300_000, .. }), "{error}");
        assert!(!error.is_unreachable());
        assert_eq!(trial.blobs(), ["etag-300000.part"]);
        trial.server.take_requests();

        trial.server.set_fault(Fault::None);
        trial.is_whole(&trial.fetch().unwrap());
        let requests = trial.server.take_requests();
        assert!(requests.iter().any(|request| request.contains("bytes=100000-")), "{requests:?}");
    }
}

#[test]
fn a_connection_that_breaks_once_is_taken_up_again() {
    let trial = Trial::new(Route::Direct, Fault::CutOnceAt(100_000));
    trial.is_whole(&trial.fetch().unwrap());
}

#[test]
fn a_short_file_is_never_kept_as_whole() {
    let trial = Trial::new(Route::Direct, Fault::CutUnannouncedAt(100_000));
    let error = failure(&trial);
    assert!(matches!(error, HubError::Size { expected: 300_000, found: 100_000, .. }), "{error}");
    assert!(!error.is_unreachable());
    assert_eq!(trial.blobs(), [""; 0]);
    trial.server.set_fault(Fault::None);
    trial.is_whole(&trial.fetch().unwrap());
}

#[test]
fn leftovers_that_cannot_be_continued_are_thrown_away() {
    for (fault, leftover) in [(Fault::IgnoresRange, 1000), (Fault::None, 300_000), (Fault::None, 400_000)] {
        let trial = Trial::new(Route::Direct, fault);
        let blobs = trial.cache.path().join("datasets--ylecun--mnist/blobs");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join("etag-300000.part"), vec![0; leftover]).unwrap();
        trial.is_whole(&trial.fetch().unwrap());
    }
}

#[test]
fn odd_revisions_and_endpoints_are_refused_before_anything_is_asked() {
    let trial = Trial::new(Route::Direct, Fault::None);
    for revision in ["", "..", "../../etc", "a//b", "/etc", "main?x", "a b", ".hidden"] {
        let error = hub::fetch("ylecun/mnist", revision, &FILES, &trial.options, &mut |_| {}).unwrap_err();
        assert!(matches!(error, HubError::Option { .. }) && !error.is_unreachable(), "{revision}: {error}");
        assert_eq!(hub::cached("ylecun/mnist", revision, &FILES, &trial.options), None);
    }
    for endpoint in ["", "huggingface.co", "ftp://x", "https://", "http://a b"] {
        let options = options(trial.cache.path(), endpoint);
        let error = hub::fetch("ylecun/mnist", "main", &FILES, &options, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("HF_ENDPOINT"), "{endpoint}: {error}");
    }
    assert_eq!(trial.server.take_requests(), [""; 0]);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let mut trial = Trial::new(Route::Direct, Fault::None);
    let file = trial.cache.path().join("file");
    fs::write(&file, "in the way").unwrap();
    trial.options.cache = file.join("hub");
    let error = trial.fetch().unwrap_err();
    assert!(matches!(error, HubError::Cache { .. }) && !error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("HF_HOME"), "{error}");
}

#[test]
fn a_large_file_is_held_to_the_checksum_that_is_announced() {
    for (start, fits) in [(b"lfs-good", true), (b"lfs-bad!", false)] {
        let cache = tempfile::tempdir().unwrap();
        let bytes = [&start[..], &[7; 100_000]].concat();
        let files = [("data/train.parquet", bytes.clone())];
        let server = Server::start(&files, Route::Direct, Fault::None);
        let options = options(cache.path(), &server.endpoint);
        let fetched = hub::fetch("ylecun/mnist", "main", &["data/train.parquet"], &options, &mut |_| {});
        if fits {
            assert_eq!(fs::read(&fetched.unwrap()[0]).unwrap(), bytes);
            continue;
        }
        let error = fetched.unwrap_err();
        assert!(matches!(error, HubError::Hash { .. }), "{error}");
        assert!(hub::cached("ylecun/mnist", "main", &["data/train.parquet"], &options).is_none());
    }
}
