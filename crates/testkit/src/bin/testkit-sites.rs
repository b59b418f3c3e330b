//! Many receiving sites on loopback that are slow to answer, with the DNS server that names them, until its standard
//! input ends: for benchmarks of several nodes.
//!
//! `cargo run -p testkit --bin testkit-sites -- SITES MILLISECONDS`
//!
//! Its first line of output is the address of the DNS server and the port of every exchanger. Each line of input is
//! answered with one line: the number of messages taken, the number of connections open, then for each site that has
//! any `SITE=NAME`, the name by which the sender of its last message introduced itself. Sites are called `d0.example`,
//! `d1.example` and so on, each with an exchanger of its own, `mx.d0.example`. Nobody listens at the exchanger of
//! `dead.example`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use testkit::{FakeDns, FakeMx};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [sites, delay] = arguments.as_slice() else {
        eprintln!("usage: testkit-sites SITES MILLISECONDS");
        return ExitCode::FAILURE;
    };
    match serve(*sites, Duration::from_millis(*delay)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testkit-sites: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(sites: u64, delay: Duration) -> io::Result<()> {
    let (mx, dns) = (FakeMx::start().await?, FakeDns::start().await?);
    mx.manners(|manners| manners.delay = delay);
    for site in 0..sites {
        let (domain, host) = (format!("d{site}.example"), format!("mx.d{site}.example"));
        dns.mx(&domain, 10, &host).loopback(&host);
    }
    dns.mx("dead.example", 10, "mx.dead.example").address("mx.dead.example", [127, 0, 0, 9].into());
    println!("{} {}", dns.addr(), mx.addr().port());
    let (ask, mut asked) = mpsc::channel(1);
    // Reading waits, so it has a thread of its own; the end of the input ends the channel.
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if ask.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let (mut taken, mut open, mut last) = (0, 0, BTreeMap::new());
    while asked.recv().await.is_some() {
        mx.wait_until("what is there", |received, counts| {
            for message in received.iter().skip(taken) {
                let domains = message.to.iter().filter_map(|to| to.rsplit_once('@'));
                last.extend(domains.map(|(_, domain)| (domain.to_owned(), message.hello.clone())));
            }
            (taken, open) = (received.len(), counts.open);
            Some(())
        })
        .await;
        let said: String = last.iter().map(|(site, name)| format!(" {site}={name}")).collect();
        println!("{taken} {open}{said}");
    }
    Ok(())
}
