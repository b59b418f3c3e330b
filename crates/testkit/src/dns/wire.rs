//! The octets of DNS messages, as far as a fake server needs them (RFC 1035 §4).

use std::net::IpAddr;

const CLASS_IN: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
const TYPE_PTR: u16 = 12;
const TYPE_MX: u16 = 15;
const TYPE_TXT: u16 = 16;
const TYPE_AAAA: u16 = 28;
const HEADER_OCTETS: usize = 12;
/// QR, AA, RA.
const FLAGS: u16 = 0x8480;
const TRUNCATED: u16 = 0x0200;
/// RD, copied from the question.
const RECURSION_DESIRED: u16 = 0x0100;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;

/// Types of records that a test may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias.
    Cname,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
}

impl RecordType {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::A => TYPE_A,
            Self::Aaaa => TYPE_AAAA,
            Self::Cname => TYPE_CNAME,
            Self::Mx => TYPE_MX,
            Self::Txt => TYPE_TXT,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Record {
    Address(IpAddr),
    Mx {
        preference: u16,
        /// Empty: the root, RFC 7505.
        host: String,
    },
    Txt(String),
    Cname(String),
    Ptr(String),
}

impl Record {
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => TYPE_A,
            Self::Address(IpAddr::V6(_)) => TYPE_AAAA,
            Self::Mx { .. } => TYPE_MX,
            Self::Txt(_) => TYPE_TXT,
            Self::Cname(_) => TYPE_CNAME,
            Self::Ptr(_) => TYPE_PTR,
        }
    }

    fn value(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::Mx { preference, host } => {
                let mut value = preference.to_be_bytes().to_vec();
                push_name(host, &mut value);
                value
            }
            Self::Txt(text) => {
                let mut value = Vec::new();
                for piece in text.as_bytes().chunks(255) {
                    value.push(u8::try_from(piece.len()).unwrap_or(u8::MAX));
                    value.extend_from_slice(piece);
                }
                value
            }
            Self::Cname(target) | Self::Ptr(target) => {
                let mut value = Vec::new();
                push_name(target, &mut value);
                value
            }
        }
    }
}

pub(super) struct Question {
    id: [u8; 2],
    flags: u16,
    pub(super) name: String,
    pub(super) kind: u16,
    /// As it came, to be sent back: resolvers vary the case of letters and compare.
    octets: Vec<u8>,
}

impl Question {
    /// The first question of a message; `None` when it has none that can be read.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let id = message.get(..2)?.try_into().ok()?;
        let flags = u16::from_be_bytes(message.get(2..4)?.try_into().ok()?);
        if u16::from_be_bytes(message.get(4..6)?.try_into().ok()?) == 0 {
            return None;
        }
        let mut name = String::new();
        let mut at = HEADER_OCTETS;
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            match length {
                0 => break,
                1..=63 => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(std::str::from_utf8(message.get(at..at + length)?).ok()?);
                    at += length;
                }
                // No question needs compression.
                _ => return None,
            }
        }
        let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
        let octets = message.get(HEADER_OCTETS..at + 4)?.to_vec();
        Some(Self { id, flags, name, kind, octets })
    }
}

pub(super) struct Response {
    code: u16,
    answers: u16,
    octets: Vec<u8>,
}

impl Response {
    pub(super) const fn success() -> Self {
        Self { code: 0, answers: 0, octets: Vec::new() }
    }

    pub(super) const fn failure() -> Self {
        Self { code: SERVFAIL, answers: 0, octets: Vec::new() }
    }

    pub(super) const fn not_found(&mut self) {
        self.code = NXDOMAIN;
    }

    pub(super) fn answer(&mut self, owner: &str, record: &Record) {
        self.answers += 1;
        push_record(owner, record.kind(), &record.value(), &mut self.octets);
    }

    /// The whole message; without its records, and marked so, when it would be too long.
    pub(super) fn write(&self, question: &Question, octets_max: usize) -> Vec<u8> {
        let mut authority = Vec::new();
        if self.answers == 0 && self.code != SERVFAIL {
            push_soa(&mut authority);
        }
        let whole = HEADER_OCTETS + question.octets.len() + self.octets.len() + authority.len();
        let cut = whole > octets_max;
        let flags = FLAGS | (question.flags & RECURSION_DESIRED) | self.code | if cut { TRUNCATED } else { 0 };
        let mut out = question.id.to_vec();
        let counts = [flags, 1, if cut { 0 } else { self.answers }, u16::from(!cut && !authority.is_empty()), 0];
        for number in counts {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&question.octets);
        if !cut {
            out.extend_from_slice(&self.octets);
            out.extend_from_slice(&authority);
        }
        out
    }
}

/// RFC 2308 §3: a negative answer carries the zone's SOA, whose life bounds how long it is believed: 0.
fn push_soa(out: &mut Vec<u8>) {
    let mut value = Vec::new();
    push_name("ns.zone.test", &mut value);
    push_name("postmaster.zone.test", &mut value);
    for number in [1_u32, 0, 0, 0, 0] {
        value.extend_from_slice(&number.to_be_bytes());
    }
    push_record("", TYPE_SOA, &value, out);
}

fn push_record(owner: &str, kind: u16, value: &[u8], out: &mut Vec<u8>) {
    push_name(owner, out);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

/// Labels with their lengths, without compression.
fn push_name(name: &str, out: &mut Vec<u8>) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap_or(63));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
}
