//! Numbered letters to many sites: who gets which, on whose behalf, and what stands in it.
//!
//! Numbers say everything: a letter that arrives is known by its number, whichever node took it and whichever sent it.

use super::load::{FROM, body};
use serde_json::{Value, json};
use testkit::FakeDns;

/// Destination sites, each with an exchanger of its own: enough that every node has some.
pub(crate) const SITES: u64 = 24;
/// Controllers on whose behalf letters are sent: enough that several nodes keep a ledger.
pub(crate) const CONTROLLERS: u64 = 3;
/// Of so many letters, one is for a person who will object. A multiple of [`CONTROLLERS`]: all of one controller's.
const OBJECTOR_EVERY: u64 = 45;

/// The domain of a site.
pub(crate) fn domain(site: u64) -> String {
    format!("d{}.example", site % SITES)
}

/// A person at each site who will object to the mail of the first controller.
pub(crate) fn objector(site: u64) -> String {
    format!("objector@{}", domain(site))
}

/// All of them.
pub(crate) fn objectors() -> impl Iterator<Item = String> {
    (0..SITES).map(objector)
}

/// Is this letter for a person who will object?
pub(crate) const fn is_for_objector(number: u64) -> bool {
    number.is_multiple_of(OBJECTOR_EVERY)
}

/// Whom a letter is for: everybody else gets one.
pub(crate) fn recipient(number: u64) -> String {
    if is_for_objector(number) { objector(number / OBJECTOR_EVERY) } else { format!("r{number}@{}", domain(number)) }
}

/// On whose behalf it is sent.
pub(crate) fn controller(number: u64) -> usize {
    usize::try_from(number % CONTROLLERS).unwrap()
}

/// The whole letter, for SMTP.
pub(crate) fn content(number: u64) -> String {
    let to = recipient(number);
    format!("From: <{FROM}>\r\nTo: <{to}>\r\nSubject: Order {number}\r\nX-Id: {number}\r\n\r\n{}", body(number))
}

/// The letter as the API takes it.
pub(crate) fn request(number: u64) -> Value {
    json!({
        "stream": "transactional", "from": {"email": FROM}, "to": [{"email": recipient(number)}],
        "subject": format!("Order {number}"), "text": body(number), "headers": {"X-Id": number.to_string()},
    })
}

/// Every site's exchanger is on this machine.
pub(crate) fn publish(dns: &FakeDns) {
    for site in 0..SITES {
        let (domain, host) = (domain(site), format!("mx.{}", domain(site)));
        dns.mx(&domain, 10, &host).loopback(&host);
    }
}
