//! The yardstick: the least that a durable relay can do, and nothing else. Never a product.
//!
//!     floor LISTEN_PORT SINK_PORT LOG_FILE [SENDERS]
//!
//! What it keeps of a relay: 250 is said only after the message is on disk (all who wait share one sync), a kept and
//! pipelined connection per sender, and a mark in the log when a message is done. What it leaves out: addresses, MIME,
//! policy, signatures, retries, limits, recovery. Whatever a real relay adds costs more than this, so a ratio to it
//! says what the additions cost, on any machine and on any day.
//!
//! Standard library only, compiled by `rustc -O`; it panics on the first surprise.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (listen, sink) = (format!("127.0.0.1:{}", arguments[1]), format!("127.0.0.1:{}", arguments[2]));
    let file = OpenOptions::new().create(true).append(true).open(&arguments[3]).unwrap();
    let senders = arguments.get(4).map_or(8, |count| count.parse().unwrap());

    let log = Arc::new(Log::default());
    let queue = Arc::new(Queue::default());
    let writer = Arc::clone(&log);
    thread::spawn(move || writer.write_to(file));
    for _ in 0..senders {
        let (log, queue, sink) = (Arc::clone(&log), Arc::clone(&queue), sink.clone());
        thread::spawn(move || send(&log, &queue, &sink));
    }
    for client in TcpListener::bind(listen).unwrap().incoming() {
        let (log, queue) = (Arc::clone(&log), Arc::clone(&queue));
        // A small stack: two hundred clients should not look like memory.
        thread::Builder::new().stack_size(128 << 10).spawn(move || receive(client.unwrap(), &log, &queue)).unwrap();
    }
}

/// One message as it came: the lines of its envelope, and the content with its dots and its end.
struct Message {
    envelope: Vec<u8>,
    content: Vec<u8>,
}

/// A log that is synced for many writers at once.
#[derive(Default)]
struct Log {
    pending: Mutex<Pending>,
    filled: Condvar,
    synced: Condvar,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// The number of the newest message in `bytes`.
    newest: u64,
    /// Every message up to this number is on disk.
    durable: u64,
}

impl Log {
    fn write_to(&self, mut file: File) {
        let mut batch = Vec::new();
        loop {
            let mut pending = self.pending.lock().unwrap();
            while pending.bytes.is_empty() {
                pending = self.filled.wait(pending).unwrap();
            }
            std::mem::swap(&mut pending.bytes, &mut batch);
            let newest = pending.newest;
            drop(pending);
            file.write_all(&batch).unwrap();
            file.sync_data().unwrap();
            batch.clear();
            self.pending.lock().unwrap().durable = newest;
            self.synced.notify_all();
        }
    }

    /// Returns when the message is on disk.
    fn keep(&self, message: &Message) {
        let mut pending = self.pending.lock().unwrap();
        pending.bytes.extend_from_slice(&message.envelope);
        pending.bytes.extend_from_slice(&message.content);
        pending.newest += 1;
        let own = pending.newest;
        self.filled.notify_one();
        while pending.durable < own {
            pending = self.synced.wait(pending).unwrap();
        }
    }

    /// Marks a message as sent; the mark goes to disk with the next messages.
    fn done(&self) {
        self.pending.lock().unwrap().bytes.extend_from_slice(b"sent: one message more\n");
    }
}

#[derive(Default)]
struct Queue {
    messages: Mutex<VecDeque<Message>>,
    filled: Condvar,
}

impl Queue {
    fn push(&self, message: Message) {
        self.messages.lock().unwrap().push_back(message);
        self.filled.notify_one();
    }

    fn take(&self) -> Message {
        let mut messages = self.messages.lock().unwrap();
        loop {
            match messages.pop_front() {
                Some(message) => return message,
                None => messages = self.filled.wait(messages).unwrap(),
            }
        }
    }
}

/// The receiving side of one connection.
fn receive(mut client: TcpStream, log: &Log, queue: &Queue) {
    client.set_nodelay(true).unwrap();
    let mut input = BufReader::with_capacity(16 << 10, client.try_clone().unwrap());
    let (mut envelope, mut line) = (Vec::new(), Vec::new());
    let mut reply: &[u8] = b"220 floor\r\n";
    loop {
        if client.write_all(reply).is_err() {
            return;
        }
        line.clear();
        if input.read_until(b'\n', &mut line).unwrap_or(0) < 4 {
            return;
        }
        reply = match &line.to_ascii_uppercase()[..4] {
            b"EHLO" => b"250-floor\r\n250 PIPELINING\r\n",
            b"MAIL" => {
                envelope.clone_from(&line);
                b"250 ok\r\n"
            }
            b"RCPT" => {
                envelope.extend_from_slice(&line);
                b"250 ok\r\n"
            }
            b"DATA" => {
                client.write_all(b"354 go on\r\n").unwrap();
                let Some(content) = content(&mut input) else { return };
                let message = Message { envelope: std::mem::take(&mut envelope), content };
                log.keep(&message);
                queue.push(message);
                b"250 kept\r\n"
            }
            b"QUIT" => {
                let _ = client.write_all(b"221 bye\r\n");
                return;
            }
            _ => b"250 ok\r\n",
        };
    }
}

/// Reads to the lonely dot. A client waits for the reply, so nothing follows the dot in the same read.
fn content(input: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(8 << 10);
    while !content.ends_with(b"\r\n.\r\n") {
        let read = input.fill_buf().ok().filter(|read| !read.is_empty())?;
        let length = read.len();
        content.extend_from_slice(read);
        input.consume(length);
    }
    Some(content)
}

/// One sender: a kept connection, tried again until the message is taken.
fn send(log: &Log, queue: &Queue, sink: &str) {
    let mut kept: Option<BufReader<TcpStream>> = None;
    loop {
        let message = queue.take();
        loop {
            if let Some(mut server) = kept.take().or_else(|| connect(sink)) {
                if transact(&mut server, &message) {
                    kept = Some(server);
                    break;
                }
            } else {
                thread::sleep(Duration::from_millis(200));
            }
        }
        log.done();
    }
}

fn connect(sink: &str) -> Option<BufReader<TcpStream>> {
    let server = TcpStream::connect(sink).ok()?;
    server.set_nodelay(true).ok()?;
    let mut server = BufReader::new(server);
    let greeted = accepted(&mut server) && server.get_mut().write_all(b"EHLO floor\r\n").is_ok();
    (greeted && accepted(&mut server)).then_some(server)
}

fn transact(server: &mut BufReader<TcpStream>, message: &Message) -> bool {
    let mut commands = message.envelope.clone();
    commands.extend_from_slice(b"DATA\r\n");
    let replies = commands.iter().filter(|byte| **byte == b'\n').count();
    server.get_mut().write_all(&commands).is_ok()
        && (0..replies).all(|_| accepted(server))
        && server.get_mut().write_all(&message.content).is_ok()
        && accepted(server)
}

/// Reads one reply of any number of lines; whether it is 2xx or 3xx.
fn accepted(server: &mut BufReader<TcpStream>) -> bool {
    let mut line = Vec::new();
    loop {
        line.clear();
        if server.read_until(b'\n', &mut line).unwrap_or(0) < 4 {
            return false;
        }
        if line[3] != b'-' {
            return matches!(line[0], b'2' | b'3');
        }
    }
}
