//! A small verifier: for the demo's mailbox, for checking samples of what we sent, and for reports that come back.
//!
//! It follows RFC 6376 §6.1 with RFC 8301 (no SHA-1, no RSA below 1024 bits) and RFC 8463. Signatures with `l=` are
//! refused, since anybody can add to what they cover (§8.2). DNS and the time are given by the caller.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::canonical::{BodyDigest, BodyHash, relaxed_field, simple_body};
use super::key::KeyKind;
use super::tags::{Tags, without_signature, without_space};
use crate::header::{Field, HeaderBlock, Limits};

/// Most signatures looked at in one message; each costs a query and a verification.
pub const SIGNATURES_MAX: usize = 10;
/// RFC 6376 §3.6.1: what a key may be for that signs mail.
const OF_MAIL: &[&str] = &["*", "email"];
/// RFC 8460 §6.4 adds keys for reports on TLS.
const OF_TLS_REPORTS: &[&str] = &["*", "email", "tlsrpt"];
/// Most names in `h=`.
const COVERED_MAX: usize = 256;

/// What DNS says of `selector._domainkey.domain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxtAnswer {
    /// One TXT record, its strings joined.
    Record(String),
    /// No such name or no TXT record.
    Absent,
    /// No answer now.
    Unavailable,
}

impl From<Option<String>> for TxtAnswer {
    fn from(record: Option<String>) -> Self {
        record.map_or(Self::Absent, Self::Record)
    }
}

/// What one signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictResult {
    /// The message is as the domain signed it.
    Pass,
    /// It is not, and why.
    Fail(&'static str),
    /// The signature or its key cannot be used, now or later, and why.
    PermError(&'static str),
    /// The key could not be fetched.
    TempError,
}

/// One signature and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `d=`; empty where the field could not be read.
    pub domain: String,
    /// `s=`; empty where the field could not be read.
    pub selector: String,
    /// `a=`; empty where the field could not be read.
    pub algorithm: String,
    /// The result.
    pub result: VerdictResult,
}

/// Verifies the signatures of a message from top to bottom, [`SIGNATURES_MAX`] at most. An unsigned message gives an
/// empty list; one whose header block is not well-formed gives a single `PermError`.
#[must_use]
pub fn verify(message: &[u8], lookup: &dyn Fn(&str) -> TxtAnswer, now_unix_s: u64) -> Vec<Verdict> {
    verify_as(message, OF_MAIL, lookup, now_unix_s)
}

/// The same for a report on TLS, whose key may be for such reports alone (RFC 8460 §3).
#[must_use]
pub fn verify_tls_report(message: &[u8], lookup: &dyn Fn(&str) -> TxtAnswer, now_unix_s: u64) -> Vec<Verdict> {
    verify_as(message, OF_TLS_REPORTS, lookup, now_unix_s)
}

fn verify_as(
    message: &[u8],
    uses: &'static [&'static str],
    lookup: &dyn Fn(&str) -> TxtAnswer,
    now_unix_s: u64,
) -> Vec<Verdict> {
    let Ok(block) = HeaderBlock::scan(message, Limits::INBOUND) else {
        return vec![Verdict::unreadable("the header block is not well-formed")];
    };
    block
        .named("DKIM-Signature")
        .take(SIGNATURES_MAX)
        .map(|field| verify_one(&block, field, uses, lookup, now_unix_s))
        .collect()
}

impl Verdict {
    fn unreadable(why: &'static str) -> Self {
        Self {
            domain: String::new(),
            selector: String::new(),
            algorithm: String::new(),
            result: VerdictResult::PermError(why),
        }
    }
}

fn verify_one(
    block: &HeaderBlock<'_>,
    field: &Field<'_>,
    uses: &'static [&'static str],
    lookup: &dyn Fn(&str) -> TxtAnswer,
    now_unix_s: u64,
) -> Verdict {
    let unfolded = field.unfolded();
    let Some(tags) = std::str::from_utf8(&unfolded).ok().and_then(Tags::parse) else {
        return Verdict::unreadable("the signature is not a list of tags");
    };
    let text = |name: &str| tags.get(name).unwrap_or_default().to_owned();
    let result = Signature::read(&tags, uses)
        .and_then(|signature| signature.check(block, field, lookup, now_unix_s))
        .map_or_else(|refused| refused, |()| VerdictResult::Pass);
    Verdict { domain: text("d"), selector: text("s"), algorithm: text("a"), result }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Simple,
    Relaxed,
}

/// A signature field whose tags make sense.
struct Signature<'t> {
    kind: KeyKind,
    header_form: Form,
    body_form: Form,
    domain: &'t str,
    identity_domain: &'t str,
    selector: &'t str,
    covered: Vec<&'t str>,
    body_hash: Vec<u8>,
    signature: Vec<u8>,
    expires_unix_s: Option<u64>,
    /// What its key may be for.
    uses: &'static [&'static str],
}

type Step<T> = Result<T, VerdictResult>;

fn broken<T>(why: &'static str) -> Step<T> {
    Err(VerdictResult::PermError(why))
}

impl<'t> Signature<'t> {
    /// RFC 6376 §6.1.1: what must be there before a key is asked for.
    fn read(tags: &Tags<'t>, uses: &'static [&'static str]) -> Step<Self> {
        let (Some("1"), Some(domain), Some(selector), Some(algorithm), Some(covered)) =
            (tags.get("v"), tags.get("d"), tags.get("s"), tags.get("a"), tags.get("h"))
        else {
            return broken("a required tag is missing or the version is not 1");
        };
        let kind = match algorithm {
            "rsa-sha256" => KeyKind::Rsa,
            "ed25519-sha256" => KeyKind::Ed25519,
            // RFC 8301 §3.1: rsa-sha1 is not to be verified.
            _ => return broken("the algorithm is not accepted"),
        };
        if domain.is_empty() || selector.is_empty() {
            return broken("the domain or the selector is empty");
        }
        if tags.get("l").is_some() {
            return broken("signatures over part of a body (l=) are not accepted");
        }
        let covered: Vec<&str> = covered.split(':').map(str::trim_ascii).collect();
        // RFC 6376 §5.4: without From the signature says nothing about who wrote it.
        if covered.len() > COVERED_MAX || !covered.iter().any(|name| name.eq_ignore_ascii_case("From")) {
            return broken("the signature does not cover From");
        }
        if tags.get("q").is_some_and(|q| !q.split(':').any(|method| method.trim_ascii() == "dns/txt")) {
            return broken("the query method is not dns/txt");
        }
        let (header_form, body_form) = forms(tags.get("c").unwrap_or("simple/simple"))?;
        let expires_unix_s = match tags.get("x").map(str::parse) {
            None => None,
            Some(Ok(expires)) => Some(expires),
            Some(Err(_)) => return broken("the expiry is not a number"),
        };
        Ok(Self {
            kind,
            header_form,
            body_form,
            domain,
            identity_domain: identity_domain(tags.get("i"), domain)?,
            selector,
            covered,
            body_hash: base64_tag(tags.get("bh"))?,
            signature: base64_tag(tags.get("b"))?,
            expires_unix_s,
            uses,
        })
    }

    fn check(
        &self,
        block: &HeaderBlock<'_>,
        field: &Field<'_>,
        lookup: &dyn Fn(&str) -> TxtAnswer,
        now_unix_s: u64,
    ) -> Step<()> {
        if self.expires_unix_s.is_some_and(|expires| expires < now_unix_s) {
            return Err(VerdictResult::Fail("the signature has expired"));
        }
        let record = match lookup(&format!("{}._domainkey.{}", self.selector, self.domain)) {
            TxtAnswer::Record(record) => record,
            TxtAnswer::Absent => return broken("no key is published"),
            TxtAnswer::Unavailable => return Err(VerdictResult::TempError),
        };
        let key = self.key_of(&record)?;
        let body = match self.body_form {
            Form::Relaxed => BodyHash::of(block.body()),
            Form::Simple => simple_body(block.body()),
        };
        if !self.hash_matches(body) {
            return Err(VerdictResult::Fail("the body has been changed"));
        }
        self.verify_header(&key, &self.header_hash(block, field))
    }

    fn hash_matches(&self, body: BodyDigest) -> bool {
        self.body_hash == body.as_bytes()
    }

    /// RFC 6376 §6.1.2: reads the key record.
    fn key_of(&self, record: &str) -> Step<Vec<u8>> {
        let Some(tags) = Tags::parse(record) else { return broken("the key record is not a list of tags") };
        if tags.get("v").is_some_and(|v| v != "DKIM1" || tags.first_name() != Some("v")) {
            return broken("the key record has another version");
        }
        let kind = match tags.get("k").unwrap_or("rsa") {
            "rsa" => KeyKind::Rsa,
            "ed25519" => KeyKind::Ed25519,
            _ => return broken("the key is of an unknown kind"),
        };
        if kind != self.kind {
            return broken("the key is of another kind than the signature");
        }
        let lists = |tag: &str, wanted: &[&str]| {
            tags.get(tag).is_none_or(|list| list.split(':').any(|item| wanted.contains(&item.trim_ascii())))
        };
        if !lists("h", &["sha256"]) || !lists("s", self.uses) {
            return broken("the key is not for SHA-256 or not for e-mail");
        }
        let strict = tags.get("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim_ascii() == "s"));
        if strict && !self.identity_domain.eq_ignore_ascii_case(self.domain) {
            return broken("the key is not for subdomains");
        }
        match tags.get("p") {
            Some("") => broken("the key has been revoked"),
            key => base64_tag(key),
        }
    }

    /// RFC 6376 §3.7: the covered fields in the order of `h=`, then the signature's own without `b=`.
    fn header_hash(&self, block: &HeaderBlock<'_>, own: &Field<'_>) -> Digest {
        let mut canonical = Vec::with_capacity(block.block().len());
        for (index, name) in self.covered.iter().enumerate() {
            let nth = self.covered.iter().take(index).filter(|earlier| earlier.eq_ignore_ascii_case(name)).count();
            // §5.4.2: from the bottom up; a name without a field left is a null field. §3.7: never the field itself.
            let mut others = block.named(name).rev().filter(|field| field.range() != own.range());
            if let Some(field) = others.nth(nth) {
                self.append_field(field.name(), field.raw_value(), &mut canonical);
                canonical.extend_from_slice(b"\r\n");
            }
        }
        self.append_field(own.name(), &without_signature(own.raw_value()), &mut canonical);
        let mut context = Context::new(&SHA256);
        context.update(&canonical);
        context.finish()
    }

    fn append_field(&self, name: &[u8], raw_value: &[u8], out: &mut Vec<u8>) {
        match self.header_form {
            Form::Relaxed => relaxed_field(name, raw_value, out),
            Form::Simple => {
                out.extend_from_slice(name);
                out.push(b':');
                out.extend_from_slice(raw_value);
            }
        }
    }

    fn verify_header(&self, key: &[u8], digest: &Digest) -> Step<()> {
        let verified = match self.kind {
            KeyKind::Rsa => UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key)
                .verify_digest(digest, &self.signature),
            KeyKind::Ed25519 => UnparsedPublicKey::new(&ED25519, key).verify(digest.as_ref(), &self.signature),
        };
        verified.map_err(|_| VerdictResult::Fail("the header has been changed or the key is another"))
    }
}

fn forms(tag: &str) -> Step<(Form, Form)> {
    let form = |name: &str| match name {
        "simple" => Ok(Form::Simple),
        "relaxed" => Ok(Form::Relaxed),
        _ => broken("the canonical form is unknown"),
    };
    // RFC 6376 §3.5: a single name is the header's; the body's is then simple.
    let (header, body) = tag.split_once('/').unwrap_or((tag, "simple"));
    Ok((form(header)?, form(body)?))
}

/// The domain of `i=`, which must be `d=` or below it (RFC 6376 §3.5).
fn identity_domain<'t>(identity: Option<&'t str>, domain: &'t str) -> Step<&'t str> {
    let Some(identity) = identity else { return Ok(domain) };
    let Some((_, identity)) = identity.rsplit_once('@') else { return broken("i= is not an identity") };
    let (lower, parent) = (identity.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let below = lower.strip_suffix(&parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if below { Ok(identity) } else { broken("i= is not of the signing domain") }
}

fn base64_tag(value: Option<&str>) -> Step<Vec<u8>> {
    match value.map(|value| STANDARD.decode(without_space(value))) {
        Some(Ok(octets)) if !octets.is_empty() => Ok(octets),
        _ => broken("a base64 value is missing or malformed"),
    }
}
