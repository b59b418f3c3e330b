//! What the world sees of the mail of each domain: SPF, DKIM, DMARC, MTA-STS and TLSRPT.

use super::standing::{Domain, Standing};
use super::{Part, Report};
use crate::settings::Settings;
use mta::Names;
use mta::health::{self, Aligned, Finding, Level, Sender};

pub(super) async fn look(
    names: &Names,
    settings: &Settings,
    standing: &Standing,
    senders: &[Sender],
    report: &mut Report,
) {
    if standing.domains.is_empty() {
        let what = "no domain is verified yet; postern quickstart, or POST /v1/domains, makes the first";
        report.add(Part::Dkim, [Finding::note(&settings.hostname, what)]);
    }
    if report.wants(Part::Spf) {
        for sender in senders {
            report.add(Part::Spf, [health::greeting(names, sender).await]);
        }
    }
    let parts = [Part::Spf, Part::Dkim, Part::Dmarc, Part::MtaSts];
    if !parts.into_iter().any(|part| report.wants(part)) {
        return;
    }
    for domain in &standing.domains {
        one(names, settings, domain, senders, report).await;
    }
}

async fn one(names: &Names, settings: &Settings, domain: &Domain, senders: &[Sender], report: &mut Report) {
    let mut aligned = Aligned::default();
    let returns = domain.return_path.as_ref().unwrap_or(&domain.domain);
    if report.wants(Part::Spf) || report.wants(Part::Dmarc) {
        let found = health::spf_record(names, returns, senders).await;
        if !senders.is_empty() && found.iter().all(|finding| finding.level <= Level::Warning) {
            aligned.returns_to = Some(returns.clone());
        }
        report.add(Part::Spf, found);
    }
    if report.wants(Part::Dkim) || report.wants(Part::Dmarc) {
        for key in &domain.keys {
            let found = health::key_published(names, &key.name, &key.value).await;
            if found.level == Level::Good {
                aligned.signed_by.push(key.domain.clone());
            }
            report.add(Part::Dkim, [found]);
        }
        if domain.keys.is_empty() {
            let what = "has no key that signs: its mail passes DMARC by SPF at most";
            let remedy = "make its keys: POST /v1/domains, and publish the records that the answer has";
            report.add(Part::Dkim, [Finding::wrong(&domain.domain, what, remedy)]);
        }
    }
    if report.wants(Part::Dmarc) {
        report.add(Part::Dmarc, health::policy(names, &domain.domain, &aligned).await);
    }
    if report.wants(Part::MtaSts)
        && let Some(inbound) = &domain.return_path
    {
        let policy = health::transport_policy(names, &settings.delivery, inbound).await;
        report.add(Part::MtaSts, [policy, health::transport_reports(names, inbound).await]);
    }
    if domain.return_path.is_none() {
        let what = "failures return to the senders: no return path is named (postern return-path)";
        report.add(Part::Spf, [Finding::note(&domain.domain, what)]);
    }
}
