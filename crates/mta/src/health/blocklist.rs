//! Whether lists that the operator names speak of the addresses that mail leaves from (RFC 5782).
//!
//! Invariant: only named lists are asked; each question tells the list, and the resolver's operator, the address.

use super::{Finding, Sender};
use crate::names::{Found, Names};
use std::net::IpAddr;

/// Asks each list about each address.
pub async fn listed(names: &Names, senders: &[Sender], lists: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for list in lists {
        for sender in senders {
            found.push(one(names, sender.address, list.trim_end_matches('.')).await);
        }
    }
    found
}

async fn one(names: &Names, address: IpAddr, list: &str) -> Finding {
    let name = question(address, list);
    let answers = match names.addresses(&name).await {
        Found::Some(answers) => answers,
        Found::None => return Finding::good(address, format!("is not on {list}")),
        Found::NoAnswer => return Finding::unanswered(address, &format!("the list {list}")),
    };
    let about = |codes: &[&IpAddr]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // RFC 5782 §2.1: answers lie in 127.0.0.0/8. What does not is a list that has gone, or a resolver that makes up
    // answers. 127.255.255.0/24 is where the large lists say that they do not answer this resolver.
    let strange: Vec<&IpAddr> = answers.iter().filter(|code| !is_code(code)).collect();
    if !strange.is_empty() {
        let what = format!("{list} answered {}, which says nothing of the address", about(&strange));
        let remedy = "it is the list that fails: it refuses this resolver, asks for a subscription, or is no list any \
                      more; ask by a resolver of your own, or take the list out";
        return Finding::warning(address, what, remedy);
    }
    let why = match names.texts(&name).await {
        Found::Some(texts) => texts.first().map(|text| format!(": {text}")).unwrap_or_default(),
        Found::None | Found::NoAnswer => String::new(),
    };
    let what = format!("is on {list} ({}){why}", about(&answers.iter().collect::<Vec<_>>()));
    Finding::wrong(address, what, format!("find out what left from it, end that, and ask {list} to take it off"))
}

/// RFC 5782 §2.1, §2.4: the octets or nibbles of the address in reverse, then the list.
pub(super) fn question(address: IpAddr, list: &str) -> String {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            format!("{d}.{c}.{b}.{a}.{list}")
        }
        IpAddr::V6(six) => {
            let nibbles = six.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).chain([list.to_owned()]).collect()
        }
    }
}

pub(super) fn is_code(answer: &IpAddr) -> bool {
    match answer {
        IpAddr::V4(four) => {
            let octets = four.octets();
            octets.first() == Some(&127) && octets.get(1..3) != Some(&[255, 255])
        }
        IpAddr::V6(_) => false,
    }
}
