//! Whether a domain lets the addresses that mail leaves from send (RFC 7208).

mod judge;
mod macros;
mod terms;

use super::{Finding, Sender};
use crate::names::{Found, Names};
use judge::{Judge, LOOKUPS_MAX, VOIDS_MAX, Verdict, is_record};
use macros::Subject;
use std::net::IpAddr;
use terms::Qualifier;

/// Looks at the record of a domain in MAIL FROM, for each address. Without addresses, at the record alone.
pub async fn record(names: &Names, domain: &str, senders: &[Sender]) -> Vec<Finding> {
    if let Some(finding) = lacking(names, domain).await {
        let hosts: Vec<String> = senders.iter().map(|sender| format!("a:{}", sender.name)).collect();
        let mut hosts = if hosts.is_empty() { vec!["a:NAME-OF-THIS-NODE".to_owned()] } else { hosts };
        hosts.dedup();
        return vec![Finding {
            remedy: finding.remedy.map(|remedy| remedy.replace("HOSTS", &hosts.join(" "))),
            ..finding
        }];
    }
    if senders.is_empty() {
        return vec![Finding::good(domain, "has one SPF record")];
    }
    let mut found = Vec::new();
    for sender in senders {
        found.push(judged(names, domain, sender).await);
    }
    found
}

/// The record of the name in EHLO, which receivers judge where MAIL FROM is empty, as in notifications (§2.4).
pub async fn greeting(names: &Names, sender: &Sender) -> Finding {
    match lacking(names, &sender.name).await {
        Some(Finding { level: super::Level::Wrong, what, .. }) => Finding::note(
            &sender.name,
            format!("{what}; mail with an empty return path is judged by it: publish \"v=spf1 a -all\" there"),
        ),
        Some(finding) => finding,
        None => judged(names, &sender.name, sender).await,
    }
}

/// What is wrong before any address is looked at.
async fn lacking(names: &Names, domain: &str) -> Option<Finding> {
    let texts = match names.texts(domain).await {
        Found::Some(texts) => texts,
        Found::None => Vec::new(),
        Found::NoAnswer => return Some(Finding::unanswered(domain, "its SPF record")),
    };
    match texts.iter().filter(|text| is_record(text)).count() {
        1 => None,
        0 => Some(Finding::wrong(
            domain,
            "has no SPF record",
            format!("publish the TXT record {domain} with \"v=spf1 HOSTS -all\""),
        )),
        several => Some(Finding::wrong(
            domain,
            format!("has {several} SPF records, and so none that counts (RFC 7208 §4.5)"),
            format!("put what they say into one TXT record of {domain}"),
        )),
    }
}

async fn judged(names: &Names, domain: &str, Sender { address, name }: &Sender) -> Finding {
    let subject = Subject { address: *address, sender_domain: domain, helo: name };
    let mut judge = Judge::new(names, subject);
    let verdict = judge.check(domain).await;
    let (lookups, voids) = (judge.lookups, judge.voids);
    if let Verdict::Temporary(about) = &verdict {
        return Finding::unanswered(domain, &format!("{about}, which its SPF record asks for"));
    }
    if judge.exceeds() {
        let what = format!(
            "its SPF record takes more than {LOOKUPS_MAX} questions to DNS, or names more than {VOIDS_MAX} that are \
             not there ({lookups} and {voids} so far): receivers end there, with permerror (RFC 7208 §4.6.4)"
        );
        return Finding::wrong(
            domain,
            what,
            "take out what does not send for you any more, or name networks (ip4, ip6)",
        );
    }
    outcome(domain, *address, name, &verdict, &judge)
}

fn outcome(domain: &str, address: IpAddr, name: &str, verdict: &Verdict, judge: &Judge<'_>) -> Finding {
    let add = format!("add a:{name}, or the network of {address}, before the last word of the record of {domain}");
    match verdict {
        Verdict::By(Qualifier::Pass) if judge.lets_all => Finding::warning(
            domain,
            "its SPF record lets everybody send (+all, or a network of no bits)",
            "end it with -all or ~all: receivers hold such a record against the domain",
        ),
        Verdict::By(Qualifier::Pass) if judge.reverses => Finding::warning(
            domain,
            format!("lets {address} send, by a record that asks for `ptr`"),
            "name addresses instead: receivers may not ask for it (RFC 7208 §5.5)",
        ),
        Verdict::By(Qualifier::Pass) => {
            Finding::good(domain, format!("lets {address} send (pass, {} questions to DNS)", judge.lookups))
        }
        Verdict::By(Qualifier::Fail) => Finding::wrong(domain, format!("forbids {address} to send (fail)"), add),
        Verdict::By(Qualifier::SoftFail) => Finding::wrong(domain, format!("distrusts {address} (softfail)"), add),
        Verdict::By(Qualifier::Neutral) => Finding::wrong(domain, format!("says nothing of {address} (neutral)"), add),
        Verdict::None => Finding::wrong(domain, "has no SPF record", add),
        Verdict::Permanent(how) => {
            Finding::wrong(domain, format!("its SPF record is wrong (permerror): {how}"), "mend the record")
        }
        Verdict::Temporary(about) => Finding::unanswered(domain, about),
    }
}
