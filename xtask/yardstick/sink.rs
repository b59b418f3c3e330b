//! The sink of the benchmark: takes every message, keeps none, and counts.
//!
//!     sink PORT
//!
//! `XCOUNT` on any connection is answered with the number of messages taken so far. Replies to pipelined commands are
//! written together. Standard library only, compiled by `rustc -O`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

static TAKEN: AtomicU64 = AtomicU64::new(0);

fn main() {
    let port = std::env::args().nth(1).unwrap();
    for client in TcpListener::bind(format!("127.0.0.1:{port}")).unwrap().incoming() {
        let client = client.unwrap();
        thread::Builder::new().stack_size(128 << 10).spawn(move || serve(client)).unwrap();
    }
}

fn serve(mut client: TcpStream) {
    let _ = client.set_nodelay(true);
    let Ok(reading) = client.try_clone() else { return };
    let mut input = BufReader::with_capacity(64 << 10, reading);
    let mut replies = b"220 sink\r\n".to_vec();
    let mut line = Vec::new();
    loop {
        // The client waits only when everything it sent has been read.
        if input.buffer().is_empty() {
            if client.write_all(&replies).is_err() {
                return;
            }
            replies.clear();
        }
        line.clear();
        if input.read_until(b'\n', &mut line).unwrap_or(0) < 4 {
            return;
        }
        match line[..4].to_ascii_uppercase().as_slice() {
            b"EHLO" => replies.extend_from_slice(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n"),
            b"XCOU" => replies.extend_from_slice(format!("250 {}\r\n", TAKEN.load(Ordering::Relaxed)).as_bytes()),
            b"DATA" => {
                replies.extend_from_slice(b"354 go on\r\n");
                if client.write_all(&replies).is_err() || !skip_content(&mut input) {
                    return;
                }
                replies.clear();
                TAKEN.fetch_add(1, Ordering::Relaxed);
                replies.extend_from_slice(b"250 taken\r\n");
            }
            b"QUIT" => {
                replies.extend_from_slice(b"221 bye\r\n");
                let _ = client.write_all(&replies);
                return;
            }
            _ => replies.extend_from_slice(b"250 ok\r\n"),
        }
    }
}

/// Reads up to and including the lonely dot, also when commands follow it in the same read.
fn skip_content(input: &mut BufReader<TcpStream>) -> bool {
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if line == b".\r\n" => return true,
            Ok(_) => {}
        }
    }
}
