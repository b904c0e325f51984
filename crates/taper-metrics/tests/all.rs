//! Hand-made cases, properties against naive definitions, and scikit-learn's answers.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/cases.rs"]
mod cases;
#[path = "all/naive.rs"]
mod naive;
#[path = "all/scikit_learn.rs"]
mod scikit_learn;
