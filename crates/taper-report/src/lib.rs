//! The model card of a training run
