//! CPU kernels for training convolutional networks
