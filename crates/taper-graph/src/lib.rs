//! Network architecture as data: typed ops, shape inference, presets
