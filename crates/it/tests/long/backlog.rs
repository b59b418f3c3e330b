//! A hundred thousand messages for a next hop that is not there, and the memory that they take.

use super::harness::{Demo, Load, Place};
use std::fs;
use std::net::TcpListener;

const MESSAGES: u64 = 100_000;
/// Issue 2, "Speed and memory".
const RESIDENT_KIB_MAX: u64 = 150 * 1024;

/// Octets of memory that a process has in use, in KiB, now and at most.
fn resident_kib(process: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_queued_messages_take_less_than_150_megabytes() {
    if cfg!(debug_assertions) {
        panic!("this figure is about the release build: cargo xtask test --long");
    }
    let folder = tempfile::tempdir().unwrap();
    // Bound and never accepted from elsewhere: closed again, so that connections to it are refused.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut demo = Demo::start(Place { sink: Some(dead), ..Place::below(folder.path()) }).await;
    let (empty, _) = resident_kib(demo.child.id());
    let books = Load::send(demo.address("trusted"), 0..MESSAGES, 50).await;
    assert_eq!(books.answered.len() as u64, MESSAGES, "not everything was taken");
    let (queued, most) = resident_kib(demo.child.id());
    println!("resident: {empty} KiB before, {queued} KiB with {MESSAGES} queued, {most} KiB at most");
    assert!(queued < RESIDENT_KIB_MAX, "{queued} KiB resident with {MESSAGES} queued");
    // They are all there: the next start reads them back, and takes no more either.
    assert!(demo.terminate().await.success());
    demo.restart().await;
    let first = books.answered.first_key_value().map(|(_, id)| id.as_str()).unwrap();
    demo.message_in_state(first, "queued").await;
    let (again, _) = resident_kib(demo.child.id());
    println!("resident: {again} KiB after a new start");
    assert!(again < RESIDENT_KIB_MAX, "{again} KiB resident after a new start with {MESSAGES} queued");
}
