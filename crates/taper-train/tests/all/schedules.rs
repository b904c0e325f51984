//! `fixtures/schedules.json`: the rates that PyTorch's schedulers give.

use std::path::Path;

use serde::Deserialize;
use taper_train::{OneCycle, Schedule, cosine_annealing};

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    schedule: String,
    steps: usize,
    options: Options,
    lr: Vec<f64>,
}

#[derive(Deserialize)]
struct Options {
    lr: Option<f64>,
    eta_min: Option<f64>,
    max_lr: Option<f64>,
    pct_start: Option<f64>,
    div_factor: Option<f64>,
    final_div_factor: Option<f64>,
}

impl Case {
    /// Our rate, and that of the schedule by name where the case has its default settings.
    fn rates(&self, step: usize) -> (f64, Option<f64>) {
        let options = &self.options;
        if self.schedule == "cosine" {
            let (base, eta_min) = (options.lr.unwrap(), options.eta_min.unwrap());
            let named = (eta_min == 0.0).then(|| Schedule::Cosine.rate(base, step, self.steps));
            return (cosine_annealing(base, eta_min, step, self.steps), named);
        }
        assert_eq!(self.schedule, "one_cycle");
        let cycle = OneCycle {
            max_lr: options.max_lr.unwrap(),
            pct_start: options.pct_start.unwrap(),
            div_factor: options.div_factor.unwrap(),
            final_div_factor: options.final_div_factor.unwrap(),
        };
        let default = cycle == OneCycle::new(cycle.max_lr);
        (
            cycle.rate(step, self.steps),
            default.then(|| Schedule::OneCycle.rate(cycle.max_lr, step, self.steps)),
        )
    }
}

#[test]
fn every_rate_is_pytorchs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/schedules.json");
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut failures, mut rates, mut named) = (Vec::new(), 0, 0);
    for case in &fixture.cases {
        assert_eq!(case.lr.len(), case.steps);
        for (step, &expected) in case.lr.iter().enumerate() {
            let (found, by_name) = case.rates(step);
            rates += 1;
            named += usize::from(by_name.is_some());
            let wrong = |rate: &f64| (rate - expected).abs() > 1e-12 * case.lr[0] + 1e-10 * expected.abs();
            for rate in by_name.iter().chain([&found]).filter(|rate| wrong(rate)) {
                failures.push(format!("{} step {step}: {rate}, not {expected}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(rates > 400 && named > 200, "{rates} {named}");
}

#[test]
fn short_runs_have_sane_rates() {
    for schedule in Schedule::ALL {
        for steps in 1..40 {
            let rates: Vec<f64> = (0..steps).map(|step| schedule.rate(0.5, step, steps)).collect();
            assert!(rates.iter().all(|rate| *rate > 0.0 && *rate <= 0.5 + 1e-12), "{schedule} {rates:?}");
        }
    }
}

#[test]
fn names_are_those_of_the_configuration_file() {
    for schedule in Schedule::ALL {
        assert_eq!(serde_json::to_value(schedule).unwrap(), schedule.name());
        assert_eq!(schedule.to_string(), schedule.name());
    }
}

#[test]
fn a_line_falls_in_equal_steps_and_a_warm_up_rises_in_equal_steps() {
    let line = |step| Schedule::Linear.rate(2.0, step, 8);
    assert_eq!((0..=8).map(line).collect::<Vec<_>>(), [2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.0]);
    for schedule in Schedule::ALL {
        let rates: Vec<f64> = (0..30).map(|step| schedule.warmed_rate(0.1, 3.0, step, 30)).collect();
        assert_eq!(rates[..3], [1.0, 2.0, 3.0], "{schedule}");
        let rest: Vec<f64> = (0..27).map(|step| schedule.rate(3.0, step, 27)).collect();
        assert_eq!(rates[3..], rest, "{schedule}");
        assert_eq!(schedule.warmed_rate(0.0, 3.0, 7, 30), schedule.rate(3.0, 7, 30), "{schedule}");
    }
}
