//! What a connection to a receiver is made of: the socket, from which address of ours, and its octets.
//!
//! Invariant: an address that is asked for is the one it comes from, or there is no connection.

use bytes::BytesMut;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

/// What is read at once.
pub(super) const READ_OCTETS: usize = 4 * 1024;

/// RFC 5321 §4.1.1.1, §4.1.3: the node's name; a machine without a name that others could look up says its address.
pub(super) fn hello_name(name: &str, own: Option<SocketAddr>) -> String {
    match own.map(|own| own.ip().to_canonical()) {
        Some(IpAddr::V4(address)) if !name.contains('.') => format!("[{address}]"),
        Some(IpAddr::V6(address)) if !name.contains('.') => format!("[IPv6:{address}]"),
        _ => name.to_owned(),
    }
}

/// A connection from this address of ours.
pub(super) async fn connect(own: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    match own {
        None => TcpStream::connect(to).await,
        Some(own) => bound(own)?.connect(to).await,
    }
}

fn bound(own: IpAddr) -> io::Result<TcpSocket> {
    let socket = if own.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(own, 0))?;
    Ok(socket)
}

/// Does this machine have the address?
pub(crate) fn is_ours(own: IpAddr) -> bool {
    bound(own).is_ok()
}

pub(super) fn connect_trouble(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "the network is unreachable",
        _ => "the connection failed",
    }
}

/// The connection, in clear or not.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) async fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        into.reserve(READ_OCTETS);
        match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Tls(stream) => stream.read_buf(into).await,
        }
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
        }
    }
}
