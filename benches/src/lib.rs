//! Shared set-up of the benchmarks in `benches/`.
