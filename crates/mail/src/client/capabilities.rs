//! What a peer announces in its reply to EHLO.
//!
//! Invariants: what is not understood is not believed; keywords count in any case.
//! Standards: RFC 5321 §4.1.1.1; RFC 1870 §3 (SIZE); RFC 3030 (CHUNKING); RFC 9422 (LIMITS); RFC 8689 §2 (REQUIRETLS).

/// The extensions that this client uses, and those it will.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 3030 §2: BDAT in place of DATA.
    pub chunking: bool,
    /// RFC 3461.
    pub notifications: bool,
    /// RFC 8689: the peer asks the same of whoever it hands the message on to.
    pub require_tls: bool,
    /// RFC 3207.
    pub start_tls: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 1870 was announced, so MAIL may carry SIZE.
    pub size: bool,
    /// RFC 1870 §3: the most the peer takes; none, or 0 on the wire, where it does not say.
    pub size_octets_max: Option<u64>,
    /// RFC 9422 §4.1: transactions the peer takes on one connection, at least 1.
    pub transactions_max: Option<u32>,
    /// RFC 9422 §4.2: recipients the peer takes in one transaction, at least 1.
    pub recipients_max: Option<u32>,
}

impl Capabilities {
    /// Reads the lines of an EHLO reply; the first one is the peer's name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut capabilities = Self::default();
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => capabilities.pipelining = true,
                "8BITMIME" => capabilities.eight_bit_mime = true,
                "CHUNKING" => capabilities.chunking = true,
                "DSN" => capabilities.notifications = true,
                "REQUIRETLS" => capabilities.require_tls = true,
                "STARTTLS" => capabilities.start_tls = true,
                "SMTPUTF8" => capabilities.smtp_utf8 = true,
                "ENHANCEDSTATUSCODES" => capabilities.enhanced_status_codes = true,
                "SIZE" => {
                    capabilities.size = true;
                    let octets = words.next().and_then(|word| word.parse().ok());
                    capabilities.size_octets_max = octets.filter(|octets| *octets > 0);
                }
                "LIMITS" => words.for_each(|word| capabilities.limit(word)),
                _ => {}
            }
        }
        capabilities
    }

    /// RFC 9422 §2.3: `NAME=digits`. A bound of 0, or one that is no number, is not believed.
    fn limit(&mut self, word: &str) {
        let Some((name, digits)) = word.split_once('=') else { return };
        let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
        let Some(value) = digits.parse().ok().filter(|value| is_number && *value > 0) else { return };
        match name.to_ascii_uppercase().as_str() {
            "MAILMAX" => self.transactions_max = Some(value),
            "RCPTMAX" => self.recipients_max = Some(value),
            _ => {}
        }
    }
}
