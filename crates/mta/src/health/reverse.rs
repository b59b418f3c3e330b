//! Whether the addresses that mail leaves from are called what the node calls itself there (RFC 1912 §2.1; RFC 8601
//! §2.7.3 names the judgement: forward-confirmed reverse DNS).

use super::{Finding, Sender};
use crate::names::{Found, Names};

/// The addresses of a node's name, which calls itself so at all of them (RFC 5321 §4.1.4).
///
/// # Errors
/// What is wrong with the name.
pub async fn senders(names: &Names, host: &str) -> Result<Vec<Sender>, Finding> {
    match names.addresses(host).await {
        Found::Some(addresses) => {
            Ok(addresses.into_iter().map(|address| Sender { address, name: host.to_owned() }).collect())
        }
        Found::None => {
            let remedy = format!("give {host} an A or AAAA record with the address that mail leaves from");
            Err(Finding::wrong(host, "has no address in DNS", remedy))
        }
        Found::NoAnswer => Err(Finding::unanswered(host, "its addresses")),
    }
}

/// Looks at each.
pub async fn named(names: &Names, senders: &[Sender]) -> Vec<Finding> {
    let mut found = Vec::new();
    for sender in senders {
        found.push(one(names, sender).await);
    }
    found
}

async fn one(names: &Names, Sender { address, name }: &Sender) -> Finding {
    let who = "whoever gave you the address does that";
    let called = match names.names_of(*address).await {
        Found::Some(called) => called,
        Found::None => {
            let remedy =
                format!("have the PTR record of {address} say {name} ({who}): many receivers refuse mail without");
            return Finding::wrong(address, "has no PTR record", remedy);
        }
        Found::NoAnswer => return Finding::unanswered(address, "its PTR record"),
    };
    if !called.iter().any(|called| called.eq_ignore_ascii_case(name)) {
        let remedy =
            format!("have the PTR record of {address} say {name} ({who}), or set node.ehlo to the name it has");
        return Finding::wrong(address, format!("its PTR record says {}, and EHLO {name}", called.join(", ")), remedy);
    }
    match names.addresses(name).await {
        Found::Some(all) if all.contains(address) => {
            Finding::good(address, format!("is called {name}, and {name} has this address"))
        }
        Found::Some(_) | Found::None => Finding::wrong(
            address,
            format!("is called {name}, and {name} has not this address"),
            format!("add {address} to the A or AAAA records of {name}"),
        ),
        Found::NoAnswer => Finding::unanswered(address, &format!("the addresses of {name}")),
    }
}
