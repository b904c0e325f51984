//! [`DemoError`]: why there is no demo page.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use taper_files::WriteError;

/// Why the page cannot be made, written or served. Every message names the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A file of the page cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file that belongs to the page cannot be read.
    #[error("cannot read {}: {cause}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// The file of the network, or one of its weights, is a folder, a link, or another thing that is not read like a file.
    #[error("{} is no regular file; put the file itself there", path.display())]
    NoFile {
        /// Its path.
        path: PathBuf,
    },
    /// The folder for the page holds other things.
    #[error(
        "{} holds {stranger}, which is no part of a demo page; choose a new folder, or an empty one",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        stranger: String,
    },
    /// The network cannot be asked for what is drawn.
    #[error("the page cannot use this network: {problem}")]
    Network {
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// The folder given for the runtime lacks a file of it.
    #[error(
        "{} holds no {file}; give the folder of onnxruntime-web {version}, as npm unpacks it, or leave it out",
        folder.display()
    )]
    NoRuntime {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        file: &'static str,
        /// The version that the page was made for.
        version: &'static str,
    },
    /// A file of the runtime is another one.
    #[error(
        "{} is not the file of onnxruntime-web {version}: {problem}; give that version, or leave it out",
        path.display()
    )]
    OtherRuntime {
        /// The file.
        path: PathBuf,
        /// The version that the page was made for.
        version: &'static str,
        /// What differs.
        problem: String,
    },
    /// There is no folder for downloads.
    #[error(
        "there is no home folder to keep onnxruntime-web in; name a folder in XDG_CACHE_HOME, or give that of \
         onnxruntime-web with --runtime"
    )]
    NoCache,
    /// The program was built without the feature `download`, and the runtime is not in the cache.
    #[error(
        "this program was built without downloads, and onnxruntime-web is not in the cache {}; give its folder with \
         --runtime", cache.display()
    )]
    NoDownload {
        /// The cache.
        cache: PathBuf,
    },
    /// The npm registry does not answer.
    #[error(
        "{url} cannot be reached: {cause}; check the network, the proxy variables, NPM_CONFIG_REGISTRY and SSL_CERT_FILE, \
         or give the folder of onnxruntime-web with --runtime"
    )]
    Unreachable {
        /// The package's address.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The file of certificates has none.
    #[error("{} holds no certificate in PEM; correct SSL_CERT_FILE, or unset it", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
    },
    /// The npm registry answers with something else.
    #[error(
        "{url} answers with HTTP status {status}; check NPM_CONFIG_REGISTRY, try again later, or give the folder of \
         onnxruntime-web with --runtime"
    )]
    Status {
        /// The package's address.
        url: String,
        /// Status of the answer.
        status: u16,
    },
    /// The package did not come whole.
    #[error(
        "the download of {url} broke off after {received} of {total} bytes ({cause}); nothing of it is kept: run it again"
    )]
    Cut {
        /// The package's address.
        url: String,
        /// Bytes that came.
        received: u64,
        /// Bytes in all.
        total: u64,
        /// What went wrong.
        cause: String,
    },
    /// The download came to a stop.
    #[error(
        "the download of {url} stood still for {} s after {received} of {total} bytes; nothing of it is kept: check the \
         network and run it again", limit.as_secs_f32()
    )]
    Stalled {
        /// The package's address.
        url: String,
        /// Bytes that came.
        received: u64,
        /// Bytes in all.
        total: u64,
        /// How long nothing came.
        limit: Duration,
    },
    /// What came is not the package.
    #[error(
        "what {url} gave is not the package that was published ({problem}); nothing of it is kept: check \
         NPM_CONFIG_REGISTRY and the proxy, or give the folder of onnxruntime-web with --runtime"
    )]
    OtherPackage {
        /// The package's address.
        url: String,
        /// What differs.
        problem: String,
    },
    /// The port is taken, or may not be used.
    #[error("cannot listen on 127.0.0.1:{port}: {cause}; give another --port, or 0 for any that is free")]
    Port {
        /// The port.
        port: u16,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
}
