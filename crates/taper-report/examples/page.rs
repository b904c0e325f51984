//! `page FOLDER`: writes a report out of plain values into a folder: of twelve classes with long names, and images in colour.
#![allow(clippy::print_stdout, reason = "a program speaks on its standard streams")]

use std::error::Error;
use std::path::PathBuf;

use taper_graph::{BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op};
use taper_metrics::{Evaluation, Evaluator};
use taper_report::{
    Curves, DataFacts, EpochPoint, Explanation, ExportFacts, Maps, Picture, Report, ReportParts, Sample,
    Speed, SplitSizes, StepPoint,
};

const CLASSES: [&str; 12] = [
    "articulated lorry with trailer",
    "automobile",
    "black-and-white colobus",
    "container ship",
    "double-decker omnibus",
    "electric locomotive",
    "flat-coated retriever",
    "great crested grebe",
    "hippopotamus",
    "long-distance passenger aeroplane",
    "three-wheeled delivery motorcycle",
    "zebra",
];

/// Width and height of the images.
const SIDE: usize = 32;

/// The steps of an epoch, and the epochs.
const STEPS: usize = 300;
const EPOCHS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: page FOLDER")?);
    let ops = [
        Op::Conv2d(Conv2d::new(24, 5)),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Conv2d(Conv2d::new(48, 5)),
        Op::Relu,
        Op::GlobalAvgPool,
        Op::Flatten,
        Op::Linear(Linear::new(CLASSES.len())),
    ];
    let graph = Graph::sequential("vehicles-and-animals", &[3, SIDE, SIDE], ops)?;
    let data = DataFacts {
        name: "vehicles-and-animals-of-the-national-park".to_owned(),
        source: "folder".to_owned(),
        sha256: "5f".repeat(32),
        license: None,
    };
    let evaluation = evaluation()?;
    let parts = parts(&evaluation).ok_or("the pictures have a wrong size")?;
    let path = folder.join("report.html");
    Report::new(&graph, data, parts).write(&path)?;
    println!("{}", path.display());
    Ok(())
}

/// 1,200 images, some of which are taken for the next class.
fn evaluation() -> Result<Evaluation, Box<dyn Error>> {
    let mut evaluator = Evaluator::new(CLASSES.len());
    for image in 0..1200_usize {
        let truth = image % CLASSES.len();
        let taken = if image % 7 == 0 { truth + image % 5 } else { truth };
        let mut logits = [0.0; CLASSES.len()];
        logits[taken % CLASSES.len()] = 1.0 + (image % 6) as f32;
        evaluator.update(&logits, &[truth])?;
    }
    Ok(evaluator.finish()?)
}

fn parts(evaluation: &Evaluation) -> Option<ReportParts<'_>> {
    let mut parts = ReportParts::default();
    parts.class_names = CLASSES.map(str::to_owned).to_vec();
    parts.splits = Some(SplitSizes { train: 9_600, validation: 1_200, test: 1_200 });
    parts.evaluation = Some(evaluation);
    parts.curves = curves();
    parts.kept_epoch = Some(EPOCHS);
    parts.notes = vec![format!("Training was stopped after {EPOCHS} of 20 epochs.")];
    parts.speed = Some(Speed {
        seconds: 61.5,
        images_per_second: 1249.0,
        threads: 2,
        instruction_set: "avx2".to_owned(),
    });
    parts.export = Some(ExportFacts {
        opset: 17,
        ir_version: 8,
        runtime: "rten 0.27.0".to_owned(),
        verified_images: 1000,
        max_abs_diff: 2.4e-6,
    });
    parts.settings = vec![("optimizer".to_owned(), "adamw".to_owned())];
    parts.config = Some("[train]\nepochs = 20\n".to_owned());
    parts.versions = vec![("Taper".to_owned(), "0.1.0".to_owned())];
    parts.gallery = (0..20).map(|at| sample(at, at % 12, at % 12)).collect::<Option<_>>()?;
    parts.mistakes = (0..12).map(|at| sample(20 + at, at, (at + 5) % 12)).collect::<Option<_>>()?;
    parts.filters = Maps::filters("conv1", [24, 3, 5, 5], waves(24 * 75));
    let maps = |name, count, side| Maps::new(name, [count, side, side], waves(count * side * side));
    parts.features = Some((picture(0)?, vec![maps("relu1", 24, 28)?, maps("relu2", 48, 10)?]));
    Some(parts)
}

fn curves() -> Curves {
    let steps = (1..=EPOCHS * STEPS).map(|step| {
        let progress = step as f64 / (EPOCHS * STEPS) as f64;
        let loss = 2.5 * (-4.0 * progress).exp() * (1.0 + 0.3 * (step as f64).sin());
        StepPoint {
            epoch: (step - 1) / STEPS + 1,
            step,
            loss,
            accuracy: (1.0 - loss / 3.0).clamp(0.0, 1.0),
            learning_rate: 0.001 * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0,
        }
    });
    let epochs = (1..=EPOCHS).map(|epoch| EpochPoint {
        epoch,
        step: epoch * STEPS,
        loss: 1.6 * (-0.3 * epoch as f64).exp(),
        accuracy: 1.0 - 0.6 * (-0.3 * epoch as f64).exp(),
    });
    Curves { steps: steps.collect(), epochs: epochs.collect() }
}

fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at as f32 * 0.37).sin() * (at as f32 * 0.011).cos()).collect()
}

/// A disc of one colour on a ground of another.
fn picture(number: usize) -> Option<Picture> {
    let color = |channel: usize, inside: bool| {
        (40 + (number * 53 + channel * 71 + 97 * usize::from(inside)) % 200) as u8
    };
    let pixels = (0..3 * SIDE * SIDE).map(|at| {
        let (channel, y, x) = (at / (SIDE * SIDE), at / SIDE % SIDE, at % SIDE);
        let [dx, dy] = [x, y].map(|place| place.abs_diff(SIDE / 2));
        color(channel, dx * dx + dy * dy < 100)
    });
    Picture::of_image([3, SIDE, SIDE], &pixels.collect::<Vec<u8>>())
}

fn sample(index: usize, label: usize, taken: usize) -> Option<Sample> {
    let mut probabilities = vec![0.01; CLASSES.len()];
    probabilities[label] = 0.2;
    probabilities[taken] = 0.7;
    let map = |seed: usize| Maps::new("relu2", [1, 10, 10], waves(100 + seed).split_off(seed));
    let reasons = if label == taken { Vec::new() } else { vec![taken, label] };
    let explain = |class| Some(Explanation { class, map: map(class)? });
    let explanations = reasons.into_iter().map(explain).collect::<Option<_>>()?;
    Some(Sample { index, picture: picture(index)?, label, probabilities, explanations })
}
