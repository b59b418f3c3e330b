//! One request to a node on loopback, with a key: as much of HTTP as the tools here need.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Posts JSON to `host:port` and gives the answer's; any status but 200 to 209 is an error.
pub(crate) fn post(http: &str, key: &str, path: &str, body: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(http)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, text) = answer.split_once("\r\n\r\n").context("no answer")?;
    if !head.starts_with("HTTP/1.1 20") {
        bail!("POST {path}: {}", head.lines().next().unwrap_or_default());
    }
    serde_json::from_str(text).context("the answer is not JSON")
}
