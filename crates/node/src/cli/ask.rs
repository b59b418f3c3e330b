//! One question to a running node, over HTTP (RFC 9112): to its interface on a port with a controller's key, or to the
//! operator's door, the socket in its data folder.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use web::listener::operator::OPERATOR_SOCKET;

/// Octets of an answer.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;
/// Octets of a file that holds a key.
const KEY_FILE_MAX: u64 = 4 * 1024;
/// For the whole of a question.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom a command asks.
pub(super) enum Node {
    /// Its interface, in the name of a controller.
    Interface { place: String, key: String },
    /// Its operator's door.
    Operator { socket: PathBuf },
}

impl Node {
    /// By `http://HOST:PORT` and a file with an API key.
    pub(super) fn interface(url: &str, key_file: &Path) -> anyhow::Result<Self> {
        let key = key(key_file)?;
        let place = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let place = place.filter(|place| !place.is_empty() && !place.contains('/'));
        let place = place.with_context(|| format!("--url is http://HOST:PORT, not {url:?}"))?;
        Ok(Self::Interface { place: place.to_owned(), key })
    }

    /// By its data folder.
    pub(super) fn operator(data: &Path) -> Self {
        Self::Operator { socket: data.join(OPERATOR_SOCKET) }
    }

    /// What it is called in a sentence.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Interface { place, .. } => place.clone(),
            Self::Operator { socket } => socket.display().to_string(),
        }
    }

    /// Asks `METHOD PATH`; status and JSON of the answer.
    pub(super) async fn ask(&self, line: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        let asked = tokio::time::timeout(PATIENCE, self.asked(line, body)).await;
        let name = self.name();
        let (status, told) = asked.map_err(|_| anyhow::anyhow!("{name} did not answer within 30 seconds"))??;
        let told = serde_json::from_slice(&told).with_context(|| format!("{name} did not answer with JSON"))?;
        Ok((status, told))
    }

    async fn asked(&self, line: &str, body: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        match self {
            Self::Interface { place, key } => {
                let connected = TcpStream::connect(place).await;
                let stream = connected.with_context(|| format!("no node answers at {place}; say where with --url"))?;
                let fields = format!("Host: {place}\r\nAuthorization: Bearer {key}\r\n");
                exchange(stream, &self.name(), (line, &fields), body).await
            }
            Self::Operator { socket } => {
                let connected = UnixStream::connect(socket).await;
                let stream = connected.with_context(|| {
                    let socket = socket.display();
                    format!("no node serves here: {socket} does not answer; name the data folder of a node with --data")
                })?;
                exchange(stream, &self.name(), (line, "Host: operator\r\n"), body).await
            }
        }
    }
}

/// A failure of the node's, in its own words.
pub(super) fn refusal(name: &str, status: u16, told: &Value) -> anyhow::Error {
    let said = told["detail"].as_str().unwrap_or_default();
    if status == 400 { anyhow::anyhow!("{said}") } else { anyhow::anyhow!("{name} answered {status}: {said}") }
}

fn key(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if file.len() > KEY_FILE_MAX {
        bail!("{} is no file with a key: it has {} octets", path.display(), file.len());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_graphic()) {
        bail!("{} does not hold an API key on one line", path.display());
    }
    Ok(key.to_owned())
}

/// One question on a connection of its own: status and body of the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    name: &str,
    (line, fields): (&str, &str),
    body: &str,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let head = format!(
        "{line} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.with_context(|| format!("{name} does not speak HTTP"))?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    Ok((status.with_context(|| format!("{name} does not speak HTTP"))?, body))
}
