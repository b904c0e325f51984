//! Times training or inference of a network in Taper or in another engine of Rust's, for `cargo xtask peers`;
//! `xtask/peers/README.md` has the protocol.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod engine;
mod feed;
mod figures;
mod options;

#[path = "../../../benches/common/layered.rs"]
mod layered;
#[path = "../../../benches/common/stock.rs"]
mod stock;
#[path = "../../../benches/common/weights.rs"]
mod weights;

use std::error::Error;
use std::process::ExitCode;

use taper_graph::Graph;

use feed::Feed;
use options::Options;

const SEED: u64 = 1;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<String> {
    let graph = Graph::from_toml(&std::fs::read_to_string(&options.network)?)?;
    let data = feed::images(&graph, options)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
    let mut feed = Feed::new(&data, options.batch)?;
    pool.install(|| {
        if let Some(file) = &options.save {
            engine::train_for_all(graph, &mut feed, options, file)?;
            return Ok("{}".to_owned());
        }
        let mut step = options.engine.start(graph, options)?;
        figures::time(options, &options.engine.version(), || {
            feed.advance()?;
            step(&feed.images, &feed.labels)
        })
    })
}
