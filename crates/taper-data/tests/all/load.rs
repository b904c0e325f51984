use taper_data::{Choice, LoadEvent, LoadOptions, load};

#[test]
fn choices_have_names() {
    for choice in Choice::ALL {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    let error = "cifar".parse::<Choice>().unwrap_err().to_string();
    assert!(error.contains("\"cifar\"") && error.contains("auto, mnist, synthetic"), "{error}");
}

#[test]
fn synthetic_digits_say_what_they_are() {
    let mut options = LoadOptions::new(Choice::Synthetic);
    options.seed_of_synthetic = 3;
    let mut events = Vec::new();
    let loaded = load(&options, &mut |event| events.push(event)).unwrap();
    assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
    let provenance = &loaded.provenance;
    assert_eq!((&*provenance.name, &*provenance.source), ("synthetic", "synthetic:seed=3"));
    assert_eq!((provenance.sha256.len(), &loaded.fallback), (64, &None));
    assert!(matches!(events.last(), Some(LoadEvent::Decoded { train: 60_000, test: 10_000, .. })));
    assert_eq!(
        loaded.train.take(100),
        taper_data::synthetic::digits(100, 3, taper_data::synthetic::Part::Train)
    );
}

#[cfg(feature = "hub")]
mod from_hub {
    use std::path::Path;
    use std::time::Duration;

    use taper_data::hub::HubError;
    use taper_data::{Choice, DataError, Expected, LoadEvent, LoadOptions, Loaded, load};
    use tempfile::TempDir;

    use crate::all::server::{Fault, Route, Server};
    use crate::all::{hub, made};

    const FILES: [&str; 2] = ["mnist/train-00000-of-00001.parquet", "mnist/test-00000-of-00001.parquet"];

    /// The two files that lie below a folder.
    fn files(folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
        FILES.into_iter().map(|name| (name, std::fs::read(folder.join(name)).unwrap())).collect()
    }

    fn made_files() -> Vec<(&'static str, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        made::write_hub(folder.path(), &made::sets());
        files(folder.path())
    }

    struct Trial {
        _cache: TempDir,
        server: Server,
        options: LoadOptions,
    }

    impl Trial {
        fn new(choice: Choice, files: &[(&str, Vec<u8>)], fault: Fault) -> Self {
            let (cache, server) = (tempfile::tempdir().unwrap(), Server::start(files, Route::Cdn, fault));
            let mut options = LoadOptions::new(choice);
            options.expected = made::expected(&made::sets());
            options.hub = hub::options(cache.path(), &server.endpoint);
            Self { _cache: cache, server, options }
        }

        fn load(&self) -> Result<(Loaded, Vec<LoadEvent>), DataError> {
            let mut events = Vec::new();
            load(&self.options, &mut |event| events.push(event)).map(|loaded| (loaded, events))
        }
    }

    #[test]
    fn auto_and_mnist_take_the_hub_and_then_the_cache() {
        for choice in [Choice::Auto, Choice::Mnist] {
            let mut trial = Trial::new(choice, &made_files(), Fault::None);
            let (loaded, events) = trial.load().unwrap();
            let sets = made::sets();
            assert_eq!((&loaded.train, &loaded.test, &loaded.fallback), (&sets.0, &sets.1, &None));
            assert_eq!(loaded.provenance.source, "hub:ylecun/mnist@main");
            let whole = |event: &&LoadEvent| match event {
                LoadEvent::Download { received, total, .. } => received == total,
                _ => false,
            };
            assert_eq!(events.iter().filter(whole).count(), 2);

            trial.server.take_requests();
            trial.options.hub.offline = true;
            let (again, events) = trial.load().unwrap();
            assert_eq!((&again.train, &again.provenance), (&loaded.train, &loaded.provenance));
            assert_eq!(trial.server.take_requests(), [""; 0]);
            assert!(!events.iter().any(|event| matches!(event, LoadEvent::Download { .. })));
        }
    }

    #[test]
    fn auto_falls_back_when_the_hub_is_out_of_reach_and_mnist_insists() {
        let mut trial = Trial::new(Choice::Auto, &made_files(), Fault::Silent);
        trial.options.hub.connect_timeout = Duration::from_millis(500);
        let (loaded, events) = trial.load().unwrap();
        assert_eq!((&*loaded.provenance.name, loaded.train.len()), ("synthetic", 60_000));
        let reason = loaded.fallback.unwrap();
        assert!(reason.contains(&trial.server.endpoint), "{reason}");
        assert!(events.contains(&LoadEvent::FellBack { reason }));

        trial.options.choice = Choice::Mnist;
        trial.options.hub.stall_timeout = Duration::from_millis(500);
        for fault in [Fault::Silent, Fault::StallAt(10), Fault::Status(503)] {
            trial.server.set_fault(fault);
            let error = trial.load().unwrap_err();
            // These are the errors at which `auto` falls back.
            assert!(matches!(&error, DataError::Hub(error) if error.is_unreachable()), "{fault:?}: {error}");
        }
        trial.options.hub.offline = true;
        assert!(matches!(trial.load(), Err(DataError::Hub(HubError::Offline { .. }))));
    }

    #[test]
    fn what_was_reached_but_is_wrong_never_falls_back() {
        let garbage: Vec<_> = FILES.into_iter().map(|name| (name, vec![7; 5000])).collect();
        let mut swapped = made_files();
        let (train, test) = (swapped[0].1.clone(), swapped[1].1.clone());
        (swapped[0].1, swapped[1].1) = (test, train);
        for (files, fault) in [
            (made_files(), Fault::Status(404)),
            (made_files(), Fault::Status(401)),
            (made_files(), Fault::CutAt(1000)),
            (made_files(), Fault::CutUnannouncedAt(1000)),
            (made_files(), Fault::Portal),
            (garbage, Fault::None),
            (swapped, Fault::None),
        ] {
            let trial = Trial::new(Choice::Auto, &files, fault);
            let error = trial.load().map(|(loaded, _)| loaded.provenance).unwrap_err();
            assert!(error.to_string().len() > 40, "{error}");
        }
    }

    #[test]
    fn a_damaged_or_foreign_file_in_the_cache_is_refused_by_path() {
        let mut trial = Trial::new(Choice::Auto, &made_files(), Fault::None);
        trial.load().unwrap();
        trial.options.expected = Expected::default();
        let error = trial.load().unwrap_err();
        assert!(matches!(error, DataError::Hash { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("snapshots") && message.contains("delete it from the cache"), "{message}");

        let path = trial.options.hub.cache.join("datasets--ylecun--mnist/blobs");
        for entry in std::fs::read_dir(path).unwrap() {
            std::fs::write(entry.unwrap().path(), "damaged").unwrap();
        }
        let error = trial.load().unwrap_err();
        assert!(matches!(error, DataError::Parquet(_)), "{error}");
        assert!(error.to_string().contains("snapshots"), "{error}");
    }

    #[test]
    fn mnist_itself_comes_through_the_hub() {
        let Some(data) = made::real_data() else { return };
        let files = files(&data.join("hub/datasets/ylecun/mnist"));
        let mut trial = Trial::new(Choice::Mnist, &files, Fault::None);
        trial.options.expected = Expected::default();
        let (loaded, _) = trial.load().unwrap();
        assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
        assert_eq!(
            (&*loaded.provenance.name, &*loaded.provenance.source),
            ("mnist", "hub:ylecun/mnist@main")
        );
    }
}
