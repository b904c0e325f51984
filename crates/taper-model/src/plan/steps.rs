//! The kinds of steps, one a file.

pub(crate) mod conv;
pub(crate) mod elementwise;
pub(crate) mod kernel;
pub(crate) mod linear;
pub(crate) mod merge;
pub(crate) mod norm;
pub(crate) mod normalize;
pub(crate) mod plain;
pub(crate) mod pool;
pub(crate) mod weight;
