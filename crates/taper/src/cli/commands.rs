//! What each word of the program does.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use taper::data::Choice;
use taper::export::onnx::inspect_file;
use taper::model::{Plan, Trainer};
use taper::pipeline::{self, Data, Form, Observer, RunEvent, Start, TrainedRun};
use taper::scores::Evaluation;
use taper::train::Control;
use taper::{Error, ExportMetrics, ModelConfig, RunFolder, newest_run};

use super::args::{Cli, Command, DataArgs, ImageArgs, ModelArgs, OutputArgs, RunArgs, TrainArgs};
use super::compare::compare;
use super::demo::demo;
use super::export::export;
use super::find::find;
use super::predict::predict;
use super::progress::Progress;
use super::ranks::Ranks;
use super::report::report;
use super::{INTERRUPTED, interrupt, shell, terminal};

pub(super) fn run(cli: &Cli, ranks: &Ranks) -> Result<ExitCode, Error> {
    let output = &cli.output;
    match &cli.command {
        Command::Pipeline(args) | Command::Train(args) if ranks.exchange().rank() > 0 => {
            return follow(args, ranks);
        }
        Command::Pipeline(args) => return pipeline(args, ranks, output),
        Command::Train(args) => return train(args, ranks, output),
        Command::Download(args) => download(args, output)?,
        Command::LrFind(args) => return find(args, output),
        Command::Evaluate { run, tta } => evaluate(run, *tta, output)?,
        Command::Export(args) => export(args, output)?,
        Command::Demo(args) => demo(args, output)?,
        Command::Predict { images, run } => predict(images, run.as_deref(), output)?,
        Command::Compare { runs, html } => compare(runs, html.as_deref(), output)?,
        Command::Report(args) => report(args, output)?,
        Command::Summary { model, images, toml, plan } => summary(model, images, [*toml, *plan], output)?,
        Command::Inspect { file } => inspect(file, output)?,
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man { out } => shell::man(out.as_deref())?,
        Command::Reference { run, out } => {
            let folder = find_run(run.run.as_deref())?;
            let _lock = RunFolder::lock_around(out)?;
            let data = data_of(&folder, &run.data, output)?;
            pipeline::reference(&folder, &data, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pipeline(args: &TrainArgs, ranks: &Ranks, output: &OutputArgs) -> Result<ExitCode, Error> {
    let run = train_run(args, Start::Unfinished, ranks, output)?;
    // Ctrl-C may also have come after the last step, and a run that is resumed may have been finished.
    let is_finished =
        run.metrics.test.is_some() && run.metrics.export.is_some() && run.folder.report().exists();
    if interrupt::asked() || is_finished {
        return Ok(finish_training(&run, output));
    }
    let test = pipeline::evaluate(&run.folder, &run.data)?;
    let exported = pipeline::export(&run.folder, &run.data, &run.folder.onnx(), &Form::default())?;
    pipeline::report(&run.folder, &run.data)?;
    let metrics = run.folder.metrics()?;
    if output.json {
        terminal::json(&metrics);
    } else {
        print_training(&run);
        print_scores("test", &test);
        print_export(&exported, &run.folder.onnx(), "test");
        terminal::result(format!("report    {}", run.folder.report().display()));
        terminal::result(format!("run       {}", run.folder.path().display()));
    }
    terminal::warn_of_fallback(&metrics);
    Ok(ExitCode::SUCCESS)
}

fn train(args: &TrainArgs, ranks: &Ranks, output: &OutputArgs) -> Result<ExitCode, Error> {
    Ok(finish_training(&train_run(args, Start::Anew, ranks, output)?, output))
}

/// What a process does that does not lead the run: it works, and says nothing.
fn follow(args: &TrainArgs, ranks: &Ranks) -> Result<ExitCode, Error> {
    let mut observer = Observer {
        data: &mut |_| (),
        run: &mut |event| {
            if let RunEvent::Begins { folder } = event {
                ranks.begin(folder);
            }
        },
        train: &mut |_| {
            interrupt::training(true);
            if interrupt::asked() { Control::Stop } else { Control::Continue }
        },
    };
    let interrupted = pipeline::follow(&args.config()?, ranks.exchange(), &mut observer)?;
    interrupt::training(false);
    Ok(if interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

fn train_run(
    args: &TrainArgs,
    start: Start,
    ranks: &Ranks,
    output: &OutputArgs,
) -> Result<TrainedRun, Error> {
    let config = args.config()?;
    let progress = std::cell::RefCell::new(Progress::new(output.quiet));
    let mut observer = Observer {
        data: &mut |event| progress.borrow_mut().data(event),
        run: &mut |event| {
            if let RunEvent::Begins { folder } = event {
                ranks.begin(folder);
            }
            progress.borrow().run(event);
        },
        train: &mut |event| {
            interrupt::training(true);
            progress.borrow_mut().train(event)
        },
    };
    let run = pipeline::lead(&config, &args.options(start), ranks.exchange(), &mut observer);
    interrupt::training(false);
    progress.borrow().finish();
    run
}

fn finish_training(run: &TrainedRun, output: &OutputArgs) -> ExitCode {
    if output.json {
        terminal::json(&run.metrics);
    } else {
        print_training(run);
        terminal::result(format!("run       {}", run.folder.path().display()));
    }
    terminal::warn_of_fallback(&run.metrics);
    if run.metrics.train.interrupted && !output.quiet {
        terminal::note("the same command with --resume goes on from here");
    }
    if interrupt::asked() { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
}

fn download(args: &DataArgs, output: &OutputArgs) -> Result<(), Error> {
    // Digits drawn in place of a download that failed would be no download.
    let mut config = taper::DataConfig { dataset: Choice::Mnist, ..Default::default() };
    args.apply(&mut config);
    if args.data_dir.is_some() && args.dataset.is_none() {
        config.dataset = Choice::Auto;
    }
    let data = load(&config, output)?;
    let provenance = &data.provenance;
    if output.json {
        terminal::json(&json!({
            "name": provenance.name, "source": provenance.source, "sha256": provenance.sha256,
            "location": provenance.location, "train": data.train.len(), "test": data.test.len(),
            "validation": data.validation.as_ref().map(taper::data::Dataset::len), "skipped": data.skipped,
            "classes": data.train.class_names, "fallback": data.fallback,
        }));
        return Ok(());
    }
    terminal::result(format!("data      {} ({})", provenance.name, provenance.source));
    let validation =
        data.validation.as_ref().map(|part| format!(", {} validation", part.len())).unwrap_or_default();
    terminal::result(format!(
        "images    {} training{validation}, {} test",
        data.train.len(),
        data.test.len()
    ));
    let images = &data.train.images;
    let (channels, height, width) = (images.channels(), images.height(), images.width());
    terminal::result(format!(
        "size      {channels}x{height}x{width}, {} classes",
        data.train.class_names.len()
    ));
    terminal::result(format!("sha256    {}", provenance.sha256));
    if let Some(location) = &provenance.location {
        terminal::result(format!("folder    {}", location.display()));
    }
    Ok(())
}

pub(super) fn load(config: &taper::DataConfig, output: &OutputArgs) -> Result<Data, Error> {
    let mut progress = Progress::new(output.quiet);
    let data = pipeline::load_data(config, &mut |event| progress.data(event));
    progress.finish();
    data
}

/// The data that a run was trained on.
pub(super) fn data_of(folder: &RunFolder, data: &DataArgs, output: &OutputArgs) -> Result<Data, Error> {
    let train = folder.metrics()?.train;
    if train.interrupted {
        terminal::note(format!("note: this run was interrupted after {} whole epochs", train.epochs));
    }
    let mut config = folder.config()?.data;
    data.apply(&mut config);
    load(&config, output)
}

/// The run that was named, or the newest.
pub(super) fn find_run(path: Option<&Path>) -> Result<RunFolder, Error> {
    match path {
        Some(path) => RunFolder::finished(path),
        None => newest_run(Path::new("runs")),
    }
}

fn evaluate(args: &RunArgs, tta: bool, output: &OutputArgs) -> Result<(), Error> {
    let folder = find_run(args.run.as_deref())?;
    let _lock = folder.lock()?;
    let data = data_of(&folder, &args.data, output)?;
    let (test, shifted) = match tta {
        true => pipeline::evaluate_shifted(&folder, &data).map(|[test, shifted]| (test, Some(shifted)))?,
        false => (pipeline::evaluate(&folder, &data)?, None),
    };
    if output.json {
        match &shifted {
            Some(shifted) => terminal::json(&json!({ "test": test, "test_shifted": shifted })),
            None => terminal::json(&test),
        }
        return Ok(());
    }
    print_scores("test", &test);
    if let Some(shifted) = &shifted {
        print_scores("shifted", shifted);
    }
    Ok(())
}

fn summary(
    model: &ModelArgs,
    images: &ImageArgs,
    [toml, plan]: [bool; 2],
    output: &OutputArgs,
) -> Result<(), Error> {
    let config = match &model.model {
        Some(name) => ModelConfig::from_name(name)?,
        None => ModelConfig::default(),
    };
    let mut graph = config.graph()?;
    if let Some(input) = &images.input {
        graph = graph.with_input(input)?;
    }
    if let Some(classes) = images.classes {
        graph = graph.with_classes(classes)?;
    }
    if output.json {
        let layers = graph.nodes().iter().map(|node| {
            let parameters: usize = node.params.iter().filter(|p| p.trainable).map(|p| p.elements()).sum();
            let shape = node.shape.item();
            json!({ "name": node.name, "op": node.op.name(), "output": shape, "parameters": parameters, "multiply_adds": node.macs })
        });
        let layers: Vec<serde_json::Value> = layers.collect();
        terminal::json(&json!({
            "name": graph.name(), "input": graph.input_shape().item(), "layers": layers,
            "parameters": graph.parameter_count(), "multiply_adds": graph.macs(),
        }));
    } else if toml {
        terminal::result(graph.to_toml().trim_end());
    } else if plan {
        Trainer::check(&graph)?;
        terminal::result(Plan::training(&graph)?.explain());
    } else {
        terminal::result(graph.summary());
    }
    Ok(())
}

fn inspect(file: &Path, output: &OutputArgs) -> Result<(), Error> {
    let inspection = inspect_file(file)?;
    if output.json {
        terminal::json(&inspection);
    } else {
        terminal::result(inspection.to_string().trim_end());
    }
    Ok(())
}

fn print_training(run: &TrainedRun) {
    let (dataset, train) = (&run.metrics.dataset, &run.metrics.train);
    terminal::result(format!(
        "data      {}, {} training images\n          {}",
        dataset.name, dataset.train, dataset.source
    ));
    let waited: f64 = train.per_epoch.iter().map(|epoch| epoch.data_seconds).sum();
    terminal::result(format!(
        "training  {} epochs in {:.1} s, {:.0} images/s on {}{} threads,\n          \
         {:.1} % of it waiting for images",
        train.epochs,
        train.seconds,
        train.images_per_second,
        if train.processes > 1 { format!("{} × ", train.processes) } else { String::new() },
        train.threads,
        100.0 * waited / train.seconds.max(f64::MIN_POSITIVE)
    ));
    if let (Some(best), Some(loss), Some(accuracy)) =
        (train.best_epoch, train.validation_loss, train.validation_accuracy)
    {
        terminal::result(format!(
            "best      epoch {best}: validation loss {loss:.4}, accuracy {:.2} %",
            100.0 * accuracy
        ));
    }
}

fn print_scores(what: &str, test: &Evaluation) {
    terminal::result(format!(
        "{what:<9} accuracy {:.2} %, top 2 {:.2} %, on {} images\n          loss {:.4}, calibration error {:.4}",
        100.0 * test.accuracy,
        100.0 * test.top2_accuracy,
        test.images,
        test.loss,
        test.ece,
    ));
}

pub(super) fn print_export(exported: &ExportMetrics, path: &Path, images: &str) {
    let ExportMetrics { opset, profile, runtime, verified_images, max_abs_diff, .. } = exported;
    terminal::result(format!(
        "ONNX      {}\n          opset {opset}, profile {profile}, verified in {runtime}\n          \
         on {verified_images} {images} images, greatest difference {max_abs_diff:.1e}",
        path.display(),
    ));
    if let Some(int8) = &exported.int8 {
        terminal::result(format!(
            "int8      {} bytes instead of {}\n          accuracy {:.2} % instead of {:.2} %\n          \
             the same class on {:.2} % of the images, mean difference {:.1e}",
            exported.bytes,
            int8.float_bytes,
            100.0 * int8.accuracy,
            100.0 * int8.float_accuracy,
            100.0 * int8.agreement,
            int8.mean_abs_diff
        ));
    }
}
