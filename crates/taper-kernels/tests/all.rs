//! Every kernel against its definition in f64 over random shapes, and the optimisers against PyTorch.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/absurd.rs"]
mod absurd;
#[path = "all/activation.rs"]
mod activation;
#[path = "all/blocked/direct.rs"]
mod blocked_direct;
#[path = "all/blocked/elementwise.rs"]
mod blocked_elementwise;
#[path = "all/blocked/epilogue.rs"]
mod blocked_epilogue;
#[path = "all/blocked/linear.rs"]
mod blocked_linear;
#[path = "all/blocked/norm.rs"]
mod blocked_norm;
#[path = "all/blocked/pool.rs"]
mod blocked_pool;
#[path = "all/blocked/sparse.rs"]
mod blocked_sparse;
#[path = "all/blocked/winograd.rs"]
mod blocked_winograd;
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
