//! What a node has to show to the world: its domains with what each publishes, and certificates of host names.
//!
//! Invariant: public halves of keys alone; names of accounts, of domains and hosts, and nobody's address.

use serde_json::{Value, json};
use store::Store;

/// As JSON. `now` is the store's moment, in microseconds since 1970; `ends` are seconds since then.
#[must_use]
pub fn standing(store: &Store) -> Value {
    let domains: Vec<Value> = store
        .sending_domains()
        .into_iter()
        .map(|domain| {
            let keys: Vec<Value> = domain
                .signers
                .iter()
                .filter_map(|signer| {
                    let value = signer.key().public_dns_value().ok()?;
                    let name = format!("{}._domainkey.{}", signer.selector(), signer.domain());
                    Some(json!({"name": name, "value": value, "domain": signer.domain()}))
                })
                .collect();
            json!({
                "domain": domain.name,
                "controller": store.controller_name(domain.controller),
                "return_path": domain.return_path,
                "keys": keys,
            })
        })
        .collect();
    let book = store.host_book();
    let mut hosts: Vec<(&str, Option<i64>)> =
        book.all().map(|host| (&*host.name, host.certificate.as_ref().map(|kept| kept.ends.seconds()))).collect();
    hosts.sort_unstable();
    let hosts: Vec<Value> = hosts.into_iter().map(|(name, ends)| json!({"name": name, "ends": ends})).collect();
    json!({"now": store.now().micros(), "domains": domains, "hosts": hosts, "room": null})
}
