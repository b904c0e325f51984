//! Every kernel against its definition in f64 over random shapes, and the optimisers against PyTorch.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/activation.rs"]
mod activation;
#[path = "all/conv.rs"]
mod conv;
#[path = "all/lengths.rs"]
mod lengths;
#[path = "all/linear.rs"]
mod linear;
#[path = "all/loss.rs"]
mod loss;
#[path = "all/norm.rs"]
mod norm;
#[path = "all/optimizer.rs"]
mod optimizer;
#[path = "all/pool.rs"]
mod pool;
#[path = "all/support.rs"]
mod support;
#[path = "all/threads.rs"]
mod threads;
