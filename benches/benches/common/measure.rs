//! Wall time, whose throughput says what it counts.

use std::time::{Duration, Instant};

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Wall time. Where criterion counts "elements" a second, it counts what the benchmark's elements are.
pub(crate) struct Counted(&'static [(f64, &'static str)]);

/// Elements are floating-point operations, two for each multiply-add.
#[allow(dead_code, reason = "each benchmark compiles this file, and has one unit")]
pub(crate) const OPERATIONS: Counted =
    Counted(&[(1e9, "GFLOP/s"), (1e6, "MFLOP/s"), (1e3, "kFLOP/s"), (1.0, " FLOP/s")]);

/// Elements are images.
#[allow(dead_code, reason = "each benchmark compiles this file, and has one unit")]
pub(crate) const IMAGES: Counted = Counted(&[(1.0, "images/s")]);

impl Measurement for Counted {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        WallTime.start()
    }

    fn end(&self, start: Instant) -> Duration {
        WallTime.end(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        WallTime.add(a, b)
    }

    fn zero(&self) -> Duration {
        WallTime.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Counted {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let Throughput::Elements(count) = throughput else {
            return WallTime.formatter().scale_throughputs(typical, throughput, values);
        };
        let rate = |nanoseconds: f64| *count as f64 * 1e9 / nanoseconds;
        let fits = |(size, _): &&(f64, &str)| rate(typical) >= *size;
        let (size, unit) = self.0.iter().find(fits).unwrap_or(&self.0[self.0.len() - 1]);
        values.iter_mut().for_each(|value| *value = rate(*value) / size);
        unit
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
