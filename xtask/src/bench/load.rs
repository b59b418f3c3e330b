//! The loader: `smtp-source` with one message whose body does not compress, and a recipient of its own each time.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::run;

/// Sessions that send at the same time.
const SESSIONS: &str = "50";
/// Octets of a message, header and body.
const SIZE: usize = 4096;
const COLUMNS: usize = 76;

/// What is sent, from whom.
pub(super) struct Load {
    program: PathBuf,
    file: PathBuf,
    sender: String,
}

impl Load {
    /// Makes the message. `domain` is the sender's.
    pub(super) fn new(folder: &Path, domain: &str) -> Result<Self> {
        let program = run::which("smtp-source").context("smtp-source is missing: run `cargo xtask setup`")?;
        let sender = format!("shop@{domain}");
        let file = folder.join(format!("message-from-{domain}"));
        fs::write(&file, message(&sender)?)?;
        Ok(Self { program, file, sender })
    }

    /// Begins to send `count` messages to a port on loopback.
    pub(super) fn start(&self, port: u16, count: u32) -> Result<Running> {
        self.start_to("dest.example", SESSIONS, port, count)
    }

    /// The same to another site, over fewer sessions.
    pub(super) fn start_to(&self, site: &str, sessions: &str, port: u16, count: u32) -> Result<Running> {
        let mut command = Command::new(&self.program);
        // -d keeps connections, -N gives each message a recipient of its own.
        command.args(["-s", sessions, "-d", "-N", "-m", &count.to_string(), "-f", &self.sender, "-F"]);
        command.arg(&self.file).args(["-t", &format!("reader@{site}"), &format!("127.0.0.1:{port}")]);
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        Ok(Running { child, started })
    }

    /// Sends and waits.
    pub(super) fn send(&self, port: u16, count: u32) -> Result<()> {
        self.start(port, count)?.wait()
    }
}

/// A loader at work.
pub(super) struct Running {
    child: Child,
    pub(super) started: Instant,
}

impl Running {
    /// Waits until everything has been sent.
    pub(super) fn wait(mut self) -> Result<()> {
        self.child.wait()?;
        self.finished().map(|_| ())
    }

    /// Whether everything has been sent; an error when a message was not taken.
    pub(super) fn finished(&mut self) -> Result<bool> {
        let Some(status) = self.child.try_wait()? else { return Ok(false) };
        if status.success() {
            return Ok(true);
        }
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut said)?;
        }
        bail!("smtp-source ended with {status}: {}", said.lines().next().unwrap_or("(silent)"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Header and a body of chance letters, as lines, without line ends of the network: smtp-source makes those.
fn message(sender: &str) -> Result<String> {
    let mut text = format!("From: <{sender}>\nTo: <reader@dest.example>\nSubject: An order\n");
    text.push_str("MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n");
    let mut chance = vec![0_u8; SIZE];
    fs::File::open("/dev/urandom")?.read_exact(&mut chance)?;
    let mut column = 0;
    for byte in chance {
        if text.len() + text.lines().count() >= SIZE {
            break;
        }
        if column == COLUMNS {
            text.push('\n');
            column = 0;
        }
        let letter = ALPHABET.get(usize::from(byte & 63)).copied().unwrap_or(b'a');
        text.push(char::from(letter));
        column += 1;
    }
    text.push('\n');
    Ok(text)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_size_and_no_long_or_dotted_line() -> Result<()> {
        let text = message("shop@sample.example")?;
        let on_the_wire = text.len() + text.lines().count();
        assert!((SIZE..SIZE + 100).contains(&on_the_wire), "{on_the_wire}");
        assert!(text.lines().all(|line| line.len() <= COLUMNS && !line.starts_with('.')));
        assert_ne!(message("shop@sample.example")?, text);
        Ok(())
    }
}
