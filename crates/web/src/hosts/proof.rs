//! The record by which a controller shows that a name is his.

use mta::Names;
use mta::names::Found;

/// What stands before the name.
const LABEL: &str = "_postern-challenge";
/// What stands before the token in the record.
const WORD: &str = "postern-host=";

/// Where the record is looked for.
pub(crate) fn record_name(name: &str) -> String {
    format!("{LABEL}.{name}")
}

/// What it must say.
pub(crate) fn record_value(token: &str) -> String {
    format!("{WORD}{token}")
}

/// What DNS says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// It is there.
    There,
    /// There is no such record.
    Absent,
    /// There is one, and it says something else.
    Other,
    /// No answer.
    NoAnswer,
}

impl Proof {
    /// What is wrong, with the name of the record.
    pub(crate) fn sentence(self, name: &str) -> String {
        let record = record_name(name);
        match self {
            Self::There => String::new(),
            Self::Absent => format!("DNS has no TXT record {record}"),
            Self::Other => format!("the TXT record {record} does not hold the value that was given for this name"),
            Self::NoAnswer => format!("DNS did not answer for the TXT record {record}"),
        }
    }
}

/// Looks for the record. Others may stand beside it.
pub(crate) async fn look(names: &Names, name: &str, token: &str) -> Proof {
    let wanted = record_value(token);
    match names.texts(&record_name(name)).await {
        Found::Some(texts) if texts.iter().any(|text| text.trim() == wanted) => Proof::There,
        Found::Some(_) => Proof::Other,
        Found::None => Proof::Absent,
        Found::NoAnswer => Proof::NoAnswer,
    }
}
