//! One message to a submission server (RFC 6409), a command after the other, on a connection of its own.
//!
//! Invariants: with a login nothing but EHLO and STARTTLS goes before TLS, and the server's certificate holds; whatever
//! the server said in clear before TLS is forgotten (RFC 3207 §4.2); all recipients or none: a refused one ends it
//! before the content, since the caller has one answer for all.

use super::letter::Letter;
use super::options::Options;
use super::settings::Settings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::address::Address;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// To connect.
const CONNECT: Duration = Duration::from_secs(30);
/// For each reply: RFC 5321 §4.5.3.2.6 asks for ten minutes after the content.
const REPLY: Duration = Duration::from_secs(600);
/// Octets of a reply line, and lines of a reply.
const LINE_MAX: u64 = 2_000;
const LINES_MAX: usize = 100;

/// Why it was not handed over.
#[derive(Debug)]
pub(super) enum Failed {
    /// Another time: no connection, or a temporary reply.
    Later(String),
    /// Never: a permanent reply.
    Never(String),
    /// The login was refused.
    Login(String),
    /// Something in the settings.
    Settings(String),
}

/// The server's answer.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    fn ok(self) -> Result<Self, Failed> {
        match self.code {
            200..=399 => Ok(self),
            500..=599 => Err(Failed::Never(self.text())),
            _ => Err(Failed::Later(self.text())),
        }
    }

    fn offers(&self, word: &str) -> bool {
        self.lines
            .iter()
            .skip(1)
            .any(|line| line.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(word)))
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

struct Client {
    wire: BufReader<Box<dyn Wire>>,
}

impl Client {
    fn over(wire: impl Wire + 'static) -> Self {
        Self { wire: BufReader::new(Box::new(wire)) }
    }

    fn reply(&mut self) -> Result<Reply, Failed> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            let read = self.wire.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
            let whole = read.is_ok_and(|octets| octets > 0) && line.ends_with(b"\n") && lines.len() < LINES_MAX;
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = text.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|_| whole);
            let code = code.ok_or_else(|| Failed::Later("the server broke off, or does not speak SMTP".to_owned()))?;
            lines.push(text.get(4..).unwrap_or_default().to_owned());
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Failed> {
        let wire = self.wire.get_mut();
        let written = wire.write_all(octets).and_then(|()| wire.flush());
        written.map_err(|error| Failed::Later(format!("the connection broke: {error}")))
    }

    fn command(&mut self, line: &str) -> Result<Reply, Failed> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }
}

/// Hands it over; what the server said to it.
///
/// # Errors
/// [`Failed`].
pub(super) fn hand_over(letter: &Letter, options: &Options, settings: &Settings) -> Result<String, Failed> {
    let login = settings.username.as_deref().zip(settings.password.as_deref());
    let socket = connect(settings)?;
    let mut client = if settings.implicit_tls && login.is_some() {
        let mut client = Client::over(encrypted(socket, settings)?);
        client.reply()?.ok()?;
        client
    } else {
        let again = socket.try_clone().map_err(|error| Failed::Later(error.to_string()))?;
        let mut client = Client::over(socket);
        client.reply()?.ok()?;
        if login.is_some() {
            client.command("EHLO localhost")?.ok()?;
            client.command("STARTTLS")?.ok()?;
            // RFC 3207 §4.2: with the reader goes what was said in clear.
            Client::over(encrypted(again, settings)?)
        } else {
            client
        }
    };
    let hello = client.command("EHLO localhost")?.ok()?;
    if let Some((username, password)) = login {
        let plain = STANDARD.encode(format!("\0{username}\0{password}"));
        let reply = client.command(&format!("AUTH PLAIN {plain}"))?;
        if reply.code == 535 {
            return Err(Failed::Login(reply.text()));
        }
        reply.ok()?;
    }
    let told = transaction(&mut client, &hello, letter, options)?;
    // It is handed over, whatever becomes of the goodbye.
    let _ = client.command("QUIT");
    Ok(told)
}

fn transaction(client: &mut Client, hello: &Reply, letter: &Letter, options: &Options) -> Result<String, Failed> {
    let told = hello.offers("DSN");
    let mut mail = format!("MAIL FROM:<{}>", letter.sender.as_ref().map(Address::to_wire).unwrap_or_default());
    if !letter.content.is_ascii() && hello.offers("8BITMIME") {
        mail.push_str(" BODY=8BITMIME");
    }
    if let Some(returned) = options.returned.filter(|_| told) {
        mail.push_str(&format!(" RET={returned}"));
    }
    if let Some(id) = options.envelope_id.as_ref().filter(|_| told) {
        let plain =
            !id.is_empty() && id.len() <= 100 && id.bytes().all(|b| b.is_ascii_graphic() && b != b'+' && b != b'=');
        if !plain {
            return Err(Failed::Never("-V takes up to 100 printable characters but + and =".to_owned()));
        }
        mail.push_str(&format!(" ENVID={id}"));
    }
    client.command(&mail)?.ok()?;
    for address in &letter.to {
        let notify = options.notify.as_ref().filter(|_| told).map(|notify| format!(" NOTIFY={notify}"));
        client.command(&format!("RCPT TO:<{}>{}", address.to_wire(), notify.unwrap_or_default()))?.ok()?;
    }
    client.command("DATA")?.ok()?;
    client.write(&stuffed(&letter.content))?;
    Ok(client.reply()?.ok()?.text())
}

/// RFC 5321 §4.5.2, with the end of the content behind it.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 64 + 8);
    for line in content.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn connect(settings: &Settings) -> Result<TcpStream, Failed> {
    let mut why = format!("server {:?} has no address", settings.server);
    for address in settings.addresses().map_err(Failed::Later)? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => {
                let set = socket.set_read_timeout(Some(REPLY)).and_then(|()| socket.set_write_timeout(Some(REPLY)));
                set.map_err(|error| Failed::Later(error.to_string()))?;
                return Ok(socket);
            }
            Err(error) => why = format!("cannot reach {address}: {error}"),
        }
    }
    Err(Failed::Later(why))
}

fn encrypted(socket: TcpStream, settings: &Settings) -> Result<StreamOwned<ClientConnection, TcpStream>, Failed> {
    let wrong = |what: String| Failed::Settings(what);
    let mut roots = RootCertStore::empty();
    match &settings.ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for certificate in read.map_err(|error| wrong(format!("ca {}: {error}", file.display())))? {
                roots.add(certificate).map_err(|error| wrong(format!("ca {}: {error}", file.display())))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(error.to_string()))?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(settings.name()).map_err(|error| wrong(format!("server_name: {error}")))?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(|error| wrong(error.to_string()))?;
    Ok(StreamOwned::new(session, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5321_4_5_2_lines_that_begin_with_a_dot_get_another() {
        assert_eq!(stuffed(b".\r\n..a\r\nb.\r\n"), b"..\r\n...a\r\nb.\r\n.\r\n");
    }

    #[test]
    fn replies_of_several_lines_are_read_whole_and_others_are_a_failure() {
        let client = |text: &'static [u8]| Client::over(std::io::Cursor::new(text.to_vec()));
        let reply = client(b"250-mx\r\n250-DSN\r\n250 SIZE 1\r\n").reply().unwrap();
        assert!(reply.offers("dsn") && reply.offers("SIZE") && !reply.offers("mx"));
        for text in [&b""[..], b"hello\r\n", b"250 cut", b"250-on\r\n"] {
            assert!(matches!(client(text).reply(), Err(Failed::Later(_))), "{text:?}");
        }
        assert!(matches!(client(b"550 5.7.1 no\r\n").reply().unwrap().ok(), Err(Failed::Never(_))));
        assert!(matches!(client(b"451 4.3.0 later\r\n").reply().unwrap().ok(), Err(Failed::Later(_))));
    }
}
