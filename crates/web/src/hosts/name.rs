//! Which names a controller may claim, and which name a request is for.

use http::header::HOST;
use http::{Request, Uri};
use mail::address::Domain;
use std::net::IpAddr;

use super::Hosts;

/// Why a name cannot be claimed. Never repeats it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// No DNS name.
    NoName,
    /// A network address.
    Literal,
    /// Under which others register theirs (the Public Suffix List).
    PublicSuffix,
    /// One of this node.
    Ours,
}

impl Unfit {
    /// What is wrong, to stand behind the field's name.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NoName => "is not a host name such as mail.shop.example",
            Self::Literal => "is a network address; give a host name such as mail.shop.example",
            Self::PublicSuffix => {
                "is a public suffix, under which others register names; give one below a domain of yours"
            }
            Self::Ours => "is a name of this node itself; give one of your own",
        }
    }
}

/// A name that may be claimed, in A-labels.
pub(crate) fn parse(text: &str, hosts: Option<&Hosts>) -> Result<Domain, Unfit> {
    let text = text.trim().trim_end_matches('.');
    if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(Unfit::Literal);
    }
    let name = Domain::parse(text).map_err(|error| match error {
        mail::address::AddressError::AddressLiteral => Unfit::Literal,
        _ => Unfit::NoName,
    })?;
    if hosts.is_some_and(|hosts| hosts.is_own(name.as_str())) || is_of_the_machine(name.as_str()) {
        return Err(Unfit::Ours);
    }
    // RFC 952, RFC 1123 §2.1: hosts are letters, digits and hyphens; the list knows what is below a registry.
    if psl::domain_str(name.as_str()).is_none() { Err(Unfit::PublicSuffix) } else { Ok(name) }
}

/// RFC 6761 §6.3: these never leave the machine.
fn is_of_the_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The name that a request is for, in small letters, without port; nothing for a network address or no name.
pub(crate) fn named<B>(request: &Request<B>) -> Option<String> {
    // RFC 9112 §3.2.2, RFC 9113 §8.3.1: what stands in the target counts before the field.
    let given = request.uri().authority().map(ToString::to_string);
    let given = given.or_else(|| request.headers().get(HOST)?.to_str().ok().map(str::to_owned))?;
    let host = given.rsplit_once('@').map_or(given.as_str(), |(_, host)| host);
    if host.starts_with('[') {
        return None;
    }
    let name = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    (!name.is_empty() && name.parse::<IpAddr>().is_err()).then_some(name)
}

/// The name in an address of the node, if there is one.
#[must_use]
pub fn host_of_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.to_ascii_lowercase();
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_err().then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let server = Some("127.0.0.1:53".parse().unwrap());
        Hosts::new(server, vec!["Node.Example".into()], crate::hosts::Strangers::Welcome).unwrap()
    }

    #[tokio::test]
    async fn a_name_of_ones_own_is_claimed_in_a_labels_and_nothing_else() {
        let hosts = hosts();
        for (given, name) in [
            ("mail.shop.example", "mail.shop.example"),
            ("  News.BÜCHER.de. ", "news.xn--bcher-kva.de"),
            ("shop.co.uk", "shop.co.uk"),
            ("deep.below.node.example", "deep.below.node.example"),
        ] {
            assert_eq!(parse(given, Some(&hosts)).unwrap().as_str(), name, "{given}");
        }
        for (given, unfit) in [
            ("", Unfit::NoName),
            ("two words.example", Unfit::NoName),
            ("_dmarc.shop.example", Unfit::NoName),
            ("https://shop.example", Unfit::NoName),
            ("192.0.2.1", Unfit::Literal),
            ("[2001:db8::1]", Unfit::Literal),
            ("2001:db8::1", Unfit::Literal),
            ("co.uk", Unfit::PublicSuffix),
            ("com", Unfit::PublicSuffix),
            ("github.io", Unfit::PublicSuffix),
            ("NODE.example", Unfit::Ours),
            ("localhost", Unfit::Ours),
            ("shop.localhost", Unfit::Ours),
        ] {
            assert_eq!(parse(given, Some(&hosts)), Err(unfit), "{given}");
        }
    }

    #[test]
    fn rfc9110_7_2_a_request_is_for_the_name_in_its_target_or_else_in_its_field() {
        let asked = |uri: &str, host: &str| {
            let request = Request::builder().uri(uri).header(HOST, host).body(()).unwrap();
            named(&request)
        };
        let name = Some("mail.shop.example".to_owned());
        assert_eq!(asked("/", "Mail.Shop.example:8443"), name);
        assert_eq!(asked("/", "mail.shop.example."), name);
        assert_eq!(asked("https://mail.shop.example/f", "other.example"), name);
        for none in ["127.0.0.1:80", "[::1]:80", ""] {
            assert_eq!(asked("/", none), None, "{none}");
        }
        assert_eq!(host_of_url("https://Node.Example:8443/pages").as_deref(), Some("node.example"));
        assert_eq!(host_of_url("https://127.0.0.1:8443"), None);
    }
}
