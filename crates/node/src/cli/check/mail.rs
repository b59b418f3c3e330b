//! What the world sees of the mail of each domain: SPF, DKIM, DMARC, MTA-STS and TLSRPT.
//!
//! Invariant: no more than [`AT_ONCE`] domains are looked at at once; what is told is in their order.

use super::standing::{Domain, Standing};
use super::{Part, Report};
use crate::settings::Settings;
use mta::Names;
use mta::delivery::Settings as DeliverySettings;
use mta::health::{self, Aligned, Finding, Level, Sender};
use tokio::task::JoinSet;

/// Domains at once: a resolver of one's own bears it, and hundreds of domains take seconds.
const AT_ONCE: usize = 16;

pub(super) async fn look(
    names: &Names,
    settings: &Settings,
    standing: &Standing,
    senders: &[Sender],
    report: &mut Report,
) {
    if standing.domains.is_empty() {
        let what = "no domain is verified yet; postern quickstart makes the first";
        report.add(Part::Dkim, [Finding::note(&settings.hostname, what)]);
    }
    if report.wants(Part::Spf) {
        for sender in senders {
            report.add(Part::Spf, [health::greeting(names, sender).await]);
        }
    }
    let wanted = [Part::Spf, Part::Dkim, Part::Dmarc, Part::MtaSts].map(|part| report.wants(part));
    if wanted == [false; 4] {
        return;
    }
    for domains in standing.domains.chunks(AT_ONCE) {
        let mut looking = JoinSet::new();
        for (at, domain) in domains.iter().enumerate() {
            let look = Look {
                names: names.clone(),
                settings: settings.delivery.clone(),
                senders: senders.to_vec(),
                looks_at_policy: wanted[3],
                found: Vec::new(),
            };
            looking.spawn(look.at(at, domain.clone()));
        }
        let mut all = looking.join_all().await;
        all.sort_by_key(|(at, _)| *at);
        for (part, finding) in all.into_iter().flat_map(|(_, found)| found) {
            report.add(part, [finding]);
        }
    }
}

/// A look at one domain.
struct Look {
    names: Names,
    settings: DeliverySettings,
    senders: Vec<Sender>,
    looks_at_policy: bool,
    found: Vec<(Part, Finding)>,
}

impl Look {
    async fn at(mut self, at: usize, domain: Domain) -> (usize, Vec<(Part, Finding)>) {
        let mut aligned = Aligned::default();
        self.returns(&domain, &mut aligned).await;
        self.keys(&domain, &mut aligned).await;
        let policy = health::policy(&self.names, &domain.domain, &aligned).await;
        self.add(Part::Dmarc, policy);
        if let Some(inbound) = domain.return_path.as_ref().filter(|_| self.looks_at_policy) {
            let policy = health::transport_policy(&self.names, &self.settings, inbound).await;
            let reports = health::transport_reports(&self.names, inbound).await;
            self.add(Part::MtaSts, [policy, reports]);
        }
        (at, self.found)
    }

    fn add(&mut self, part: Part, findings: impl IntoIterator<Item = Finding>) {
        self.found.extend(findings.into_iter().map(|finding| (part, finding)));
    }

    async fn returns(&mut self, domain: &Domain, aligned: &mut Aligned) {
        let returns = domain.return_path.as_ref().unwrap_or(&domain.domain);
        let found = health::spf_record(&self.names, returns, &self.senders).await;
        if !self.senders.is_empty() && found.iter().all(|one| one.level <= Level::Warning && !one.is_unanswered()) {
            aligned.returns_to = Some(returns.clone());
        }
        self.add(Part::Spf, found);
        if domain.return_path.is_none() {
            let what = "failures return to the senders: no return path is named (postern return-path)";
            self.add(Part::Spf, [Finding::note(&domain.domain, what)]);
        }
    }

    async fn keys(&mut self, domain: &Domain, aligned: &mut Aligned) {
        for key in &domain.keys {
            let found = health::key_published(&self.names, &key.name, &key.value).await;
            if found.level == Level::Good {
                aligned.signed_by.push(key.domain.clone());
            }
            self.add(Part::Dkim, [found]);
        }
        if domain.keys.is_empty() {
            let what = "has no key that signs: its mail does not leave";
            let remedy =
                "its keys cannot be opened: see that the master key and the database of keys are those of this store";
            self.add(Part::Dkim, [Finding::wrong(&domain.domain, what, remedy)]);
        }
    }
}
