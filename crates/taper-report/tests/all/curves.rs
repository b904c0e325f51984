//! The curves of a run, in its plots.

use taper_graph::Preset;
use taper_report::{Curves, Report, ReportParts, StepPoint};

use crate::look::texts;
use crate::markup::{Element, elements};
use crate::mnist;
use crate::report::curves;

#[test]
fn curves_are_raw_values_their_moving_mean_and_the_validation() {
    let noise = |step: usize| if step.is_multiple_of(2) { 0.2 } else { 0.0 };
    let steps = (1..=400_usize).map(|step| StepPoint {
        epoch: step.div_ceil(200),
        step,
        loss: 0.5 + noise(step),
        accuracy: 0.5 + noise(step),
        learning_rate: 1e-3,
    });
    let mut parts = ReportParts::default();
    parts.curves = Curves { steps: steps.collect(), ..curves() };
    let graph = Preset::Tutorial.graph().unwrap();
    let plots = Report::new(&graph, mnist(), parts).plots().unwrap();
    for name in ["loss", "accuracy"] {
        let svg = plots.iter().find(|plot| plot.name() == name).unwrap().svg();
        let texts: Vec<String> = texts(&svg).into_iter().map(|(.., text)| text).collect();
        for line in ["training", "training, smoothed", "validation"] {
            assert!(texts.iter().any(|text| text == line), "{name}: {line} is not in {texts:?}");
        }
        let all = elements(&svg);
        let heights = |line: &Element| {
            let ys = line.get("points").unwrap().split(' ').map(|point| point.split_once(',').unwrap().1);
            let ys: Vec<f32> = ys.map(|y| y.parse().unwrap()).collect();
            let last = &ys[ys.len() / 4..ys.len() * 3 / 4];
            last.iter().copied().fold(f32::MIN, f32::max) - last.iter().copied().fold(f32::MAX, f32::min)
        };
        let long = |line: &&Element| line.get("points").is_some_and(|points| points.split(' ').count() > 50);
        let [raw, smooth] = all.iter().filter(long).map(heights).collect::<Vec<_>>()[..] else {
            panic!("{name}: not two lines of training")
        };
        assert!(raw > 20.0 && smooth < raw / 3.0, "{name}: {raw} raw, {smooth} smoothed");
        assert_eq!(all.iter().filter(|e| e.name == "circle").count(), 2, "{name}: one for each validation");
    }
}
