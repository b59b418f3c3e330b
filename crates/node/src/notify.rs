//! Tells whoever started the node how it is: one datagram with words to the socket that `NOTIFY_SOCKET` names
//! (`sd_notify(3)`). Without that variable nothing is told.
//!
//! Never: a wait, or an error that stops a node.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Every door is open.
    Ready,
    /// The settings are read again; [`State::Ready`] follows.
    Reloading,
    /// The node ends.
    Stopping,
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::Ready => "READY=1\nSTATUS=every door is open",
            Self::Reloading => "RELOADING=1\nSTATUS=reading the settings again",
            Self::Stopping => "STOPPING=1\nSTATUS=letting what is under way end",
        }
    }
}

/// Tells it.
pub(crate) fn tell(state: State) {
    if let Some(name) = socket()
        && let Err(error) = send(&name, state.words())
    {
        tracing::warn!(%error, "who started the node cannot be told how it is");
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read by node alone")]
fn socket() -> Option<String> {
    std::env::var("NOTIFY_SOCKET").ok().filter(|name| !name.is_empty())
}

/// A name with `@` before it lies in no file system.
fn send(name: &str, words: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(words.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_to_a_path_and_to_an_abstract_name_and_nobody_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = path.to_str().unwrap();
        assert!(send(name, "READY=1").is_err());
        let abstract_name = format!("postern-test-{}", std::process::id());
        let bound = [
            (UnixDatagram::bind(&path).unwrap(), name.to_owned()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap(),
                format!("@{abstract_name}"),
            ),
        ];
        for (socket, name) in bound {
            send(&name, State::Stopping.words()).unwrap();
            let mut heard = [0; 64];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], State::Stopping.words().as_bytes());
        }
    }
}
