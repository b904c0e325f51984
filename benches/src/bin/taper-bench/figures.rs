//! The figures of a measurement.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::options::Options;

/// Steps that are not timed.
const WARM_UP: usize = 3;

/// Calls `step` as often as the options say; gives the line of figures.
pub(crate) fn time(
    options: &Options,
    version: &str,
    mut step: impl FnMut() -> Outcome<f64>,
) -> Outcome<String> {
    let mut losses = Vec::new();
    for _ in 0..if options.steps > 1 { WARM_UP } else { 0 } {
        losses.push(step()?);
    }
    let mut times: Vec<Duration> = Vec::new();
    let start = Instant::now();
    while times.is_empty() || times.len() < options.steps && start.elapsed().as_secs_f64() < options.seconds {
        let before = Instant::now();
        losses.push(step()?);
        times.push(before.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let steps = times.len();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    let loss = last.iter().sum::<f64>() / last.len() as f64;
    let loss = if options.training { format!(", \"loss\": {loss}") } else { String::new() };
    Ok(format!(
        "{{\"images_per_second\": {}, \"step_ms_median\": {}, \"step_ms_best\": {}, \"steps\": {steps}{loss}, \
         \"version\": \"{version}\"}}",
        (steps * options.batch) as f64 / seconds,
        milliseconds(times[steps / 2]),
        milliseconds(times[0]),
    ))
}
