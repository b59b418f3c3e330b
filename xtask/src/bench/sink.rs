//! The far end: the project's own counting sink (yardstick/sink.rs), asked over its own port.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};

use super::peers::{Yardsticks, answers, free_ports};
use super::process::Server;
use crate::run;

/// A running sink.
pub(super) struct Sink {
    _server: Server,
    pub(super) port: u16,
    asking: BufReader<TcpStream>,
}

impl Sink {
    pub(super) fn start(yardsticks: &Yardsticks) -> Result<Self> {
        let port = free_ports(1)?;
        let log = yardsticks.folder.join("sink.log");
        let mut server = Server::start(run::command(&yardsticks.sink).arg(port.to_string()), &log)?;
        server.until("listening as a sink", || answers(port))?;
        let mut asking = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
        let mut greeting = String::new();
        asking.read_line(&mut greeting)?;
        Ok(Self { _server: server, port, asking })
    }

    /// Messages taken so far.
    pub(super) fn count(&mut self) -> Result<u32> {
        self.asking.get_mut().write_all(b"XCOUNT\r\n")?;
        let mut line = String::new();
        self.asking.read_line(&mut line)?;
        let count = line.trim().strip_prefix("250 ").and_then(|count| count.parse().ok());
        count.context("the sink does not count")
    }
}
