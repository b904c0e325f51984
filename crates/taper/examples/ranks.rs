//! Processes that greet each other under MPI. With the word `panic`, one of them panics while the others wait for its greeting, and
//! all end:
//!
//! ```sh
//! cargo build -p taper --features mpi --example ranks
//! mpirun -n 2 target/debug/examples/ranks panic
//! ```

use std::error::Error;
use std::io::Write;

use taper::mpi::Universe;

fn main() -> Result<(), Box<dyn Error>> {
    let universe = Universe::join()?.ok_or("MPI was initialised before")?;
    universe.abort_on_panic();
    let exchange = universe.exchange();
    let rank = exchange.rank();
    assert!(rank != 1 || std::env::args().all(|word| word != "panic"), "as it was asked to");
    for greeting in exchange.gather(format!("hello from rank {rank}").as_bytes())? {
        writeln!(std::io::stdout(), "{}", String::from_utf8_lossy(&greeting))?;
    }
    Ok(())
}
