//! The arguments of MAIL and RCPT: a path in angle brackets and parameters.
//!
//! Invariants: a path is an [`Address`], the null path or a refusal; an unknown parameter is refused, never skipped,
//! because it may ask for something that we would then not do.
//! Standards: RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.1.11, §4.1.2; RFC 1870 §6; RFC 6152 §2; RFC 4954 §5; RFC 3461 §4;
//! RFC 6531 §3.4; RFC 8689 §2.

use super::BodyKind;
use crate::address::{Address, AddressError, Domain, Repertoire, ReversePath};
use crate::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use crate::reply::Reply;
use crate::require_tls::{self, RequireTls};

#[derive(Debug)]
pub(super) struct Mail {
    pub(super) reverse_path: ReversePath,
    pub(super) size: Option<u64>,
    pub(super) body: BodyKind,
    pub(super) repertoire: Repertoire,
    pub(super) returned: Option<Return>,
    pub(super) envelope_id: Option<EnvelopeId>,
    pub(super) require_tls: RequireTls,
}

#[derive(Debug)]
pub(super) struct Rcpt {
    pub(super) address: Address,
    pub(super) notify: Option<Notify>,
    pub(super) original: Option<OriginalRecipient>,
}

/// Which parameters a client may use.
#[derive(Clone, Copy)]
pub(super) struct Offered {
    /// EHLO: any at all.
    pub(super) extended: bool,
    /// RFC 3461.
    pub(super) notifications: bool,
    /// RFC 8689.
    pub(super) require_tls: TlsNeed,
    /// RFC 6531 §3.4: whether MAIL came with SMTPUTF8. For MAIL itself it is not known before.
    pub(super) repertoire: Repertoire,
}

/// RFC 8689: may MAIL ask for TLS on the way on?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsNeed {
    /// The listener keeps no such promise.
    NotKept,
    /// It does, and this session is not encrypted.
    NotInClear,
    Kept,
}

/// Whose path it is; this chooses the enhanced code (RFC 3463 §3.2: 5.1.7 sender, 5.1.3 recipient).
#[derive(Clone, Copy)]
enum Side {
    Sender,
    Recipient,
}

impl Side {
    fn bad_path(self, text: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
        match self {
            Self::Sender => Reply::new(501, (5, 1, 7), text),
            Self::Recipient => Reply::new(501, (5, 1, 3), text),
        }
    }
}

/// Reads what follows `MAIL `. Parameters are an extension, so HELO has none.
pub(super) fn parse_mail(argument: &str, offered: Offered) -> Result<Mail, Reply> {
    let (path, parameters) = split_path(argument, "FROM:", Side::Sender)?;
    let mut mail = Mail {
        reverse_path: ReversePath::Null,
        size: None,
        body: BodyKind::SevenBit,
        repertoire: Repertoire::Ascii,
        returned: None,
        envelope_id: None,
        require_tls: RequireTls::No,
    };
    let mut seen = Seen::default();
    for parameter in Parameters(parameters) {
        let (keyword, value) = parameter?;
        if !offered.extended {
            return Err(unknown_parameter());
        }
        mail_parameter(&mut mail, &mut seen, offered, keyword, value)?;
    }
    ensure_ascii(parameters, mail.repertoire)?;
    // RFC 6531 §3.4: the parameter stands behind the path for which it is needed.
    if !path.is_empty() {
        mail.reverse_path = ReversePath::Address(read_address(path, Side::Sender, mail.repertoire)?);
    }
    Ok(mail)
}

/// RFC 6531 §3.4: values outside ASCII need SMTPUTF8, as paths do.
fn ensure_ascii(parameters: &str, repertoire: Repertoire) -> Result<(), Reply> {
    if repertoire == Repertoire::Utf8 || parameters.is_ascii() { Ok(()) } else { Err(bad_parameter()) }
}

/// Reads what follows `RCPT `. `hostname` completes a bare `<postmaster>`.
pub(super) fn parse_rcpt(argument: &str, hostname: &Domain, offered: Offered) -> Result<Rcpt, Reply> {
    let (path, parameters) = split_path(argument, "TO:", Side::Recipient)?;
    // RFC 5321 §4.1.1.3: postmaster needs no domain.
    let address = if path.eq_ignore_ascii_case("postmaster") {
        Address::postmaster(hostname.clone())
    } else {
        read_address(path, Side::Recipient, offered.repertoire)?
    };
    ensure_ascii(parameters, offered.repertoire)?;
    let mut rcpt = Rcpt { address, notify: None, original: None };
    for parameter in Parameters(parameters) {
        let (keyword, value) = parameter?;
        if !offered.extended || !offered.notifications {
            return Err(unknown_parameter());
        }
        if keyword.eq_ignore_ascii_case("NOTIFY") {
            set_once(&mut rcpt.notify, value.and_then(Notify::parse))?;
        } else if keyword.eq_ignore_ascii_case("ORCPT") {
            set_once(&mut rcpt.original, value.and_then(OriginalRecipient::parse))?;
        } else {
            return Err(unknown_parameter());
        }
    }
    Ok(rcpt)
}

/// RFC 5321 §4.1.1.11: at most once, and well formed.
fn set_once<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Reply> {
    let value = value.ok_or_else(bad_parameter)?;
    if place.replace(value).is_some() { Err(bad_parameter()) } else { Ok(()) }
}

/// RFC 5321 §4.1.1.11: each parameter at most once.
#[derive(Default)]
struct Seen {
    size: bool,
    body: bool,
    auth: bool,
    utf8: bool,
}

fn mail_parameter(
    mail: &mut Mail,
    seen: &mut Seen,
    offered: Offered,
    keyword: &str,
    value: Option<&str>,
) -> Result<(), Reply> {
    if keyword.eq_ignore_ascii_case("SIZE") {
        once(&mut seen.size)?;
        mail.size = Some(size(value)?);
    } else if keyword.eq_ignore_ascii_case("BODY") {
        once(&mut seen.body)?;
        mail.body = body(value)?;
    } else if keyword.eq_ignore_ascii_case("SMTPUTF8") {
        // RFC 6531 §3.4: it has no value.
        once(&mut seen.utf8)?;
        if value.is_some() {
            return Err(bad_parameter());
        }
        mail.repertoire = Repertoire::Utf8;
    } else if keyword.eq_ignore_ascii_case("AUTH") {
        // RFC 4954 §5: who first submitted it. We believe only our own AUTH, so it is read and dropped.
        once(&mut seen.auth)?;
        value.ok_or_else(bad_parameter)?;
    } else if offered.notifications && keyword.eq_ignore_ascii_case("RET") {
        set_once(&mut mail.returned, value.and_then(Return::parse))?;
    } else if offered.notifications && keyword.eq_ignore_ascii_case("ENVID") {
        set_once(&mut mail.envelope_id, value.and_then(EnvelopeId::parse))?;
    } else if offered.require_tls != TlsNeed::NotKept && keyword.eq_ignore_ascii_case(require_tls::KEYWORD) {
        // RFC 8689 §2: it has no value, and is offered within TLS alone; in clear the promise is broken already.
        if value.is_some() || mail.require_tls.is_asked() {
            return Err(bad_parameter());
        }
        if offered.require_tls == TlsNeed::NotInClear {
            return Err(tls_needed());
        }
        mail.require_tls = RequireTls::Yes;
    } else {
        return Err(unknown_parameter());
    }
    Ok(())
}

fn once(seen: &mut bool) -> Result<(), Reply> {
    if std::mem::replace(seen, true) { Err(bad_parameter()) } else { Ok(()) }
}

/// RFC 1870 §6: 1 to 20 digits; what a u64 cannot hold is as large as it can say.
fn size(value: Option<&str>) -> Result<u64, Reply> {
    let digits = value.ok_or_else(bad_parameter)?;
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(bad_parameter());
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn body(value: Option<&str>) -> Result<BodyKind, Reply> {
    match value {
        Some(kind) if kind.eq_ignore_ascii_case("7BIT") => Ok(BodyKind::SevenBit),
        Some(kind) if kind.eq_ignore_ascii_case("8BITMIME") => Ok(BodyKind::EightBitMime),
        _ => Err(bad_parameter()),
    }
}

fn bad_parameter() -> Reply {
    Reply::new(501, (5, 5, 4), "a parameter is malformed or given twice")
}

fn tls_needed() -> Reply {
    Reply::new(530, (5, 7, 10), "REQUIRETLS is taken in an encrypted session only; use STARTTLS first")
}

fn unknown_parameter() -> Reply {
    Reply::new(555, (5, 5, 4), "a parameter is not offered here")
}

/// The path between the brackets, and the text of the parameters.
fn split_path<'a>(argument: &'a str, prefix: &str, side: Side) -> Result<(&'a str, &'a str), Reply> {
    let bad = || side.bad_path("give the address in angle brackets");
    let (head, rest) = argument.split_at_checked(prefix.len()).ok_or_else(bad)?;
    if !head.eq_ignore_ascii_case(prefix) {
        return Err(bad());
    }
    // The grammar has no space after the colon, but many clients send one and it is not ambiguous.
    let rest = rest.trim_start_matches(' ').strip_prefix('<').ok_or_else(bad)?;
    let (path, rest) = rest.split_at_checked(path_octets(rest).ok_or_else(bad)?).ok_or_else(bad)?;
    let rest = rest.strip_prefix('>').ok_or_else(bad)?;
    if rest.is_empty() || rest.starts_with(' ') { Ok((path, rest)) } else { Err(bad()) }
}

/// Octets before the `>` that ends the path; one within a quoted string does not.
fn path_octets(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|octet| {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return octet == b'>' && !quoted,
        }
        false
    })
}

fn read_address(path: &str, side: Side, repertoire: Repertoire) -> Result<Address, Reply> {
    if path.starts_with('@') {
        // RFC 5321 §3.3 and appendix C let a server refuse source routes; we relay for nobody.
        return Err(side.bad_path("source routes are not accepted"));
    }
    // RFC 6531 §3.5: also one of which only the domain is outside ASCII, since it was not written in A-labels.
    if repertoire == Repertoire::Ascii && !path.is_ascii() {
        return Err(Reply::new(553, (5, 6, 7), "addresses outside ASCII need the parameter SMTPUTF8 of MAIL"));
    }
    Address::parse(path).map_err(|error: AddressError| side.bad_path(error.to_string()))
}

/// RFC 5321 §4.1.2: `keyword[=value]`, parted by spaces.
struct Parameters<'a>(&'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a str, Option<&'a str>), Reply>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_start_matches(' ');
        if text.is_empty() {
            return None;
        }
        let (parameter, rest) = text.split_once(' ').unwrap_or((text, ""));
        self.0 = rest;
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (parameter, None),
        };
        let keyword_is_good = !keyword.is_empty()
            && !keyword.starts_with('-')
            && keyword.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        let value_is_good = value.is_none_or(|value| {
            !value.is_empty() && value.bytes().all(|octet| matches!(octet, b'!'..=b'<' | b'>'..=b'~' | 0x80..))
        });
        Some(if keyword_is_good && value_is_good { Ok((keyword, value)) } else { Err(bad_parameter()) })
    }
}
