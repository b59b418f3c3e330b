//! The SASL dialogue of AUTH: challenges out, a credential in.
//!
//! Invariants: at most three lines a dialogue; a password lives in one [`Password`], wiped when dropped.
//! Never: a look at the credential itself; that is the driver's.
//! Standards: RFC 4954 §4, RFC 4616 (PLAIN), draft-murchison-sasl-login (LOGIN, for old clients).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::replies;
use crate::reply::Reply;

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

/// Which line of which mechanism comes next.
pub(super) enum Dialogue {
    Plain,
    LoginUsername,
    LoginPassword { username: String },
}

pub(super) enum Progress {
    Challenge(Dialogue, &'static str),
    Complete { mechanism: Mechanism, authzid: Option<String>, username: String, password: Password },
    Failed(Reply),
}

impl Dialogue {
    /// Reads what follows `AUTH `: a mechanism and perhaps the first response.
    pub(super) fn begin(argument: &str) -> Progress {
        let (mechanism, initial) = match argument.split_once(' ') {
            Some((mechanism, initial)) => (mechanism, Some(initial.trim_start_matches(' '))),
            None => (argument, None),
        };
        let dialogue = if mechanism.eq_ignore_ascii_case("PLAIN") {
            Self::Plain
        } else if mechanism.eq_ignore_ascii_case("LOGIN") {
            Self::LoginUsername
        } else {
            return Progress::Failed(replies::unknown_mechanism());
        };
        match (initial, dialogue) {
            // RFC 4954 §4: `=` is an initial response of no octets.
            (Some("="), dialogue) => dialogue.next(""),
            (Some(response), dialogue) => dialogue.next(response),
            (None, Self::LoginUsername) => Progress::Challenge(Self::LoginUsername, USERNAME_CHALLENGE),
            (None, dialogue) => Progress::Challenge(dialogue, ""),
        }
    }

    /// Takes the next response.
    pub(super) fn next(self, response: &str) -> Progress {
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
                Progress::Challenge(Self::LoginPassword { username: text.to_string() }, PASSWORD_CHALLENGE)
            }
            Self::LoginPassword { username } => {
                Progress::Complete { mechanism: Mechanism::Login, authzid: None, username, password: Password(text) }
            }
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
