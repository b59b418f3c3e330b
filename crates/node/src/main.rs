//! The binary `postern`, and what programs call as `sendmail`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    node::cli::run(node::cli::Arguments::of(std::env::args_os()))
}
