//! All of the crate's integration tests, in one binary to save link time.
#![allow(clippy::unwrap_used, missing_docs)]

mod all {
    mod any_bytes;
    mod augment;
    mod dataset;
    mod folder;
    #[cfg(feature = "hub")]
    mod hub;
    mod idx;
    #[cfg(unix)]
    mod image_cache;
    mod image_folder;
    mod image_folder_refused;
    mod known;
    mod linear;
    mod load;
    mod made;
    mod parquet;
    mod prepare;
    mod real;
    #[cfg(feature = "hub")]
    mod server;
}
