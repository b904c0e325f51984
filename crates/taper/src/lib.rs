//! Train an image classifier in pure Rust and ship it as ONNX
