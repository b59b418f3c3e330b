//! A minimal HTTP/1.1 client (RFC 9112): one request a connection, whole answers.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stream::Stream;
use crate::wait::within;

/// Longest answer read: a test that needs more reads a file.
const ANSWER_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Http {
    peer: SocketAddr,
    /// Name in the certificate, and whom to trust.
    tls: Option<(String, Arc<ClientConfig>)>,
    /// What stands in the field Host, if not the address.
    host: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// 200 and so on.
    pub status: u16,
    /// Names in lower case, in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// The body, without chunks.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http {
    /// Requests in clear.
    #[must_use]
    pub const fn plain(peer: SocketAddr) -> Self {
        Self { peer, tls: None, host: None }
    }

    /// Requests within TLS.
    #[must_use]
    pub fn tls(peer: SocketAddr, name: &str, config: Arc<ClientConfig>) -> Self {
        Self { peer, tls: Some((name.to_owned(), config)), host: None }
    }

    /// The same, asking for this host.
    #[must_use]
    pub fn asking(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// GET.
    ///
    /// # Errors
    /// Those of the connection; `InvalidData` when the answer is no HTTP.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> io::Result<HttpAnswer> {
        self.request("GET", path, headers, b"").await
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub async fn post_json(&self, path: &str, headers: &[(&str, &str)], json: &str) -> io::Result<HttpAnswer> {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        self.request("POST", path, &all, json.as_bytes()).await
    }

    /// POST with a body that comes piece by piece (RFC 9112 §7.1), as long as the test likes.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn upload(&self, path: &str, headers: &[(&str, &str)]) -> io::Result<Upload> {
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.peer);
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        let mut stream = Stream::connect(self.peer).await?;
        if let Some((name, config)) = &self.tls {
            stream = stream.upgrade(name, config.clone()).await?;
        }
        stream.write_all(head.as_bytes()).await?;
        Ok(Upload { stream })
    }

    /// Any request.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<HttpAnswer> {
        let host = self.host.clone().unwrap_or_else(|| self.peer.to_string());
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
        within("an HTTP answer", async {
            let mut stream = Stream::connect(self.peer).await?;
            if let Some((name, config)) = &self.tls {
                stream = stream.upgrade(name, config.clone()).await?;
            }
            // A server that refuses early may close before it has read everything; its answer counts.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
            let _ = stream.flush().await;
            let mut answer = Vec::new();
            if let Err(error) = stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut answer).await
                && answer.is_empty()
            {
                return Err(error);
            }
            parse(&answer, method).ok_or_else(|| io::ErrorKind::InvalidData.into())
        })
        .await
    }
}

/// A request whose body is under way.
#[derive(Debug)]
pub struct Upload {
    stream: Stream,
}

impl Upload {
    /// The next piece. Waits while the server does not take it.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn piece(&mut self, octets: &[u8]) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        self.stream.write_all(format!("{:x}\r\n", octets.len()).as_bytes()).await?;
        self.stream.write_all(octets).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await
    }

    /// The end of the body, and the answer, however long the server takes.
    ///
    /// # Errors
    /// Those of the connection; `InvalidData` when the answer is no HTTP.
    pub async fn finish(mut self) -> io::Result<HttpAnswer> {
        self.stream.write_all(b"0\r\n\r\n").await?;
        self.stream.flush().await?;
        let mut answer = Vec::new();
        self.stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut answer).await?;
        parse(&answer, "POST").ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// RFC 9110 §9.3.2: the answer to HEAD has no body, whatever length it names.
fn parse(answer: &[u8], method: &str) -> Option<HttpAnswer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end + 4)?;
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = HttpAnswer { status, headers, body: Vec::new() };
    if status == 100 {
        return parse(rest, method);
    }
    if method == "HEAD" {
        return Some(answer);
    }
    answer.body = match (answer.header("transfer-encoding"), answer.header("content-length")) {
        (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => unchunked(rest)?,
        (_, Some(length)) => rest.get(..length.parse().ok()?)?.to_vec(),
        _ => rest.to_vec(),
    };
    Some(answer)
}

/// RFC 9112 §7.1.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = end + 2;
        body.extend_from_slice(rest.get(chunk..chunk + size)?);
        rest = rest.get(chunk + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9112_7_1_chunks_are_joined() {
        let head = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n";
        let wire = format!("{head}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
        let answer = parse(wire.as_bytes(), "GET").unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (202, "abcde"));
        assert_eq!(answer.header("x-a"), Some("b"));
    }

    #[test]
    fn rfc9112_6_3_a_short_body_is_no_answer() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "GET").is_none());
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "GET").unwrap().text(), "abc");
    }
}
