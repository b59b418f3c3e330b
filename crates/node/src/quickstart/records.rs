//! The DNS records of a sending domain: what to publish, and how it is seen whether somebody did.
//!
//! Standards: RFC 6376 and 8463 (both DKIM keys), RFC 7208 (SPF of the return path), RFC 9989 (DMARC), RFC 8460
//! (reports on TLS).

use mail::address::Domain;
use serde_json::{Value, json};

/// What stands before the domain in the return path (`mta::delivery::Settings::return_path_prefix`).
const RETURN_PATH: &str = "bounce.";
/// Octets of one string of a text (RFC 1035 §3.3).
const STRING_OCTETS: usize = 255;

/// What a record is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    Key,
    ReturnPath,
    Exchanger,
    Policy,
    TlsReports,
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) of: Of,
    pub(crate) kind: &'static str,
    pub(crate) value: String,
    pub(crate) why: &'static str,
}

/// The records of a domain, but for those that name the node.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    domain: String,
    keys: Vec<(String, String)>,
}

impl Published {
    pub(crate) fn of(domain: &Domain, keys: Vec<(String, String)>) -> Self {
        Self { domain: domain.as_str().to_owned(), keys }
    }

    /// All of them, for a node of this name.
    pub(crate) fn records(&self, host: &str) -> Vec<Record> {
        let record = |of, name: String, kind, value: String, why| Record { name, of, kind, value, why };
        let domain = &self.domain;
        let bounce = format!("{RETURN_PATH}{domain}");
        let mut all: Vec<Record> = self
            .keys
            .iter()
            .map(|(name, value)| record(Of::Key, name.clone(), "TXT", value.clone(), "signatures of its mail (DKIM)"))
            .collect();
        all.extend([
            record(
                Of::ReturnPath,
                bounce.clone(),
                "TXT",
                format!("v=spf1 a:{host} -all"),
                "this node may send with its return path (SPF)",
            ),
            record(
                Of::Exchanger,
                bounce,
                "MX",
                format!("10 {host}"),
                "the return path exists, which receivers look for",
            ),
            record(
                Of::Policy,
                format!("_dmarc.{domain}"),
                "TXT",
                "v=DMARC1; p=none".to_owned(),
                "what receivers do with forgeries (DMARC); leave one that is there, raise it to p=reject by and by",
            ),
        ]);
        all
    }

    /// What a domain may publish besides, where mail comes in here: others report on TLS (RFC 8460 §3), and the reports
    /// are taken in when the return path leads here.
    pub(crate) fn tls_reports(&self) -> Record {
        let bounce = format!("{RETURN_PATH}{}", self.domain);
        Record {
            name: format!("_smtp._tls.{bounce}"),
            of: Of::TlsReports,
            kind: "TXT",
            value: format!("v=TLSRPTv1; rua=mailto:tls-reports@{bounce}"),
            why: "other mail systems report how TLS with the return path fares; after `postern return-path`",
        }
    }

    /// Those that do not depend on the node, for programs.
    pub(crate) fn described(&self) -> Value {
        self.keys.iter().map(|(name, value)| json!({"name": name, "type": "TXT", "value": value})).collect()
    }
}

impl Record {
    /// As a line of a zone file.
    pub(crate) fn line(&self) -> String {
        let value = match self.kind {
            "TXT" => strings(&self.value),
            _ => format!("{}.", self.value),
        };
        format!("{}. IN {} {value}", self.name, self.kind)
    }
}

/// A text in strings of at most 255 octets.
fn strings(text: &str) -> String {
    let mut strings: Vec<String> = Vec::new();
    for letter in text.chars() {
        match strings.last_mut().filter(|last| last.len() + letter.len_utf8() <= STRING_OCTETS) {
            Some(last) => last.push(letter),
            None => strings.push(letter.to_string()),
        }
    }
    strings.iter().map(|string| format!("\"{string}\"")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1035_3_3_a_long_text_is_cut_into_strings_and_nothing_is_lost() {
        let key = format!("v=DKIM1; k=rsa; p={}", "A".repeat(400));
        let record = Record {
            name: "p1._domainkey.a.example".to_owned(),
            of: Of::Key,
            kind: "TXT",
            value: key.clone(),
            why: "",
        };
        let line = record.line();
        let texts: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert!(texts.len() == 2 && texts.iter().all(|text| text.len() <= 255), "{line}");
        assert_eq!(texts.concat(), key);
    }

    #[test]
    fn rfc7208_a_domain_s_records_name_keys_return_path_and_policy() {
        let domain = Domain::parse("shop.example").unwrap();
        let keys = vec![("p1._domainkey.shop.example".to_owned(), "v=DKIM1; p=x".to_owned())];
        let published = Published::of(&domain, keys);
        let lines: Vec<String> = published.records("mx.node.example").iter().map(Record::line).collect();
        assert_eq!(
            lines,
            [
                "p1._domainkey.shop.example. IN TXT \"v=DKIM1; p=x\"",
                "bounce.shop.example. IN TXT \"v=spf1 a:mx.node.example -all\"",
                "bounce.shop.example. IN MX 10 mx.node.example.",
                "_dmarc.shop.example. IN TXT \"v=DMARC1; p=none\"",
            ]
        );
        assert_eq!(
            published.tls_reports().line(),
            "_smtp._tls.bounce.shop.example. IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@bounce.shop.example\""
        );
    }
}
