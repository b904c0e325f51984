//! `taper demo`: its flags, and what they lead to.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use taper::demo::{DEFAULT_PORT, Page, Runtime, RuntimeOptions, Server};
use taper::pipeline::DemoSamples;
use taper::{Error, pipeline};

use super::args::OutputArgs;
use super::commands::find_run;
use super::{interrupt, terminal};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder of a run with an ONNX file, or an ONNX file [default: the newest run under runs/]
    #[arg(value_name = "RUN|FILE.onnx")]
    run: Option<PathBuf>,
    /// Write the page into this folder instead of serving it
    #[arg(long, value_name = "DIR", conflicts_with = "port")]
    out: Option<PathBuf>,
    /// The port to serve it on, 0 for any that is free [default: 8000, or any if that is taken]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// A folder with the npm package onnxruntime-web, in place of the download
    #[arg(long, value_name = "DIR")]
    runtime: Option<PathBuf>,
    /// Folder with MNIST, to take test images from [default: where the run had them, if they are still there]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn demo(args: &DemoArgs, output: &OutputArgs) -> Result<(), Error> {
    let is_file = |path: &&Path| path.is_file() || path.extension().is_some_and(|end| end == "onnx");
    let (file, run) = match args.run.as_deref().filter(|path| !path.is_dir()).filter(is_file) {
        Some(file) => (file.to_owned(), None),
        None => {
            let run = find_run(args.run.as_deref())?;
            (run.onnx(), Some(run))
        }
    };
    if let Some(run) = run.as_ref().filter(|_| !file.is_file()) {
        return Err(Error::NoOnnx { path: run.path().to_owned() });
    }
    let samples = pipeline::demo_samples(run.as_ref(), args.data_dir.clone())?;
    if !output.quiet {
        tell(&samples);
    }
    let page = pipeline::demo(&file, samples.images())?;
    // All that can fail without the runtime comes before it is downloaded.
    match &args.out {
        Some(folder) => {
            Page::check_folder(folder)?;
            write(&page, &runtime(args, output)?, folder, output)
        }
        None => {
            let server = Server::bind(args.port)?;
            serve(&server, &page, &runtime(args, output)?, args.port, output)
        }
    }
}

/// Tells why there are no images to try the network on.
fn tell(samples: &DemoSamples) {
    match samples {
        DemoSamples::Missing(why) => terminal::note(format!(
            "note: the page has no test images of the run, whose data cannot be read here; --data-dir names them\n  {why}"
        )),
        DemoSamples::Colour => {
            terminal::note("note: the page has no test images of the run, since it shows grey ones only");
        }
        _ => {}
    }
}

fn runtime(args: &DemoArgs, output: &OutputArgs) -> Result<Runtime, Error> {
    let options = RuntimeOptions::from_env().folder(args.runtime.clone());
    let is_shown = !output.quiet && terminal::watched();
    let bar = if is_shown { ProgressBar::no_length() } else { ProgressBar::hidden() };
    // The template is a constant; a wrong one shows as the default style.
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    let mut is_told = output.quiet;
    let runtime = Runtime::get(&options, &mut |progress| {
        if !is_told {
            is_told = true;
            let (version, registry) = (Runtime::VERSION, options.shown_registry());
            bar.suspend(|| {
                terminal::note(format!("getting onnxruntime-web {version} from {registry}, this first time"));
            });
            bar.set_message("onnxruntime-web");
        }
        bar.set_length(progress.total);
        bar.set_position(progress.received);
    });
    bar.finish_and_clear();
    Ok(runtime?)
}

fn write(page: &Page, runtime: &Runtime, folder: &Path, output: &OutputArgs) -> Result<(), Error> {
    page.write(folder, runtime)?;
    if output.json {
        terminal::json(&json!({ "folder": folder }));
        return Ok(());
    }
    terminal::result(format!("demo      {}", folder.display()));
    if !output.quiet {
        let folder = quoted(folder);
        terminal::note(format!(
            "to look at it: python3 -m http.server --bind 127.0.0.1 --directory {folder}"
        ));
    }
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn serve(
    server: &Server,
    page: &Page,
    runtime: &Runtime,
    port: Option<u16>,
    output: &OutputArgs,
) -> Result<(), Error> {
    let address = format!("http://{}/", server.address());
    interrupt::serving();
    if output.json {
        terminal::json(&json!({ "address": address }));
    } else {
        terminal::result(format!("demo      {address}"));
    }
    if !output.quiet {
        if port.is_none() && server.address().port() != DEFAULT_PORT {
            terminal::note(format!("note: port {DEFAULT_PORT} is taken, so it is another one"));
        }
        terminal::note("open it in a browser; Ctrl-C ends it");
    }
    server.run(page, runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        for (path, expected) in [
            ("runs/a-1.b_c", "runs/a-1.b_c"),
            ("my site", "'my site'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;rm", "'$HOME;rm'"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
