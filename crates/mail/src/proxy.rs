//! The PROXY protocol: what a proxy says before the first octet of a connection about who is at its other end.
//!
//! A driver reads as many octets as [`read`] asks for and never one more, since what follows the header is TLS or SMTP.
//! Whether to believe it is the driver's to decide: whoever may connect can write such a header.
//! Invariants: one text has one meaning, in the one form of the specification; nothing but the addresses is kept; no
//! header is longer than [`HEADER_OCTETS_MAX`].
//! Never: a socket, an address in an error.
//! Standards: the PROXY protocol, versions 1 and 2 (2020).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(test)]
mod tests;

/// Longest header that is read: that of version 2, with what it may carry beside the addresses.
pub const HEADER_OCTETS_MAX: usize = 16 + BODY_OCTETS_MAX;
/// Version 2: addresses and further values. What proxies send (certificates of clients among it) is below that.
const BODY_OCTETS_MAX: usize = 4_096;
/// Version 1, §2.1: with its CRLF.
const LINE_OCTETS_MAX: usize = 107;
/// Version 2, §2.2: what no other protocol begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 1.
const WORD: &[u8] = b"PROXY ";
/// The shortest header is longer.
const FIRST_OCTETS: usize = SIGNATURE.len();
/// Version 2: signature, version and command, family, length.
const FIXED_OCTETS: usize = 16;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The client of the proxy.
    Client(SocketAddr),
    /// The proxy itself: it looks whether this server is there (§2.2 LOCAL), or does not know (§2.1 UNKNOWN).
    Proxy,
}

/// What is known after some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more octets belong to the header at least.
    More(usize),
    /// The header is whole, and nothing was read behind it.
    Done(Source),
}

/// Why octets are no header. No text repeats them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// They begin otherwise.
    #[error("the connection does not begin with a header of the PROXY protocol")]
    NotProxy,
    /// A line of version 1 that is too long or not in the one form.
    #[error("the line of the PROXY protocol is malformed")]
    Line,
    /// A header of version 2 whose version, command, length or values are wrong.
    #[error("the header of the PROXY protocol is malformed")]
    Binary,
    /// Version 2: it speaks of a transport that mail and HTTP do not come by.
    #[error("the header of the PROXY protocol names a transport that is none of TCP")]
    Transport,
    /// Version 2: longer than [`HEADER_OCTETS_MAX`].
    #[error("the header of the PROXY protocol is longer than {HEADER_OCTETS_MAX} octets")]
    TooLong,
}

/// Reads what there is of a header.
///
/// # Errors
/// [`ProxyError`]: close the connection without a word.
pub fn read(octets: &[u8]) -> Result<Progress, ProxyError> {
    let begins = |known: &[u8]| octets.iter().zip(known).all(|(one, other)| one == other);
    let (line, binary) = (begins(WORD), begins(SIGNATURE));
    if !line && !binary {
        return Err(ProxyError::NotProxy);
    }
    if octets.len() < FIRST_OCTETS {
        return Ok(Progress::More(FIRST_OCTETS - octets.len()));
    }
    if line { read_line(octets) } else { read_binary(octets) }
}

/// §2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 25` CRLF.
fn read_line(octets: &[u8]) -> Result<Progress, ProxyError> {
    if octets.last() != Some(&b'\n') {
        return if octets.len() < LINE_OCTETS_MAX { Ok(Progress::More(1)) } else { Err(ProxyError::Line) };
    }
    let line = octets.strip_suffix(b"\r\n").and_then(|line| line.strip_prefix(WORD)).ok_or(ProxyError::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Line)?;
    if octets.len() > LINE_OCTETS_MAX || !line.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Err(ProxyError::Line);
    }
    // What follows this word is to be skipped, whatever it is.
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Ok(Progress::Done(Source::Proxy));
    }
    let words: Vec<&str> = line.split(' ').collect();
    let &[family, source, destination, source_port, destination_port] = words.as_slice() else {
        return Err(ProxyError::Line);
    };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (Some(source), Some(_)) = (address(source), address(destination)) else { return Err(ProxyError::Line) };
    let (Some(port), Some(_)) = (port(source_port), port(destination_port)) else { return Err(ProxyError::Line) };
    Ok(Progress::Done(Source::Client(SocketAddr::new(source, port))))
}

/// Decimal digits without a leading zero.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// §2.2.
fn read_binary(octets: &[u8]) -> Result<Progress, ProxyError> {
    let Some((fixed, body)) = octets.split_at_checked(FIXED_OCTETS) else {
        return Ok(Progress::More(FIXED_OCTETS - octets.len()));
    };
    let &[version, family, high, low] = fixed.get(SIGNATURE.len()..).unwrap_or_default() else {
        return Err(ProxyError::Binary);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BODY_OCTETS_MAX {
        return Err(ProxyError::TooLong);
    }
    let is_local = match version {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyError::Binary),
    };
    if body.len() < length {
        return Ok(Progress::More(length - body.len()));
    }
    if body.len() > length {
        return Err(ProxyError::Binary);
    }
    // §2.2: the family of a LOCAL command means nothing, and UNSPEC says that the proxy does not know.
    if is_local || family == 0 {
        return Ok(Progress::Done(Source::Proxy));
    }
    let (source, values) = match family {
        0x11 => four(body).ok_or(ProxyError::Binary)?,
        0x21 => six(body).ok_or(ProxyError::Binary)?,
        0x12 | 0x22 | 0x31 | 0x32 => return Err(ProxyError::Transport),
        _ => return Err(ProxyError::Binary),
    };
    ensure_values(values)?;
    Ok(Progress::Done(Source::Client(source)))
}

/// Two addresses, two ports.
fn four(body: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addresses, rest) = body.split_at_checked(12)?;
    let address: [u8; 4] = addresses.get(..4)?.try_into().ok()?;
    let port: [u8; 2] = addresses.get(8..10)?.try_into().ok()?;
    Some((SocketAddr::new(IpAddr::V4(address.into()), u16::from_be_bytes(port)), rest))
}

fn six(body: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addresses, rest) = body.split_at_checked(36)?;
    let address: [u8; 16] = addresses.get(..16)?.try_into().ok()?;
    let port: [u8; 2] = addresses.get(32..34)?.try_into().ok()?;
    Some((SocketAddr::new(IpAddr::V6(address.into()), u16::from_be_bytes(port)), rest))
}

/// §2.2.1: type, length, value. None is of use here, but what is cut short was not written by a proxy.
fn ensure_values(values: &[u8]) -> Result<(), ProxyError> {
    let mut rest = values;
    while !rest.is_empty() {
        let &[_, high, low] = rest.get(..3).unwrap_or_default() else { return Err(ProxyError::Binary) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(3 + length..).ok_or(ProxyError::Binary)?;
    }
    Ok(())
}
