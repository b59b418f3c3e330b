//! Never 6: doors are opened, and connections made, in few places that a reviewer can name.

use super::{Finding, RustFile};

/// Listening: the two doors. Paths are prefixes.
const MAY_LISTEN: &[&str] = &[
    "crates/smtpd/src/listener",
    "crates/web/src/listener",
    "crates/web/src/router",
    // One datagram to a time server that the operator named; nothing is taken in but its answer.
    "crates/node/src/cli/check/sntp.rs",
    "crates/testkit/",
    "crates/it/",
    "xtask/",
];

/// Connecting: delivery, and a command that asks its own node.
const MAY_CONNECT: &[&str] = &[
    "crates/mta/src/delivery",
    "crates/node/src/cli/ask.rs",
    "crates/node/src/cli/sendmail/smtp.rs",
    "crates/testkit/",
    "crates/it/",
    "xtask/",
];

const LISTENS: &[&str] = &["TcpListener::bind", "UdpSocket::bind", "UnixListener::bind"];
const CONNECTS: &[&str] = &["TcpStream::connect", "UnixStream::connect"];
/// Neither one nor the other is visible in the name, so both permissions are needed.
const EITHER: &[&str] = &["TcpSocket::new", "Socket::new("];

/// No socket outside the places above. A crate's own tests may open what they like on loopback.
pub(super) fn only_at_the_doors(file: &RustFile<'_>) -> Vec<Finding> {
    let listen = allowed(file.path(), MAY_LISTEN);
    let connect = allowed(file.path(), MAY_CONNECT);
    let mut found = Vec::new();
    for (number, in_test, line) in file.lines() {
        if in_test {
            continue;
        }
        let squeezed: String = line.code.split_whitespace().collect();
        let listens = LISTENS.iter().find(|call| squeezed.contains(**call)).filter(|_| !listen);
        let connects = CONNECTS.iter().find(|call| squeezed.contains(**call)).filter(|_| !connect);
        let either = EITHER.iter().find(|call| squeezed.contains(**call)).filter(|_| !listen && !connect);
        if let Some(call) = listens.or(connects).or(either) {
            let what = format!("`{call}`: sockets are opened only at the doors and in delivery (never 6)");
            found.push(Finding::at("sockets", file.path(), number, what));
        }
    }
    found
}

fn allowed(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}
