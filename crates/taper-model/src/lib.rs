//! A taper graph as a trainable candle module
