//! A small SMTP client for tests: says exactly what it is told, also what no good client would say.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use mail::reply::{ReceivedReply, ReplyParser};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stream::Stream;
use crate::wait::within;

/// One connection to a server.
#[derive(Debug)]
pub struct SmtpClient {
    /// `None` only after a failed handshake.
    stream: Option<Stream>,
    input: BytesMut,
    parser: ReplyParser,
}

impl SmtpClient {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn connect(peer: SocketAddr) -> io::Result<(Self, ReceivedReply)> {
        Self::greeted(Stream::connect(peer).await?).await
    }

    /// Connects with TLS from the first octet and reads the greeting.
    ///
    /// # Errors
    /// Those of socket and handshake.
    pub async fn connect_tls(
        peer: SocketAddr,
        name: &str,
        config: Arc<ClientConfig>,
    ) -> io::Result<(Self, ReceivedReply)> {
        Self::greeted(Stream::connect(peer).await?.upgrade(name, config).await?).await
    }

    async fn greeted(stream: Stream) -> io::Result<(Self, ReceivedReply)> {
        let mut client = Self { stream: Some(stream), input: BytesMut::new(), parser: ReplyParser::new() };
        let greeting = client.reply().await?;
        Ok((client, greeting))
    }

    /// RFC 9266: what both ends of this TLS connection can export, and nobody else.
    #[must_use]
    pub fn exporter(&self) -> Option<[u8; 32]> {
        let Some(Stream::Tls(tls)) = &self.stream else { return None };
        tls.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).ok()
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn raw(&mut self, octets: &[u8]) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        within("the server to take octets", async {
            stream.write_all(octets).await?;
            stream.flush().await
        })
        .await
    }

    /// Waits for the next whole reply.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` when the server closes; `InvalidData` when it is no reply.
    pub async fn reply(&mut self) -> io::Result<ReceivedReply> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        within("a reply", async {
            loop {
                if let Some(reply) = self.parser.read(&mut self.input).map_err(io::Error::other)? {
                    return Ok(reply);
                }
                if stream.read_buf(&mut self.input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .await
    }

    /// Waits for the next line of a reply, as it stands on the wire, without its CRLF.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` when the server closes.
    pub async fn line(&mut self) -> io::Result<String> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        within("a line of a reply", async {
            loop {
                if let Some(end) = self.input.iter().position(|octet| *octet == b'\n') {
                    let line = self.input.split_to(end + 1);
                    let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::InvalidData)?;
                    return Ok(String::from_utf8_lossy(line).into_owned());
                }
                if stream.read_buf(&mut self.input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        })
        .await
    }

    /// Connects and reads nothing: the greeting is the first line.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn connect_silently(peer: SocketAddr) -> io::Result<Self> {
        let stream = Some(Stream::connect(peer).await?);
        Ok(Self { stream, input: BytesMut::new(), parser: ReplyParser::new() })
    }

    /// Sends one line, CRLF added, and waits for its reply.
    ///
    /// # Errors
    /// As [`SmtpClient::raw`] and [`SmtpClient::reply`].
    pub async fn command(&mut self, line: &str) -> io::Result<ReceivedReply> {
        self.raw(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// STARTTLS; the handshake only after a positive reply.
    ///
    /// # Errors
    /// As above, and those of the handshake.
    pub async fn starttls(&mut self, name: &str, config: Arc<ClientConfig>) -> io::Result<ReceivedReply> {
        let reply = self.command("STARTTLS").await?;
        if reply.is_positive() {
            self.handshake(name, config).await?;
        }
        Ok(reply)
    }

    /// The handshake alone, for a test that wrote STARTTLS itself.
    ///
    /// # Errors
    /// Those of the handshake.
    pub async fn handshake(&mut self, name: &str, config: Arc<ClientConfig>) -> io::Result<()> {
        // RFC 3207 §4.2: what came in clear counts no more.
        self.input.clear();
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        self.stream = Some(within("a TLS handshake", stream.upgrade(name, config)).await?);
        Ok(())
    }

    /// AUTH PLAIN with an initial response (RFC 4616).
    ///
    /// # Errors
    /// As [`SmtpClient::command`].
    pub async fn auth_plain(&mut self, username: &str, password: &str) -> io::Result<ReceivedReply> {
        self.command(&format!("AUTH PLAIN {}", plain_response(username, password))).await
    }

    /// DATA and, after a 354, the content: dots are stuffed, and the final dot added.
    ///
    /// # Errors
    /// As [`SmtpClient::command`].
    pub async fn data(&mut self, content: &[u8]) -> io::Result<ReceivedReply> {
        let reply = self.command("DATA").await?;
        if !reply.is_intermediate() {
            return Ok(reply);
        }
        self.raw(&stuffed(content)).await?;
        self.reply().await
    }

    /// A whole transaction. The first refusal ends it, and is returned; recipients count one by one.
    ///
    /// # Errors
    /// As [`SmtpClient::command`].
    pub async fn send(&mut self, from: &str, to: &[&str], content: &[u8]) -> io::Result<ReceivedReply> {
        let reply = self.command(&format!("MAIL FROM:<{from}>")).await?;
        if !reply.is_positive() {
            return Ok(reply);
        }
        for recipient in to {
            let reply = self.command(&format!("RCPT TO:<{recipient}>")).await?;
            if !reply.is_positive() {
                return Ok(reply);
            }
        }
        self.data(content).await
    }

    /// Waits until the server closes, and returns what it sent before that and nobody has read.
    pub async fn closed(&mut self) -> Vec<u8> {
        let Some(stream) = self.stream.as_mut() else { return Vec::new() };
        within("the server to close", async { while let Ok(1..) = stream.read_buf(&mut self.input).await {} }).await;
        self.input.to_vec()
    }
}

/// The initial response of AUTH PLAIN.
#[must_use]
pub fn plain_response(username: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{username}\0{password}"))
}

/// A text in base64, for AUTH LOGIN.
#[must_use]
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Content as it stands on the wire (RFC 5321 §4.5.2), with the final dot.
#[must_use]
pub fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(content.len() + 8);
    for line in content.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.is_empty() && !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
