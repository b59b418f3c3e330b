//! A temporary PostgreSQL that lives until its standard input ends: for a run of many test processes, which find it
//! by `POSTERN_TEST_POSTGRES`. Its one line of output is the superuser's URL.
//!
//! `cargo run -p testkit --bin testkit-postgres -- [fifteen|newer] [flushed] [NAME=VALUE…]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

use std::process::ExitCode;

use testkit::postgres::{Builder, Cluster, Flushing, Major};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(builder) = read(&arguments) else {
        eprintln!("usage: testkit-postgres [fifteen|newer] [flushed] [NAME=VALUE...]");
        return ExitCode::FAILURE;
    };
    let cluster = builder.start().await;
    println!("{}", cluster.url("postgres"));
    // Whatever comes, and however reading fails: the end of the input is the end of the cluster.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    ExitCode::SUCCESS
}

/// What is wanted; commits are flushed only on demand.
fn read(arguments: &[String]) -> Option<Builder> {
    let (major, rest) = match arguments.split_first() {
        Some((first, rest)) if first == "newer" => (Major::Newer, rest),
        Some((first, rest)) if first == "fifteen" => (Major::Fifteen, rest),
        _ => (Major::Fifteen, arguments),
    };
    let mut builder = Cluster::builder(major).flushing(Flushing::Off).set("max_connections", 500);
    for argument in rest {
        builder = match argument.split_once('=') {
            Some((name, value)) => builder.set(name, value),
            None if argument == "flushed" => builder.flushing(Flushing::On),
            None => return None,
        };
    }
    Some(builder)
}
