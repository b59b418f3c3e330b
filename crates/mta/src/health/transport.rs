//! What a domain that receives mail here publishes of how securely it wants it (RFC 8461, RFC 8460), and whether the
//! resolver hands on what DNS is validated by.

use super::Finding;
use crate::delivery::{OwnPolicy, Settings, Validation, own_policy, validation};
use crate::names::{Found, Names};

/// The MTA-STS policy of a domain, as a sender reads it.
pub async fn transport_policy(names: &Names, settings: &Settings, domain: &str) -> Finding {
    let record = format!("_mta-sts.{domain}");
    let hosts = match names.exchangers(domain).await {
        Found::Some(hosts) => hosts,
        Found::None => return Finding::note(domain, "has no MX record, so that nothing comes back to it"),
        Found::NoAnswer => return Finding::unanswered(domain, "its exchangers"),
    };
    let texts = match names.texts(&record).await {
        Found::Some(texts) => texts,
        Found::None => {
            return Finding::note(domain, "has no MTA-STS policy: whoever sends to it may do so in clear");
        }
        Found::NoAnswer => return Finding::unanswered(domain, &record),
    };
    let policy_host = format!("mta-sts.{domain}");
    match own_policy(settings, domain, &texts, &hosts).await {
        OwnPolicy::NoId => Finding::wrong(
            record,
            "has no record, or several, of the form v=STSv1; id=…",
            "let one TXT record there say \"v=STSv1; id=20270115T1\", and change the id whenever the policy changes",
        ),
        OwnPolicy::Unreachable => Finding::wrong(
            domain,
            format!("says that it has an MTA-STS policy, and https://{policy_host} does not give it out"),
            format!(
                "serve /.well-known/mta-sts.txt as text/plain there, with a certificate for {policy_host} and without \
                 a redirect, or take {record} out of DNS"
            ),
        ),
        OwnPolicy::Unreadable => Finding::wrong(
            policy_host,
            "what it gives out is no MTA-STS policy",
            "let it have the lines version: STSv1, mode, mx and max_age (RFC 8461 §3.2)",
        ),
        OwnPolicy::Read { mode, unnamed, id } if unnamed.is_empty() => {
            Finding::good(domain, format!("has an MTA-STS policy in mode {mode}, id {id}, which names its exchangers"))
        }
        OwnPolicy::Read { mode, unnamed, .. } => Finding::wrong(
            policy_host,
            format!("its policy in mode {mode} does not name the exchanger {}", unnamed.join(", ")),
            "add a line mx: with it, and change the id in DNS",
        ),
    }
}

/// Whether a domain asks for reports about how mail to it travels.
pub async fn reports(names: &Names, domain: &str) -> Finding {
    let record = format!("_smtp._tls.{domain}");
    match names.texts(&record).await {
        Found::Some(texts) => {
            let mut meant = texts.iter().filter(|text| text.trim_start().starts_with("v=TLSRPTv1"));
            match (meant.next(), meant.next()) {
                (Some(text), None) if super::dkim::tag(text, "rua").is_some() => {
                    Finding::good(domain, "asks for reports on TLS (TLSRPT)")
                }
                (Some(_), None) => Finding::warning(record, "says no rua=", "say where reports go: rua=mailto:ADDRESS"),
                // RFC 8460 §3: with several, senders act as if there were none.
                (Some(_), Some(_)) => Finding::warning(record, "has several TLSRPT records", "leave one of them"),
                (None, _) => Finding::note(domain, "asks for no reports on TLS (TLSRPT)"),
            }
        }
        Found::None => Finding::note(domain, "asks for no reports on TLS (TLSRPT)"),
        Found::NoAnswer => Finding::unanswered(domain, &record),
    }
}

/// Whether the resolver hands on what is needed to validate.
pub async fn resolver(settings: &Settings) -> Finding {
    let about = settings.resolver.map_or_else(|| "the system's resolver".to_owned(), |server| server.to_string());
    match validation(settings).await {
        Validation::Off => Finding::note(about, "answers of DNS are not validated (delivery.dnssec is off): no DANE"),
        Validation::Proven => Finding::good(about, "hands on DNSSEC proofs, which are validated here"),
        Validation::Unproven => Finding::wrong(
            about,
            "gives no DNSSEC proofs of the root, and mail waits for them",
            "name another resolver with delivery.dns (--dns), such as unbound or BIND on this machine, or give DANE up \
             with delivery.dnssec = \"off\"",
        ),
        Validation::NoAnswer => Finding::wrong(
            about,
            "does not answer",
            "see that it runs and that this machine reaches it, or name another with delivery.dns",
        ),
    }
}
