//! What a peer announces in its reply to EHLO.
//!
//! Invariants: what is not understood is not believed; keywords count in any case.
//! Standards: RFC 5321 §4.1.1.1; RFC 1870 §3 (SIZE).

/// The extensions that this client uses, and those it will.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
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
                "STARTTLS" => capabilities.start_tls = true,
                "SMTPUTF8" => capabilities.smtp_utf8 = true,
                "ENHANCEDSTATUSCODES" => capabilities.enhanced_status_codes = true,
                "SIZE" => {
                    capabilities.size = true;
                    let octets = words.next().and_then(|word| word.parse().ok());
                    capabilities.size_octets_max = octets.filter(|octets| *octets > 0);
                }
                _ => {}
            }
        }
        capabilities
    }
}
