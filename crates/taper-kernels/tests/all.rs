//! Every kernel against the naive f64 oracle over random shapes.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/activation.rs"]
mod activation;
#[path = "all/conv.rs"]
mod conv;
#[path = "all/linear.rs"]
mod linear;
#[path = "all/loss.rs"]
mod loss;
#[path = "all/norm.rs"]
mod norm;
#[path = "all/pool.rs"]
mod pool;
#[path = "all/support.rs"]
mod support;
