//! The signer: one body hash, one canonical header, any number of signatures.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::DkimError;
use super::canonical::{BodyDigest, BodyHash, relaxed_field};
use super::key::SigningKey;
use crate::header::{HeaderBlock, Limits};

/// How a field name enters `h=`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    /// Every instance and once more: nobody can add one, also where there was none.
    Sealed,
    /// Every instance and once more where there is one; nothing where there is none, because relays may add it.
    SealedIfPresent,
    /// Every instance.
    Present,
}

/// What is signed. RFC 6376 §5.4.1 recommends the fields; §8.15 describes what an added one does; RFC 8058 §4 demands
/// both List-Unsubscribe fields, and readers file by the List-Id (RFC 2919 §6); RFC 9477 §3.1 the CFBL ones.
const COVERED: [(&str, Cover); 24] = [
    ("From", Cover::Sealed),
    ("Subject", Cover::Sealed),
    ("Date", Cover::Sealed),
    ("To", Cover::Sealed),
    ("Cc", Cover::Sealed),
    ("Reply-To", Cover::Sealed),
    ("Message-ID", Cover::Sealed),
    ("MIME-Version", Cover::SealedIfPresent),
    ("Content-Type", Cover::SealedIfPresent),
    ("Content-Transfer-Encoding", Cover::SealedIfPresent),
    ("Content-Disposition", Cover::Present),
    ("Sender", Cover::Present),
    ("In-Reply-To", Cover::Present),
    ("References", Cover::Present),
    ("List-Id", Cover::SealedIfPresent),
    ("List-Unsubscribe", Cover::SealedIfPresent),
    ("List-Unsubscribe-Post", Cover::SealedIfPresent),
    ("List-Help", Cover::Present),
    ("List-Owner", Cover::Present),
    ("List-Archive", Cover::Present),
    ("Feedback-ID", Cover::SealedIfPresent),
    ("CFBL-Address", Cover::SealedIfPresent),
    ("CFBL-Feedback-ID", Cover::SealedIfPresent),
    ("Auto-Submitted", Cover::Present),
];

/// RFC 5322 §2.1.1: lines should stay within 78 octets.
const LINE_OCTETS: usize = 76;

/// Who signs: a domain, the selector of one of its keys, and the key.
#[derive(Debug, Clone)]
pub struct Signer {
    domain: String,
    selector: String,
    key: Arc<SigningKey>,
}

impl Signer {
    /// A signer of `domain` (A-labels) with the key published at `selector._domainkey.domain`.
    ///
    /// # Errors
    /// [`DkimError::Name`]
    pub fn new(domain: &str, selector: &str, key: Arc<SigningKey>) -> Result<Self, DkimError> {
        if !is_dns_name(domain) || !is_dns_name(selector) {
            return Err(DkimError::Name);
        }
        Ok(Self { domain: domain.to_ascii_lowercase(), selector: selector.to_ascii_lowercase(), key })
    }

    /// The domain that vouches for the message (`d=`).
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The selector (`s=`).
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }
}

/// Signs a message. `head` is its header block, with or without the blank line; the result is the DKIM-Signature
/// fields, one per signer in the order given, each ending in CRLF, to be put before `head`.
///
/// `at_unix_s` becomes `t=`, `expires_unix_s` becomes `x=`; an expiry must outlive every queue the message may wait in.
///
/// # Errors
/// No signer, a header block that is not well-formed or has not exactly one From, a failure of the library.
pub fn sign(
    head: &[u8],
    body: &[u8],
    signers: &[Signer],
    at_unix_s: u64,
    expires_unix_s: Option<u64>,
) -> Result<Vec<u8>, DkimError> {
    sign_with_body(head, BodyHash::of(body), signers, at_unix_s, expires_unix_s)
}

/// As [`sign`], with the body already hashed: copies of a message that differ only in their header share one hash.
///
/// # Errors
/// As [`sign`].
pub fn sign_with_body(
    head: &[u8],
    body: BodyDigest,
    signers: &[Signer],
    at_unix_s: u64,
    expires_unix_s: Option<u64>,
) -> Result<Vec<u8>, DkimError> {
    if signers.is_empty() {
        return Err(DkimError::NoSigner);
    }
    let block = HeaderBlock::scan(head, Limits::INTERNATIONAL)?;
    let (names, canonical) = cover(&block)?;
    let mut prefix = Context::new(&SHA256);
    prefix.update(&canonical);
    let body_hash = STANDARD.encode(body.as_bytes());
    let mut fields = Vec::with_capacity(signers.len() * FIELD_OCTETS_TYPICAL);
    for signer in signers {
        let unsigned = unsigned_field(signer, &names, &body_hash, at_unix_s, expires_unix_s);
        let mut own = Vec::with_capacity(unsigned.len());
        // RFC 6376 §3.7: the signature's own field comes last, with an empty b=, and without CRLF.
        relaxed_field(b"DKIM-Signature", unsigned.as_bytes(), &mut own);
        let mut context = prefix.clone();
        context.update(&own);
        let signature = STANDARD.encode(signer.key.sign_digest(&context.finish())?);
        fields.extend_from_slice(b"DKIM-Signature:");
        fields.extend_from_slice(unsigned.as_bytes());
        append_folded(&signature, &mut fields);
        fields.extend_from_slice(b"\r\n");
    }
    Ok(fields)
}

/// A field with an RSA-2048 signature is about 1000 octets.
const FIELD_OCTETS_TYPICAL: usize = 1200;

/// The names for `h=`, and the covered fields in canonical form in the same order.
fn cover(block: &HeaderBlock<'_>) -> Result<(Vec<&'static str>, Vec<u8>), DkimError> {
    if block.count("From") != 1 {
        return Err(DkimError::From);
    }
    let mut names = Vec::with_capacity(COVERED.len() * 2);
    let mut canonical = Vec::with_capacity(block.block().len());
    for (name, cover) in COVERED {
        let before = names.len();
        // RFC 6376 §5.4.2: repeated names stand for the instances from the bottom up.
        for field in block.named(name).rev() {
            names.push(name);
            relaxed_field(field.name(), field.raw_value(), &mut canonical);
            canonical.extend_from_slice(b"\r\n");
        }
        let present = names.len() > before;
        // RFC 6376 §5.4, §8.15: a name listed once more than present is a null field, and adding one breaks the
        // signature.
        if cover == Cover::Sealed || (cover == Cover::SealedIfPresent && present) {
            names.push(name);
        }
    }
    Ok((names, canonical))
}

/// The value of the field up to and with `b=`.
fn unsigned_field(
    signer: &Signer,
    names: &[&str],
    body_hash: &str,
    at_unix_s: u64,
    expires_unix_s: Option<u64>,
) -> String {
    let mut value = format!(" v=1; a={}; c=relaxed/relaxed;\r\n\t", signer.key.kind().algorithm());
    value.push_str(&format!("d={};\r\n\ts={}; t={at_unix_s};", signer.domain, signer.selector));
    if let Some(expires) = expires_unix_s {
        value.push_str(&format!(" x={expires};"));
    }
    value.push_str("\r\n\th=");
    let mut column = 8 + 2;
    for (index, name) in names.iter().enumerate() {
        let tail = if index + 1 == names.len() { ';' } else { ':' };
        if column + name.len() + 1 > LINE_OCTETS && index > 0 {
            value.push_str("\r\n\t ");
            column = 9;
        }
        value.push_str(name);
        value.push(tail);
        column += name.len() + 1;
    }
    value.push_str(&format!("\r\n\tbh={body_hash};\r\n\tb="));
    value
}

/// Base64 in lines; RFC 6376 §3.5 allows white space anywhere in `b=`.
fn append_folded(signature: &str, out: &mut Vec<u8>) {
    let mut rest = signature;
    let mut room = LINE_OCTETS - 8 - 2;
    while let Some((line, after)) = rest.split_at_checked(room) {
        out.extend_from_slice(line.as_bytes());
        rest = after;
        if rest.is_empty() {
            return;
        }
        out.extend_from_slice(b"\r\n\t ");
        room = LINE_OCTETS - 9;
    }
    out.extend_from_slice(rest.as_bytes());
}

/// RFC 1035 §2.3.4: labels of 1 to 63 octets, 253 in all; letters, digits, hyphens and (for selectors) underscores.
fn is_dns_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}
