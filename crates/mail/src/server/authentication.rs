//! The SASL dialogue of AUTH: challenges out, a credential in.
//!
//! Invariants: at most four lines a dialogue; a password lives in one [`Password`], wiped when dropped.
//! Never: a look at the credential itself; that is the driver's, who for SCRAM hands in what a proof is asked for
//! against.
//! Standards: RFC 4954 §4, RFC 4616 (PLAIN), draft-murchison-sasl-login (LOGIN, for old clients), RFC 5802 and 7677
//! (SCRAM).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::replies;
use crate::reply::Reply;
use crate::scram::{Challenged, Channel, First, Proven};

/// `Username:` and `Password:` in base64: LOGIN's challenges.
const USERNAME_CHALLENGE: &str = "VXNlcm5hbWU6";
const PASSWORD_CHALLENGE: &str = "UGFzc3dvcmQ6";

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The older dialogue in two lines.
    Login,
}

/// A password as sent: not printed, not compared, wiped when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The text, for the one place that checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password(redacted)")
    }
}

/// What the listener offers on this connection.
#[derive(Clone, Copy)]
pub(super) struct Offered<'a> {
    /// SCRAM-SHA-256.
    pub(super) scram: bool,
    /// RFC 9266: what -PLUS binds to; without it -PLUS is not offered.
    pub(super) exporter: Option<&'a [u8]>,
}

/// Which line of which mechanism comes next.
pub(super) enum Dialogue {
    Plain,
    LoginUsername,
    LoginPassword {
        username: String,
    },
    /// RFC 5802: the client's first message comes; whether by the -PLUS name.
    ScramFirst {
        plus: bool,
    },
    /// Its proof comes.
    ScramProof(Box<Challenged>),
    /// The server's own proof was sent, and the client has nothing to say to it.
    ScramEnd,
}

pub(super) enum Progress {
    Challenge(Dialogue, String),
    /// The driver has the keys.
    Scram(First),
    Proven(Proven),
    /// The proof does not hold, for the name that was given.
    NotProven(String),
    /// The driver has said yes before; it is told now.
    End,
    Complete {
        mechanism: Mechanism,
        authzid: Option<String>,
        username: String,
        password: Password,
    },
    Failed(Reply),
}

impl Dialogue {
    /// Reads what follows `AUTH `: a mechanism and perhaps the first response.
    pub(super) fn begin(argument: &str, offered: Offered<'_>) -> Progress {
        let (mechanism, initial) = match argument.split_once(' ') {
            Some((mechanism, initial)) => (mechanism, Some(initial.trim_start_matches(' '))),
            None => (argument, None),
        };
        let dialogue = if mechanism.eq_ignore_ascii_case("PLAIN") {
            Self::Plain
        } else if mechanism.eq_ignore_ascii_case("LOGIN") {
            Self::LoginUsername
        } else if offered.scram && mechanism.eq_ignore_ascii_case("SCRAM-SHA-256") {
            Self::ScramFirst { plus: false }
        } else if offered.scram && offered.exporter.is_some() && mechanism.eq_ignore_ascii_case("SCRAM-SHA-256-PLUS") {
            Self::ScramFirst { plus: true }
        } else {
            return Progress::Failed(replies::unknown_mechanism());
        };
        match (initial, dialogue) {
            // RFC 4954 §4: `=` is an initial response of no octets.
            (Some("="), dialogue) => dialogue.next("", offered),
            (Some(response), dialogue) => dialogue.next(response, offered),
            (None, Self::LoginUsername) => Progress::Challenge(Self::LoginUsername, USERNAME_CHALLENGE.to_owned()),
            (None, dialogue) => Progress::Challenge(dialogue, String::new()),
        }
    }

    /// Takes the next response.
    pub(super) fn next(self, response: &str, offered: Offered<'_>) -> Progress {
        if response == "*" {
            return Progress::Failed(replies::authentication_cancelled());
        }
        let Some(text) = decode(response) else {
            return Progress::Failed(replies::bad_authentication());
        };
        match self {
            Self::Plain => plain(&text),
            Self::LoginUsername if text.is_empty() => Progress::Failed(replies::bad_authentication()),
            Self::LoginUsername => {
                let username = text.to_string();
                Progress::Challenge(Self::LoginPassword { username }, PASSWORD_CHALLENGE.to_owned())
            }
            Self::LoginPassword { username } => {
                Progress::Complete { mechanism: Mechanism::Login, authzid: None, username, password: Password(text) }
            }
            Self::ScramFirst { plus } => match First::read(&text, Channel { exporter: offered.exporter, plus }) {
                Ok(first) => Progress::Scram(first),
                Err(_) => Progress::Failed(replies::bad_authentication()),
            },
            Self::ScramProof(challenged) => match challenged.proven(&text) {
                Ok(proven) => Progress::Proven(proven),
                Err(_) => Progress::NotProven(challenged.username().to_owned()),
            },
            Self::ScramEnd if text.is_empty() => Progress::End,
            Self::ScramEnd => Progress::Failed(replies::bad_authentication()),
        }
    }
}

fn decode(response: &str) -> Option<Zeroizing<String>> {
    let octets = STANDARD.decode(response).ok()?;
    match String::from_utf8(octets) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(text: &str) -> Progress {
    let mut parts = text.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(authzid), Some(username), Some(password), None) if !username.is_empty() => Progress::Complete {
            mechanism: Mechanism::Plain,
            authzid: Some(authzid).filter(|text| !text.is_empty()).map(str::to_owned),
            username: username.to_owned(),
            password: Password(Zeroizing::new(password.to_owned())),
        },
        _ => Progress::Failed(replies::bad_authentication()),
    }
}
