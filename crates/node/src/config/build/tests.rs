//! What values come to, and what they do not.

use super::*;
use crate::config::values::{Given, Layer};

fn values(given: &[(&Key, &str)]) -> Values {
    let texts = |key: &Key, text: &str| crate::config::values::split(key, text);
    let flags: Layer =
        given.iter().map(|(key, text)| (key.name, Given { texts: texts(key, text), origin: Origin::Flag })).collect();
    let (values, faults) = Values::of(vec![flags]);
    assert!(faults.is_empty(), "{faults:?}");
    values
}

fn told<T: std::fmt::Debug>(outcome: anyhow::Result<T>) -> String {
    format!("{:#}", outcome.unwrap_err())
}

#[test]
fn rfc8058_3_1_the_pages_are_named_or_follow_from_a_public_address_by_https() {
    let named = |url: &str| Some(Pages::parse(url).unwrap());
    let both = |own: &str, public: &str| pages(&values(&[(&keys::PAGES_URL, own), (&keys::PUBLIC_URL, public)]));
    let public = |url: &str| pages(&values(&[(&keys::PUBLIC_URL, url)]));
    assert_eq!(both("https://mail.example", "https://api.example").unwrap(), named("https://mail.example"));
    assert_eq!(public("https://api.example/").unwrap(), named("https://api.example"));
    // Twins: what recipients could not reach safely is none, and a wrong name is told.
    assert_eq!(public("http://api.example").unwrap(), None);
    assert_eq!(pages(&values(&[])).unwrap(), None);
    let wrong = told(both("http://mail.example", "https://mail.example"));
    assert!(wrong.starts_with("--pages-url http://mail.example: "), "{wrong}");
}

#[test]
fn rfc8555_an_authority_is_asked_over_https_and_knows_whom_to_write_to() {
    let asked = |directory: &str, contact: &str| {
        acme(&values(&[(&keys::ACME_DIRECTORY, directory), (&keys::ACME_CONTACT, contact)]))
    };
    let found = asked("https://acme.example/dir", "Ops@node.example,mailto:two@node.example").unwrap().unwrap();
    assert_eq!(found.contact, ["mailto:Ops@node.example", "mailto:two@node.example"]);
    assert!(acme(&values(&[])).unwrap().is_none());
    let refused = told(asked("http://acme.example/dir", "ops@node.example"));
    assert_eq!(refused, "--acme-directory http://acme.example/dir is not an https address");
    let refused = told(asked("https://acme.example/dir", "nobody"));
    assert!(refused.starts_with("--acme-contact is not an e-mail address") && !refused.contains("nobody"), "{refused}");
    let refused = told(acme(&values(&[
        (&keys::ACME_DIRECTORY, "https://acme.example/dir"),
        (&keys::ACME_CONTACT, "ops@node.example"),
        (&keys::ACME_CA, "not-there.pem"),
    ])));
    assert!(refused.starts_with("--acme-ca: not-there.pem cannot be read"), "{refused}");
    let refused = told(acme(&values(&[(&keys::ACME_CONTACT, "ops@node.example")])));
    assert!(refused.contains("needs acme.directory"), "{refused}");
    let refused = told(acme(&values(&[(&keys::ACME_DIRECTORY, "https://acme.example/dir")])));
    assert!(refused.contains("needs acme.contact"), "{refused}");
}

#[test]
fn doors_follow_from_roles_and_a_base_port_and_no_two_have_one_address() {
    let of = |given: &[(&Key, &str)]| {
        let values = values(given);
        doors(&values, roles(&values)?)
    };
    let all = of(&[]).unwrap();
    assert_eq!(all.https.map(|address| address.port()), Some(8032));
    let named = of(&[(&keys::HTTP, "127.0.0.1:80")]).unwrap();
    assert_eq!((named.http.map(|address| address.port()), named.submission), (Some(80), None));
    let few = of(&[(&keys::ROLES, "deliver"), (&keys::BASE_PORT, "9000")]).unwrap();
    assert_eq!((few.http.map(|address| address.port()), few.https), (Some(9000), None));
    let refused = told(of(&[(&keys::ROLES, "deliver"), (&keys::HTTPS, "127.0.0.1:443")]));
    assert_eq!(refused, "--https goes with the role api, which --roles leaves out");
    let refused = told(of(&[(&keys::HTTP, "127.0.0.1:80"), (&keys::HTTPS, "127.0.0.1:80")]));
    assert!(refused.contains("have the same address, 127.0.0.1:80"), "{refused}");
    assert!(told(of(&[(&keys::ROLES, "cook")])).starts_with("--roles: "));
    assert!(told(of(&[(&keys::ROLES, "")])).starts_with("--roles names no role"));
    assert!(told(of(&[(&keys::TRUSTED, "127.0.0.1:25=")])).starts_with("--trusted: "));
}

#[test]
fn a_certificate_and_its_key_go_together_and_a_region_is_one() {
    let host = Domain::parse("mail.example").unwrap();
    let refused = told(certificate(&values(&[(&keys::CERTIFICATE, "c.pem")]), &host));
    assert_eq!(refused, "--certificate needs tls.key (--key) beside it");
    assert!(told(certificate(&values(&[(&keys::CERTIFICATE_KEY, "k.pem")]), &host)).starts_with("--key needs"));
    let both = values(&[(&keys::CERTIFICATE, "c.pem"), (&keys::CERTIFICATE_KEY, "k.pem")]);
    assert!(matches!(certificate(&both, &host).unwrap(), Certificate::Files { .. }));
    assert!(told(region(&values(&[(&keys::REGION, "Europe")]))).starts_with("--region: \"Europe\" is neither"));
    assert_eq!(region(&values(&[(&keys::REGION, "DE")])).unwrap().as_deref(), Some("DE"));
}

#[test]
fn art32_1_b_a_secret_comes_from_a_file_and_the_stronger_place_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://node:SECRET@db/mail\n").unwrap();
    let path = path.to_str().unwrap();
    let found = place(&values(&[(&keys::STORE_FILE, path)])).unwrap();
    assert!(matches!(&found, StorePlace::Postgres { url, .. } if url.expose() == "postgres://node:SECRET@db/mail"));
    assert_eq!(found.to_string(), "postgres://node@db/mail");
    let refused = told(place(&values(&[(&keys::STORE_FILE, path), (&keys::STORE, "sqlite")])));
    assert_eq!(refused, "--store and --store-file are both given; leave one out");
    let refused = told(place(&values(&[(&keys::STORE_FILE, "not-there")])));
    assert!(refused.starts_with("--store-file: cannot read not-there"), "{refused}");
    let text = format!("[store]\nurl_file = {path:?}\n");
    let (layer, _) = crate::config::file::parse(&text, Path::new("p.toml"));
    let flag = Layer::from([("store.url", Given { texts: vec!["sqlite".to_owned()], origin: Origin::Flag })]);
    assert!(matches!(place(&Values::of(vec![layer, flag]).0).unwrap(), StorePlace::Sqlite));
    let by_value = "store.url = \"postgres://node:SECRET@db/mail\"";
    let (layer, _) = crate::config::file::parse(by_value, Path::new("p.toml"));
    let warned = secrets_in_file(&Values::of(vec![layer]).0);
    assert!(warned.len() == 1 && warned[0].contains("store.url_file") && !warned[0].contains("SECRET"), "{warned:?}");
    let (layer, _) = crate::config::file::parse("store.url = \"postgres://node@db/mail\"", Path::new("p.toml"));
    assert!(secrets_in_file(&Values::of(vec![layer]).0).is_empty());
}
