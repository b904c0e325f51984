//! [`Runtime`]: onnxruntime-web, of one version, known by its checksums.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::DemoError;

/// A package of the npm registry, and what is needed of it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) version: &'static str,
    /// Its place in the registry.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(crate) path: &'static str,
    /// Its size.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(crate) bytes: u64,
    /// Its SHA-512, as in the registry's `integrity` but in hexadecimal.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    pub(crate) sha512: &'static str,
    pub(crate) script: PackageFile,
    pub(crate) wasm: PackageFile,
}

/// A file of the package's folder `dist`.
#[derive(Debug)]
pub(crate) struct PackageFile {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
}

impl Package {
    #[cfg(feature = "download")]
    pub(crate) fn files(&self) -> [&PackageFile; 2] {
        [&self.script, &self.wasm]
    }

    /// Where its files are in the cache.
    pub(crate) fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(format!("onnxruntime-web-{}", self.version))
    }
}

/// The build for WebAssembly alone, on the CPU: one script and one binary. The other builds, with WebGPU, are twice as
/// large and gain nothing on networks of this size.
pub(crate) const ONNXRUNTIME_WEB: Package = Package {
    version: "1.30.0",
    path: "onnxruntime-web/-/onnxruntime-web-1.30.0.tgz",
    bytes: 33_106_585,
    sha512: "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca\
             590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61",
    script: PackageFile {
        name: "ort.wasm.bundle.min.mjs",
        bytes: 73_054,
        sha256: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    },
    wasm: PackageFile {
        name: "ort-wasm-simd-threaded.wasm",
        bytes: 14_239_897,
        sha256: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    },
};

/// Where onnxruntime-web comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeOptions {
    /// A folder that has it, as npm unpacks it; `None` takes it from the cache, or else from the registry.
    pub folder: Option<PathBuf>,
    /// The folder of downloads; by default what `TAPER_CACHE` names, or else `taper` in `XDG_CACHE_HOME` or in `~/.cache`. `None`
    /// where there is none of these: then `folder` is needed.
    pub cache: Option<PathBuf>,
    /// The npm registry (`NPM_CONFIG_REGISTRY`, as npm has it); `https://registry.npmjs.org` by default.
    pub registry: String,
    /// A PEM file with the certificates to trust in place of Mozilla's (`SSL_CERT_FILE`, as OpenSSL and cargo have it): for
    /// networks whose proxy signs with its own.
    pub certificates: Option<PathBuf>,
    /// Longest wait for the registry's first answer; 15 s by default.
    pub connect_timeout: Duration,
    /// Longest time that a download may bring no byte; 15 s by default.
    pub stall_timeout: Duration,
}

impl RuntimeOptions {
    /// A given cache, and the public registry.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            folder: None,
            cache: Some(cache.into()),
            registry: "https://registry.npmjs.org".to_owned(),
            certificates: None,
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(15),
        }
    }

    /// What the environment says: `TAPER_CACHE`, `XDG_CACHE_HOME`, `NPM_CONFIG_REGISTRY` and `SSL_CERT_FILE`.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(&|name| std::env::var_os(name), std::env::home_dir())
    }

    pub(crate) fn from_vars(var: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        // An empty variable counts as unset.
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let home = home.filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(".cache"));
        let shared = var("XDG_CACHE_HOME").map(PathBuf::from).or(home);
        let mut options = Self::new("");
        // No folder that all users share would do: what lies there could be anyone's.
        options.cache =
            var("TAPER_CACHE").map(PathBuf::from).or_else(|| shared.map(|cache| cache.join("taper")));
        let registry = var("NPM_CONFIG_REGISTRY").or_else(|| var("npm_config_registry"));
        if let Some(registry) = registry {
            options.registry = registry.to_string_lossy().trim().trim_end_matches('/').to_owned();
        }
        options.certificates = var("SSL_CERT_FILE").map(PathBuf::from);
        options
    }

    /// The address of the registry as it may be shown: without a name and password in it.
    ///
    /// ```
    /// let mut options = taper_demo::RuntimeOptions::new("cache");
    /// options.registry = "https://me:secret@npm.example/all".to_owned();
    /// assert_eq!(options.shown_registry(), "https://npm.example/all");
    /// ```
    #[must_use]
    pub fn shown_registry(&self) -> String {
        let Some((scheme, rest)) = self.registry.split_once("://") else { return self.registry.clone() };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
    }

    /// With the runtime in this folder, if there is one.
    #[must_use]
    pub fn folder(self, folder: Option<PathBuf>) -> Self {
        Self { folder, ..self }
    }
}

/// How far the download of the runtime is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

/// onnxruntime-web, whole and unchanged: its bytes, so that nothing can change them after they were checked.
///
/// Cloning it copies no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    pub(crate) script: Bytes,
    pub(crate) wasm: Bytes,
}

/// The bytes of a file, shared.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Arc<[u8]>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Runtime {
    /// The version of onnxruntime-web.
    pub const VERSION: &'static str = ONNXRUNTIME_WEB.version;

    /// Gets the runtime from where `options` say: a folder, the cache, or the npm registry, and checks it.
    ///
    /// `progress` is called before a download begins and as it goes on. Only whole files are ever put into the cache.
    ///
    /// # Errors
    /// [`DemoError`], which names the folder, the file or the address, and the remedy.
    ///
    /// ```
    /// use taper_demo::{DemoError, Runtime, RuntimeOptions};
    ///
    /// let options = RuntimeOptions::new("cache").folder(Some("no/such/folder".into()));
    /// let error = Runtime::get(&options, &mut |_| ()).unwrap_err();
    /// assert!(matches!(error, DemoError::NoRuntime { .. }));
    /// ```
    pub fn get(options: &RuntimeOptions, progress: &mut dyn FnMut(Progress)) -> Result<Self, DemoError> {
        Self::get_package(&ONNXRUNTIME_WEB, options, progress)
    }

    pub(crate) fn get_package(
        package: &'static Package,
        options: &RuntimeOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, DemoError> {
        if let Some(folder) = &options.folder {
            return Self::open(package, folder);
        }
        let folder = package.folder(options.cache.as_deref().ok_or(DemoError::NoCache)?);
        // A file that was changed in the cache is like one that is not there.
        match Self::open(package, &folder) {
            Ok(runtime) => return Ok(runtime),
            Err(DemoError::NoRuntime { .. } | DemoError::OtherRuntime { .. }) => {}
            Err(error) => return Err(error),
        }
        fetch(package, options, &folder, progress)?;
        Self::open(package, &folder)
    }

    /// The runtime in a folder: the package, its folder `dist`, or a folder with the files alone.
    fn open(package: &'static Package, folder: &Path) -> Result<Self, DemoError> {
        let find = |file: &'static PackageFile| -> Result<Bytes, DemoError> {
            let places = ["", "dist", "package/dist", "node_modules/onnxruntime-web/dist"];
            let mut paths = places.iter().map(|place| folder.join(place).join(file.name));
            let path = paths.find(|path| path.is_file()).ok_or_else(|| DemoError::NoRuntime {
                folder: folder.to_owned(),
                file: file.name,
                version: package.version,
            })?;
            file.read(&path, package.version)
        };
        Ok(Self { script: find(&package.script)?, wasm: find(&package.wasm)? })
    }
}

impl PackageFile {
    /// Reads the file at `path`, which has to be this one.
    fn read(&self, path: &Path, version: &'static str) -> Result<Bytes, DemoError> {
        let mut content = Vec::new();
        // Of a file of another size no more is read than it takes to know that.
        File::open(path)
            .and_then(|file| file.take(self.bytes + 1).read_to_end(&mut content))
            .map_err(|cause| DemoError::Read { path: path.to_owned(), cause })?;
        let found = hex(&Sha256::digest(&content));
        if content.len() as u64 == self.bytes && found == self.sha256 {
            return Ok(Bytes(content.into()));
        }
        let problem = if content.len() as u64 == self.bytes {
            format!("its SHA-256 is {found}, not {}", self.sha256)
        } else {
            format!("it has not {} bytes", self.bytes)
        };
        Err(DemoError::OtherRuntime { path: path.to_owned(), version, problem })
    }
}

#[cfg(feature = "download")]
use crate::download::fetch;

#[cfg(not(feature = "download"))]
fn fetch(
    _: &Package,
    _: &RuntimeOptions,
    folder: &Path,
    _: &mut dyn FnMut(Progress),
) -> Result<(), DemoError> {
    Err(DemoError::NoDownload { cache: folder.to_owned() })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
