//! Image-classification datasets as u8 images and labels
