//! Command lines: from octets to text, from text to a command.
//!
//! Invariants: a parsed command borrows from its line; nothing here depends on the state of the session.
//! Standards: RFC 5321 §2.3.8 (line ends), §4.1.1 (verbs in any case, trailing white space tolerated).

use std::net::{IpAddr, Ipv6Addr};

use super::{BareNewlines, replies};
use crate::reply::Reply;

/// RFC 5321 §4.5.3.1.2.
const HELLO_OCTETS_MAX: usize = 255;

pub(super) enum Command<'a> {
    Ehlo(&'a str),
    Helo(&'a str),
    StartTls,
    /// Mechanism and perhaps an initial response.
    Auth(&'a str),
    /// All after the verb.
    Mail(&'a str),
    /// All after the verb.
    Rcpt(&'a str),
    Data,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    /// RFC 3030 §2: so many octets follow, whatever becomes of them.
    Bdat(Bdat),
    /// The first line of another protocol, sent here by a browser that was tricked, or by a proxy that is not known.
    Foreign,
    Quit,
}

/// What a BDAT command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bdat {
    pub(super) octets: u64,
    pub(super) role: Role,
}

/// What the chunk is to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    More,
    Last,
    /// Something else than LAST follows the number: the octets are skipped.
    Unknown,
    /// The number itself is unreadable: nobody knows where the next command begins.
    Lost,
}

/// Whether `input` begins with `verb` (upper case), in any case.
pub(super) fn begins_with(input: &[u8], verb: &[u8]) -> bool {
    input.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb))
}

/// The text of a line that ends with LF, without its line end and trailing spaces.
pub(super) fn clean_line(line: &[u8], newlines: BareNewlines) -> Result<&str, Reply> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = match line.strip_suffix(b"\r") {
        Some(text) => text,
        // RFC 5321 §2.3.8: LF alone ends no line.
        None if newlines.are_tolerated() => line,
        None => return Err(replies::bare_newline_in_command()),
    };
    if text.contains(&b'\r') {
        return Err(replies::bare_newline_in_command());
    }
    if text.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
        return Err(replies::control_characters());
    }
    let text = str::from_utf8(text).map_err(|_| replies::control_characters())?;
    // RFC 5321 §4.1.1: receivers tolerate trailing white space.
    Ok(text.trim_end_matches([' ', '\t']))
}

/// Finds the command of a cleaned line.
pub(super) fn parse(line: &str) -> Result<Command<'_>, Reply> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    let mut upper = [0; 8];
    let Some(upper) = upper.get_mut(..verb.len()) else {
        return Err(replies::unknown_command());
    };
    upper.copy_from_slice(verb.as_bytes());
    upper.make_ascii_uppercase();
    match &*upper {
        b"EHLO" => Ok(Command::Ehlo(rest)),
        b"HELO" => Ok(Command::Helo(rest)),
        b"STARTTLS" => bare(Command::StartTls, rest),
        b"AUTH" => Ok(Command::Auth(rest)),
        b"MAIL" => Ok(Command::Mail(rest)),
        b"RCPT" => Ok(Command::Rcpt(rest)),
        b"DATA" => bare(Command::Data, rest),
        b"RSET" => bare(Command::Rset, rest),
        b"NOOP" => Ok(Command::Noop),
        b"QUIT" => bare(Command::Quit, rest),
        b"VRFY" => Ok(Command::Vrfy),
        b"EXPN" => Ok(Command::Expn),
        b"HELP" => Ok(Command::Help),
        b"BDAT" => Ok(Command::Bdat(bdat(rest))),
        b"GET" | b"POST" | b"PUT" | b"HEAD" | b"DELETE" | b"PATCH" | b"OPTIONS" | b"CONNECT" | b"PROXY" => {
            Ok(Command::Foreign)
        }
        _ => Err(replies::unknown_command()),
    }
}

fn bare<'a>(command: Command<'a>, rest: &str) -> Result<Command<'a>, Reply> {
    if rest.is_empty() { Ok(command) } else { Err(replies::no_arguments_allowed()) }
}

/// RFC 3030 §2: `chunk-size [SP "LAST"]`, the size in 1 to 20 digits.
fn bdat(rest: &str) -> Bdat {
    let (digits, end) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_number = (1..=20).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    match digits.parse() {
        Ok(octets) if is_number => {
            let role = match end.trim_start_matches(' ') {
                "" => Role::More,
                word if word.eq_ignore_ascii_case("LAST") => Role::Last,
                _ => Role::Unknown,
            };
            Bdat { octets, role }
        }
        _ => Bdat { octets: 0, role: Role::Lost },
    }
}

/// RFC 5321 §4.1.1.1: a domain or an address literal. Names with an underscore or a trailing dot are taken, since
/// office machines have such names and nothing is decided by it; so is an IPv6 address without its tag.
pub(super) fn is_hello_name(name: &str) -> bool {
    if name.is_empty() || name.len() > HELLO_OCTETS_MAX {
        return false;
    }
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => is_address_literal(literal),
        None => name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b".-_".contains(&octet)),
    }
}

/// RFC 5321 §4.1.3: `192.0.2.1`, `IPv6:2001:db8::1`.
fn is_address_literal(text: &str) -> bool {
    let tagged = text.split_at_checked("IPv6:".len()).filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    match tagged {
        Some((_, address)) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<IpAddr>().is_ok(),
    }
}
