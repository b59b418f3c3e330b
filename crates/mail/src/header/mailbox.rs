//! One mailbox out of a From value (RFC 5322 §3.4), without the obsolete forms.
//!
//! Accepted: `local@domain`, `<local@domain>`, `Name <local@domain>`; names of atoms, dots, quoted strings and
//! RFC 2047 words; comments between the parts. Refused: lists, groups, source routes, an unquoted `@` in the name,
//! white space or comments inside the address.

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
    let Some(open) = tokens.iter().position(|t| *t == Token::Special(b'<')) else {
        return addr_spec(tokens);
    };
    let (name, rest) = tokens.split_at(open);
    // RFC 5322 §3.2.5: an unquoted `a@good.example <b@evil.example>` is not a phrase, and a favourite of forgers.
    let phrase = name.iter().all(|t| matches!(t, Token::Atom(_) | Token::Quoted(_) | Token::Space));
    match rest {
        [Token::Special(b'<'), inner @ .., Token::Special(b'>')] if phrase => addr_spec(inner),
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

/// RFC 5322 §3.2.3 atext, and the dot, which names such as `John Q. Public` hold and addresses need.
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet)
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
