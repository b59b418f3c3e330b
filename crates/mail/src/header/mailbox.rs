//! One mailbox out of a From value, or all of a To, Cc or Bcc value (RFC 5322 §3.4), without the obsolete forms but
//! empty places in lists.
//!
//! Accepted: `local@domain`, `<local@domain>`, `Name <local@domain>`; names of atoms, dots, quoted strings and
//! RFC 2047 words; comments between the parts; in lists also groups. Refused: source routes, an unquoted `@` in the
//! name, white space or comments inside the address; where one is asked for, lists and groups.

use super::MailboxFault;
use crate::address::Address;

/// Comments within comments.
const COMMENT_DEPTH_MAX: usize = 8;

/// A lexical piece; `Space` stands for any run of white space and comments.
#[derive(Debug, PartialEq, Eq)]
enum Token<'v> {
    Atom(&'v [u8]),
    /// With its quotes.
    Quoted(&'v [u8]),
    Special(u8),
    Space,
}

/// Reads exactly one mailbox.
pub(super) fn parse_one(value: &[u8]) -> Result<Address, MailboxFault> {
    let tokens = tokenise(value)?;
    let tokens = trim(&tokens);
    if tokens.is_empty() {
        return Err(MailboxFault::Empty);
    }
    // Said first, so that a sender of lists or groups learns what is wrong rather than "syntax".
    if tokens.iter().any(|t| matches!(t, Token::Special(b':' | b';'))) {
        return Err(MailboxFault::Group);
    }
    if tokens.contains(&Token::Special(b',')) {
        return Err(MailboxFault::Several);
    }
    mailbox(tokens)
}

/// Reads all mailboxes of an address list, those of groups among them, in their order.
///
/// RFC 5322 §3.4: `undisclosed-recipients:;` names nobody. §4.4: empty places between commas are passed over.
pub(super) fn parse_all(value: &[u8]) -> Result<Vec<Address>, MailboxFault> {
    let tokens = tokenise(value)?;
    let mut found = Vec::new();
    let mut group = Group::Outside;
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        let Token::Special(mark @ (b',' | b':' | b';')) = token else { continue };
        let piece = trim(tokens.get(start..at).unwrap_or_default());
        start = at + 1;
        group = match (mark, group) {
            (b':', Group::Outside) if !piece.is_empty() && is_phrase(piece) => Group::Inside,
            (b',', Group::Outside | Group::Inside) => {
                found.extend(present(piece)?);
                group
            }
            (b';', Group::Inside) => {
                found.extend(present(piece)?);
                Group::Over
            }
            (b',', Group::Over) if piece.is_empty() => Group::Outside,
            _ => return Err(MailboxFault::Syntax),
        };
    }
    let rest = trim(tokens.get(start..).unwrap_or_default());
    match group {
        Group::Outside => found.extend(present(rest)?),
        Group::Over if rest.is_empty() => {}
        Group::Over | Group::Inside => return Err(MailboxFault::Syntax),
    }
    Ok(found)
}

/// Where in a list of addresses one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Outside,
    /// Behind `name:`.
    Inside,
    /// Behind its `;`: the next thing is a comma, or the end.
    Over,
}

fn present(tokens: &[Token<'_>]) -> Result<Option<Address>, MailboxFault> {
    if tokens.is_empty() { Ok(None) } else { mailbox(tokens).map(Some) }
}

fn is_phrase(tokens: &[Token<'_>]) -> bool {
    tokens.iter().all(|t| matches!(t, Token::Atom(_) | Token::Quoted(_) | Token::Space))
}

fn mailbox(tokens: &[Token<'_>]) -> Result<Address, MailboxFault> {
    let Some(open) = tokens.iter().position(|t| *t == Token::Special(b'<')) else {
        return addr_spec(tokens);
    };
    let (name, rest) = tokens.split_at(open);
    // RFC 5322 §3.2.5: an unquoted `a@good.example <b@evil.example>` is not a phrase, and a favourite of forgers.
    match rest {
        [Token::Special(b'<'), inner @ .., Token::Special(b'>')] if is_phrase(name) => addr_spec(inner),
        _ => Err(MailboxFault::Syntax),
    }
}

fn addr_spec(tokens: &[Token<'_>]) -> Result<Address, MailboxFault> {
    let [Token::Atom(local) | Token::Quoted(local), Token::Special(b'@'), Token::Atom(domain)] = tokens else {
        return Err(MailboxFault::Syntax);
    };
    let text = [*local, b"@", *domain].concat();
    let text = std::str::from_utf8(&text).map_err(|_| MailboxFault::Syntax)?;
    Ok(Address::parse(text)?)
}

fn trim<'t, 'v>(mut tokens: &'t [Token<'v>]) -> &'t [Token<'v>] {
    while let [Token::Space, rest @ ..] = tokens {
        tokens = rest;
    }
    while let [rest @ .., Token::Space] = tokens {
        tokens = rest;
    }
    tokens
}

fn tokenise(value: &[u8]) -> Result<Vec<Token<'_>>, MailboxFault> {
    let mut tokens = Vec::new();
    let mut rest = value;
    while let Some(&octet) = rest.first() {
        let (token, length) = match octet {
            b' ' | b'\t' => (Token::Space, 1),
            b'(' => (Token::Space, comment_length(rest)?),
            b'"' => {
                let length = quoted_length(rest).ok_or(MailboxFault::Syntax)?;
                (Token::Quoted(rest.get(..length).unwrap_or_default()), length)
            }
            b'<' | b'>' | b'@' | b',' | b':' | b';' => (Token::Special(octet), 1),
            _ => {
                let length = rest.iter().position(|&b| !is_atom_octet(b)).unwrap_or(rest.len());
                if length == 0 {
                    return Err(MailboxFault::Syntax);
                }
                (Token::Atom(rest.get(..length).unwrap_or_default()), length)
            }
        };
        if token != Token::Space || tokens.last() != Some(&Token::Space) {
            tokens.push(token);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// RFC 5322 §3.2.3 atext, and the dot, which names such as `John Q. Public` hold and addresses need. RFC 6532 §3.2: and
/// what is outside ASCII, where the block may have it.
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet)
}

/// Length of the comment at the start of `rest`, both brackets included.
fn comment_length(rest: &[u8]) -> Result<usize, MailboxFault> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (index, &octet) in rest.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' if depth == COMMENT_DEPTH_MAX => return Err(MailboxFault::Depth),
            b'(' => depth += 1,
            b')' if depth == 1 => return Ok(index + 1),
            b')' => depth -= 1,
            _ => {}
        }
    }
    Err(MailboxFault::Syntax)
}

/// Length of the quoted string at the start of `rest`, both quotes included.
fn quoted_length(rest: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (index, &octet) in rest.iter().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}
