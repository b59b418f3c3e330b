//! The record by which a domain asks for reports on TLS: to whom they go.
//!
//! Invariants: what is not as the grammar says is no record; two are none; of the places named, those that cannot be
//! reported to are left out. Pure. Standards: RFC 8460 §3.

use mail::address::Address;

/// Places of one record that are looked at: who names more is reported to at the first.
const PLACES_MAX: usize = 4;
/// Octets of one place.
const PLACE_OCTETS_MAX: usize = 255;

/// Where a report goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// By mail.
    Mail(Address),
    /// By POST.
    Https {
        host: String,
        port: u16,
        /// With its query.
        path: String,
    },
}

impl Place {
    /// RFC 8460 §3: `mailto:` and `https:`, and nothing else.
    fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() <= PLACE_OCTETS_MAX && text.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_plain {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        if scheme.eq_ignore_ascii_case("mailto") {
            let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
            return Address::parse(&decoded(path)?).ok().map(Self::Mail);
        }
        let rest = rest.strip_prefix("//").filter(|_| scheme.eq_ignore_ascii_case("https"))?;
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
            None => (authority, 443),
        };
        let host = mail::address::Domain::parse(host).ok()?.to_string();
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self::Https { host, port, path })
    }
}

/// RFC 3986 §2.1. Nothing when it is not text then.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first == b'%' {
            let (digits, more) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|two| two.bytes().all(|it| it.is_ascii_hexdigit()))?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = more;
        } else {
            out.push(*first);
        }
    }
    String::from_utf8(out).ok()
}

/// The places of the one record among these texts, as it names them. Empty: there is no record.
pub(crate) fn named(texts: &[String]) -> Vec<String> {
    let mut records = texts.iter().filter_map(|text| {
        let rest = text.strip_prefix("v=TLSRPTv1")?.trim_start_matches([' ', '\t']);
        rest.strip_prefix(';')
    });
    // RFC 8460 §3: of several, none counts.
    let (Some(record), None) = (records.next(), records.next()) else { return Vec::new() };
    let fields = record.split(';').map(|field| field.trim_matches([' ', '\t']));
    let places = fields.filter_map(|field| {
        let (name, value) = field.split_once('=')?;
        (name.trim_end_matches([' ', '\t']) == "rua").then_some(value)
    });
    let each = places.take(1).flat_map(|places| places.split(','));
    each.map(|place| place.trim_matches([' ', '\t']).to_owned()).filter(|place| !place.is_empty()).collect()
}

/// Those of them that can be reported to, in order.
pub(crate) fn places(texts: &[String]) -> Vec<Place> {
    named(texts).iter().filter_map(|place| Place::parse(place)).take(PLACES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(texts: &[&str]) -> Vec<Place> {
        places(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn by_mail(address: &str) -> Place {
        Place::Mail(Address::parse(address).unwrap())
    }

    #[test]
    fn rfc8460_3_a_record_names_places_by_mail_and_by_post() {
        let post = Place::Https { host: "r.dest.example".to_owned(), port: 443, path: "/v1/tlsrpt?a=b".to_owned() };
        assert_eq!(of(&["v=TLSRPTv1; rua=mailto:reports@dest.example"]), [by_mail("reports@dest.example")]);
        let both = "v=TLSRPTv1;rua=https://r.dest.example/v1/tlsrpt?a=b,mailto:%61@dest.example?subject=x;";
        assert_eq!(of(&["v=spf1 -all", both]), [post, by_mail("a@dest.example")]);
        let other = Place::Https { host: "r.dest.example".to_owned(), port: 8_443, path: "/".to_owned() };
        assert_eq!(of(&["v=TLSRPTv1; x=1; rua=HTTPS://r.dest.example:8443/#x"]), [other]);
    }

    #[test]
    fn rfc8460_3_what_is_no_record_names_nobody() {
        for none in [
            &["v=TLSRPTv1; rua=mailto:a@dest.example", "v=TLSRPTv1; rua=mailto:b@dest.example"][..],
            &["v=TLSRPTv2; rua=mailto:a@dest.example"],
            &["rua=mailto:a@dest.example; v=TLSRPTv1"],
            &["v=TLSRPTv1"],
            &["v=TLSRPTv1;"],
            &["v=TLSRPTv1; rua="],
            &["v=TLSRPTv1; rua=http://r.dest.example/"],
            &["v=TLSRPTv1; rua=ftp://r.dest.example/"],
            &["v=TLSRPTv1; rua=https://[::1]/"],
            &["v=TLSRPTv1; rua=https://a@r.dest.example/"],
            &["v=TLSRPTv1; rua=https://r.dest.example:0/"],
            &["v=TLSRPTv1; rua=mailto:nobody"],
            &["v=TLSRPTv1; rua=mailto:a%zz@dest.example"],
            &[],
        ] {
            assert_eq!(of(none), [], "{none:?}");
        }
        let many = format!("v=TLSRPTv1; rua={}", ["mailto:a@dest.example"; 50].join(","));
        assert_eq!(of(&[&many]).len(), PLACES_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "(v=TLSRPTv1; rua=)?\\PC{0,200}") {
            prop_assert!(places(&[text]).len() <= PLACES_MAX);
        }
    }
}
