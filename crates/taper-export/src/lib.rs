//! Export to safetensors and verified ONNX
