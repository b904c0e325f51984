//! The demo page of an image classifier: one draws on it, and the network's ONNX file answers in the browser.
//!
//! The page needs no network and asks nobody: it is HTML, CSS and JavaScript of this crate, the ONNX file, and
//! [onnxruntime-web](https://www.npmjs.com/package/onnxruntime-web), which runs it. [`Page`] joins them: it writes them
//! as a folder for any web server, or [`Server`] serves them to this machine alone. [`Runtime`] is onnxruntime-web: one
//! version, known by its checksums, from the npm registry, from the cache, or from a folder.
//!
//! What the page has to know of the network is a [`Network`], given as plain values; it does not read ONNX. What can fail
//! without the runtime does so before it is downloaded:
//!
//! ```no_run
//! # fn example(network: taper_demo::Network) -> Result<(), taper_demo::DemoError> {
//! use taper_demo::{Page, Runtime, RuntimeOptions, Server};
//!
//! let page = Page::new(&network, "lenet5.onnx")?;
//! let server = Server::bind(None)?;
//! let runtime = Runtime::get(&RuntimeOptions::from_env(), &mut |_| ())?;
//! println!("http://{}/", server.address());
//! server.run(&page, &runtime);
//! # }
//! ```

#[cfg(feature = "download")]
mod download;
mod error;
mod folder;
mod network;
mod page;
mod request;
mod runtime;
mod server;

#[cfg(test)]
mod tests;

pub use error::DemoError;
pub use network::{Answer, Drawing, Element, Input, Layout, Network, Output, Sample};
pub use page::Page;
pub use runtime::{Progress, Runtime, RuntimeOptions};
pub use server::{DEFAULT_PORT, Server};
