//! Dialogues with an SMTP server, written as text files: `tests/dialogues/*.smtp`, one scenario a file.
//!
//! ```text
//! # a comment
//! LISTENER: submission        which listener is meant: submission, tls, trusted, open (the first line)
//! SET: errors_max 3           a setting, for runners that make their own listener
//! C: NOOP                     the client's line; CRLF is added
//! C*3: NOOP                   the same, three times in one write
//! RAW: a\r\n.\0\x80\{x*900}   exact octets; \{x*900} is x nine hundred times; also known in C:
//! B64: shop                   a line in base64
//! S: 250 2.0.0                the server's next line begins so
//! S*3: 250                    its next three lines begin so
//! S+: 250                     a whole reply of any number of lines with this code
//! STARTTLS                    the command, 220, the handshake
//! HANDSHAKE                   the handshake alone
//! AUTH                        AUTH PLAIN with the good credential, and 235
//! CLOSE                       the server closes and has said nothing more
//! GOT: 1                      the server has taken so many messages in this dialogue
//! TO: a@x.example b@x.example recipients of the last one
//! CONTENT: a\r\n              content of the last one begins so
//! ```
//! `{username}` and `{password}` stand for the good credential. Expectations of a dialogue are about the wire;
//! `GOT`, `TO` and `CONTENT` are skipped by a runner that cannot look behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::smtp::{SmtpClient, base64};

/// A message that a server under test has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Recipients without brackets.
    pub to: Vec<String>,
    /// Content without dots of transparency.
    pub content: Vec<u8>,
}

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Dialogue {
    /// Which listener is meant.
    pub listener: String,
    /// `SET` lines: name and value.
    pub settings: Vec<(String, String)>,
    steps: Vec<(usize, Action)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Send(Vec<u8>),
    /// To be sent in base64, after the credential was put in.
    Base64(Vec<u8>),
    Line {
        prefix: String,
        times: usize,
    },
    Reply(u16),
    StartTls,
    Handshake,
    Auth,
    Close,
    Got(usize),
    To(Vec<String>),
    Content(Vec<u8>),
}

/// Where a dialogue is held.
pub struct Scene<'a> {
    /// The listener.
    pub peer: SocketAddr,
    /// TLS from the first octet.
    pub implicit_tls: bool,
    /// Whom the client trusts, and the server's name.
    pub tls: (&'a str, Arc<ClientConfig>),
    /// The good credential: name and password.
    pub credential: (&'a str, &'a str),
    /// Messages taken so far in this dialogue, oldest first; `None` when that cannot be seen.
    pub taken: Option<&'a (dyn Fn() -> Vec<Taken> + Send + Sync)>,
}

impl Dialogue {
    /// Reads a file.
    ///
    /// # Errors
    /// The number of the line that is not understood, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut dialogue = Self { listener: "submission".to_owned(), settings: Vec::new(), steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let fault = |what: &str| format!("line {number}: {what}");
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(':').unwrap_or((line, ""));
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            let (word, times) = match word.split_once('*') {
                Some((word, times)) => (word, times.parse().map_err(|_| fault("no number after *"))?),
                None => (word, 1),
            };
            let octets = || unescaped(rest).ok_or_else(|| fault("an escape is not understood"));
            let action = match word {
                "LISTENER" => {
                    rest.clone_into(&mut dialogue.listener);
                    continue;
                }
                "SET" => {
                    let (name, value) = rest.split_once(' ').ok_or_else(|| fault("name and value are missing"))?;
                    dialogue.settings.push((name.to_owned(), value.to_owned()));
                    continue;
                }
                "C" => Action::Send([octets()?, b"\r\n".to_vec()].concat().repeat(times)),
                "RAW" => Action::Send(octets()?.repeat(times)),
                "B64" => Action::Base64(octets()?),
                "S" => Action::Line { prefix: rest.to_owned(), times },
                "S+" => Action::Reply(rest.trim().parse().map_err(|_| fault("no code"))?),
                "STARTTLS" => Action::StartTls,
                "HANDSHAKE" => Action::Handshake,
                "AUTH" => Action::Auth,
                "CLOSE" => Action::Close,
                "GOT" => Action::Got(rest.trim().parse().map_err(|_| fault("no number"))?),
                "TO" => Action::To(rest.split_whitespace().map(str::to_owned).collect()),
                "CONTENT" => Action::Content(octets()?),
                _ => return Err(fault("unknown word")),
            };
            dialogue.steps.push((number, action));
        }
        Ok(dialogue)
    }

    /// Holds the dialogue.
    ///
    /// # Errors
    /// The number of the line that was not as expected, and what came instead.
    pub async fn run(&self, scene: &Scene<'_>) -> Result<(), String> {
        let (name, config) = &scene.tls;
        let connecting = SmtpClient::connect_silently(scene.peer).await;
        let mut client = connecting.map_err(|error| format!("cannot connect: {error}"))?;
        if scene.implicit_tls {
            let done = client.handshake(name, Arc::clone(config)).await;
            done.map_err(|error| format!("no TLS: {error}"))?;
        }
        for (number, action) in &self.steps {
            let done = act(action, &mut client, scene).await;
            done.map_err(|what| format!("line {number}: {what}"))?;
        }
        Ok(())
    }
}

async fn act(action: &Action, client: &mut SmtpClient, scene: &Scene<'_>) -> Result<(), String> {
    let (name, config) = &scene.tls;
    let (username, password) = scene.credential;
    let broken = |error: std::io::Error| format!("the connection broke: {error}");
    match action {
        Action::Send(octets) => client.raw(&filled(octets, scene.credential)).await.map_err(broken),
        Action::Base64(octets) => {
            let text = String::from_utf8_lossy(&filled(octets, scene.credential)).into_owned();
            client.raw(format!("{}\r\n", base64(&text)).as_bytes()).await.map_err(broken)
        }
        Action::Line { prefix, times } => {
            for _ in 0..*times {
                expect_prefix(&client.line().await.map_err(broken)?, prefix)?;
            }
            Ok(())
        }
        Action::Reply(code) => loop {
            let line = client.line().await.map_err(broken)?;
            expect_prefix(&line, &code.to_string())?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        },
        Action::StartTls => {
            client.raw(b"STARTTLS\r\n").await.map_err(broken)?;
            expect_prefix(&client.line().await.map_err(broken)?, "220 ")?;
            client.handshake(name, Arc::clone(config)).await.map_err(broken)
        }
        Action::Handshake => client.handshake(name, Arc::clone(config)).await.map_err(broken),
        Action::Auth => {
            let line = format!("AUTH PLAIN {}\r\n", crate::smtp::plain_response(username, password));
            client.raw(line.as_bytes()).await.map_err(broken)?;
            expect_prefix(&client.line().await.map_err(broken)?, "235 ")
        }
        Action::Close => match client.closed().await {
            rest if rest.is_empty() => Ok(()),
            rest => Err(format!("before closing the server said {:?}", String::from_utf8_lossy(&rest))),
        },
        Action::Got(_) | Action::To(_) | Action::Content(_) => match scene.taken {
            Some(taken) => look(action, &taken()),
            None => Ok(()),
        },
    }
}

fn look(action: &Action, taken: &[Taken]) -> Result<(), String> {
    let last = taken.last().ok_or("no message was taken");
    match action {
        Action::Got(count) if taken.len() != *count => Err(format!("{} messages were taken", taken.len())),
        Action::To(to) if last?.to != *to => Err(format!("recipients are {:?}", last?.to)),
        Action::Content(begin) if !last?.content.starts_with(begin) => {
            Err(format!("content is {:?}", String::from_utf8_lossy(&last?.content)))
        }
        _ => Ok(()),
    }
}

fn expect_prefix(line: &str, prefix: &str) -> Result<(), String> {
    if line.starts_with(prefix) { Ok(()) } else { Err(format!("expected {prefix:?}, and the server said {line:?}")) }
}

/// Puts the credential in.
fn filled(octets: &[u8], (username, password): (&str, &str)) -> Vec<u8> {
    match std::str::from_utf8(octets) {
        Ok(text) => text.replace("{username}", username).replace("{password}", password).into_bytes(),
        Err(_) => octets.to_vec(),
    }
}

/// `\r`, `\n`, `\0`, `\t`, `\\`, `\xHH`, `\{c*N}`.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let mut letters = after.chars();
        rest = match letters.next()? {
            'r' => push(&mut out, b'\r', letters.as_str()),
            'n' => push(&mut out, b'\n', letters.as_str()),
            '0' => push(&mut out, 0, letters.as_str()),
            't' => push(&mut out, b'\t', letters.as_str()),
            '\\' => push(&mut out, b'\\', letters.as_str()),
            'x' => {
                let octet = u8::from_str_radix(letters.as_str().get(..2)?, 16).ok()?;
                push(&mut out, octet, letters.as_str().get(2..)?)
            }
            '{' => {
                let (repeat, tail) = letters.as_str().split_once('}')?;
                let (what, times) = repeat.rsplit_once('*')?;
                out.extend_from_slice(&what.as_bytes().repeat(times.parse().ok()?));
                tail
            }
            _ => return None,
        };
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}

fn push<'a>(out: &mut Vec<u8>, octet: u8, rest: &'a str) -> &'a str {
    out.push(octet);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_octets() {
        assert_eq!(unescaped(r"a\r\n\0\x80\\\{ab*2}").unwrap(), b"a\r\n\0\x80\\abab");
        for bad in [r"\q", r"\x8", r"\{a*}", "\\"] {
            assert_eq!(unescaped(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        assert_eq!(Dialogue::parse("# x\nC: NOOP\nX: y\n").unwrap_err(), "line 3: unknown word");
        let dialogue = Dialogue::parse("LISTENER: tls\nSET: errors_max 3\nC*2: NOOP\n").unwrap();
        assert_eq!(dialogue.listener, "tls");
        assert_eq!(dialogue.steps, [(3, Action::Send(b"NOOP\r\nNOOP\r\n".to_vec()))]);
    }

    #[test]
    fn the_credential_is_filled_in() {
        assert_eq!(filled(b"\0{username}\0{password}", ("a", "b")), b"\0a\0b");
        assert_eq!(filled(b"\x80{username}", ("a", "b")), b"\x80{username}", "exact octets stay exact");
    }
}
