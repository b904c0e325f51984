//! [`HubOptions`]: where the Hub is, where its cache is, and how patient to be.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The environment variables that all of Hugging Face's libraries know, and two time limits.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubOptions {
    /// Address of the Hub (`HF_ENDPOINT`); `https://huggingface.co` by default.
    pub endpoint: String,
    /// Folder of the cache (`HF_HUB_CACHE`, or `hub` in `HF_HOME`); `~/.cache/huggingface/hub` by default.
    pub cache: PathBuf,
    /// Access token (`HF_TOKEN`, or the file `token` in `HF_HOME`); not needed for public datasets.
    pub token: Option<String>,
    /// Use the cache only (`HF_HUB_OFFLINE` is 1, true, yes or on).
    pub offline: bool,
    /// Longest wait for the Hub's first answer, name look-up and connection included; 8 s by default.
    pub connect_timeout: Duration,
    /// Longest time that a download may bring no byte; 10 s by default.
    pub stall_timeout: Duration,
}

impl HubOptions {
    /// The public Hub, a given cache, no token.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            cache: cache.into(),
            token: None,
            offline: false,
            connect_timeout: Duration::from_secs(8),
            stall_timeout: Duration::from_secs(10),
        }
    }

    /// What the environment says: `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_HUB_OFFLINE` and `XDG_CACHE_HOME`, with the meaning they have in Python's `huggingface_hub`.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(&|name| std::env::var_os(name), std::env::home_dir())
    }

    fn from_vars(var: &dyn Fn(&str) -> Option<OsString>, user: Option<PathBuf>) -> Self {
        // An empty variable counts as unset, as in a shell's `${X:-default}`.
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let text = |name: &str| var(name).map(|value| value.to_string_lossy().trim().to_owned());
        let path = |name: &str| var(name).map(PathBuf::from);
        let home = path("HF_HOME").unwrap_or_else(|| {
            let cache = path("XDG_CACHE_HOME").or_else(|| user.map(|user| user.join(".cache")));
            cache.unwrap_or_else(std::env::temp_dir).join("huggingface")
        });
        let mut options = Self::new(path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")));
        if let Some(endpoint) = text("HF_ENDPOINT") {
            options.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        options.token = text("HF_TOKEN")
            .or_else(|| Some(std::fs::read_to_string(token_file).ok()?.trim().to_owned()))
            .filter(|token| !token.is_empty());
        options.offline = text("HF_HUB_OFFLINE")
            .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on"));
        options
    }
}

impl Default for HubOptions {
    fn default() -> Self {
        Self::from_env()
    }
}

impl fmt::Debug for HubOptions {
    // The token is a secret and stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .field("connect_timeout", &self.connect_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> HubOptions {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        HubOptions::from_vars(&find, Some(PathBuf::from("/home/me")))
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        for (vars, cache) in [
            (&[][..], "/home/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")][..], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")][..], "/h/hub"),
            (&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")][..], "/c"),
            (&[("HF_HOME", "")][..], "/home/me/.cache/huggingface/hub"),
        ] {
            assert_eq!(from(vars).cache, PathBuf::from(cache), "{vars:?}");
        }
    }

    #[test]
    fn offline_is_a_switch_with_four_spellings() {
        for (value, offline) in [
            ("1", true),
            ("true", true),
            ("YES", true),
            ("On", true),
            ("0", false),
            ("", false),
            ("no", false),
        ] {
            assert_eq!(from(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value:?}");
        }
        assert!(!from(&[]).offline);
    }

    #[test]
    fn endpoint_and_token_are_taken_and_the_token_is_not_shown() {
        let options = from(&[("HF_ENDPOINT", "http://mirror.example/"), ("HF_TOKEN", " hf_secret\n")]);
        assert_eq!(options.endpoint, "http://mirror.example");
        assert_eq!(options.token.as_deref(), Some("hf_secret"));
        assert!(!format!("{options:?}").contains("hf_secret"));
        assert_eq!(from(&[]).endpoint, "https://huggingface.co");

        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "from-a-file\n").unwrap();
        let home = home.path().to_str().unwrap();
        assert_eq!(from(&[("HF_HOME", home)]).token.as_deref(), Some("from-a-file"));
        assert_eq!(from(&[("HF_HOME", home), ("HF_TOKEN", "t")]).token.as_deref(), Some("t"));
    }
}
