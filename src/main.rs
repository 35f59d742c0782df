//! Parses the command line, starts the runtime, hands over.

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use std::time::Duration;
use tramline::cli::{self, Cli, Exit};

/// Records are many small values that one thread makes and another drops, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tramline: the runtime cannot be started: {error}");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(cli::run(cli));
    runtime.shutdown_timeout(Duration::from_secs(2));
    exit.into()
}
