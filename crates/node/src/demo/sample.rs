//! The sample controller: made at the first start, found again at the next.

use super::sample_form;
use crate::files;
use anyhow::Context as _;
use duties::controller::{Admission, NotAdmitted, Preset, admit};
use duties::operator::{self, Operator, Signatory};
use mail::address::{Address, Domain};
use model::basis::{BasisKind, Evidence};
use model::person::{SuppressionReason, SuppressionScope};
use model::{ControllerId, PurposeId, StreamId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use store::permission::{Act, Method};
use store::{Authority, NewBasis, Store, Verified};

/// Its name in the store.
const NAME: &str = "sample";
/// Names that are tried.
const SAMPLES_MAX: u32 = 1_000;
/// Its sending domain.
pub(super) const DOMAIN: &str = "sample.example";
/// What it may send in a day: enough for any benchmark.
const MESSAGES_PER_DAY_MAX: u64 = 1_000_000_000;
/// Recipients with confirmed consent to the newsletter.
pub(super) const CONSENTED: [&str; 3] = ["ada@dest.example", "bob@dest.example", "grace@dest.example"];
/// Recipients without.
pub(super) const UNCONSENTED: [&str; 2] = ["carol@dest.example", "dan@dest.example"];
/// A recipient who gets nothing.
pub(super) const SUPPRESSED: &str = "suppressed@dest.example";
/// Credentials as they were shown at the first start. Only the demo keeps them.
const FILE: &str = "sample.json";

/// What a client of the sample controller needs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) api_key: String,
    #[serde(skip)]
    pub(super) controller: Option<ControllerId>,
}

impl Sample {
    /// The credential behind the trusted listener.
    pub(super) fn authority(&self, store: &Store) -> anyhow::Result<Authority> {
        store.authority_named(&self.username).context("the sample credential is gone; delete the data folder")
    }
}

impl Sample {
    /// The TXT records that the sample's domain would publish, by name.
    pub(super) fn dns_records(&self, store: &Store) -> HashMap<String, String> {
        let signers = self.controller.zip(Domain::parse(DOMAIN).ok()).and_then(|(controller, domain)| {
            let (_, domain) = store.from_domain(controller, &domain);
            store.dkim_signers(controller, domain?)
        });
        signers
            .unwrap_or_default()
            .iter()
            .filter_map(|signer| {
                let name = format!("{}._domainkey.{}", signer.selector(), signer.domain());
                Some((name.to_ascii_lowercase(), signer.key().public_dns_value().ok()?))
            })
            .collect()
    }
}

/// Finds or makes the sample controller.
pub(super) async fn load_or_make(data: &Path, store: &Store) -> anyhow::Result<Sample> {
    let file = data.join(FILE);
    let mut sample = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(store, &file).await?,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    sample.controller = store.authenticate_key(&sample.api_key).map(|authority| authority.controller());
    if sample.controller.is_none() {
        anyhow::bail!("{} does not belong to this store; delete the data folder and start again", file.display());
    }
    if let Some(controller) = sample.controller {
        // On this machine every name leads to the demo.
        let (domain, returns) = (Domain::parse(DOMAIN)?, Domain::parse(&format!("bounce.{DOMAIN}"))?);
        let (_, id) = store.from_domain(controller, &domain);
        if id.is_some_and(|id| store.return_path_name(controller, id).as_ref() != Some(&returns)) {
            store.name_return_path(controller, &domain, Some(&returns)).await?;
        }
    }
    Ok(sample)
}

async fn make(store: &Store, file: &Path) -> anyhow::Result<Sample> {
    let domain = Domain::parse(DOMAIN)?;
    operator::keep(store, &processor()).await?;
    let signatory = Signatory { name: "Sam Sample".to_owned(), capacity: "owner".to_owned() };
    // A first start that was cut short leaves a controller without a file, and on a shared store other demos have
    // theirs: this one gets the next name that is free.
    let mut number = 1;
    let admitted = loop {
        let name = if number == 1 { NAME.to_owned() } else { format!("{NAME}{number}") };
        number += 1;
        if store.controller_named(&name).is_some() {
            continue;
        }
        let admission = Admission {
            name: &name,
            identity: ["Sample Shop", "1 Example Street, 1000 Sampletown", "privacy@sample.example"],
            signatory: &signatory,
            domain: &domain,
            verified: Verified::Yes,
            preset: Preset::Both,
            username: &name,
            messages_per_day_max: MESSAGES_PER_DAY_MAX,
        };
        match admit(store, &admission).await {
            // Another node was quicker.
            Err(NotAdmitted::Other(duties::Error::Store(store::Error::Exists { .. }))) if number <= SAMPLES_MAX => {}
            admitted => break admitted?,
        }
    };
    let newsletter = admitted.newsletter.context("the preset has a newsletter")?;
    people(store, admitted.controller, newsletter).await?;
    let sample = Sample {
        username: admitted.credential.username,
        password: admitted.credential.password,
        api_key: admitted.credential.api_key,
        controller: None,
    };
    files::write(file, &serde_json::to_vec_pretty(&sample)?)?;
    Ok(sample)
}

/// Who runs the demo.
fn processor() -> Operator {
    Operator {
        name: "The operator of this demo".to_owned(),
        address: "this machine".to_owned(),
        contact: "postmaster@localhost".to_owned(),
        signatory: Signatory { name: "Olga Operator".to_owned(), capacity: "operator".to_owned() },
    }
}

async fn people(store: &Store, controller: ControllerId, newsletter: StreamId) -> anyhow::Result<()> {
    let (notice, form) = sample_form::publish(store, controller, PurposeId::of_stream(newsletter)).await?;
    let act = Act { method: Method::Form, notice: Some(notice), form: Some(form), details: "{}" };
    for address in CONSENTED {
        let basis = NewBasis {
            kind: BasisKind::Consent,
            confirmed: Verified::Yes,
            evidence: Evidence::Complete,
            expires: None,
        };
        duties::wish::record_basis(
            store,
            controller,
            PurposeId::of_stream(newsletter),
            &Address::parse(address)?,
            basis,
            &act,
        )
        .await?;
    }
    let address = Address::parse(SUPPRESSED)?;
    duties::wish::suppress(store, controller, &address, SuppressionScope::All, SuppressionReason::OptOut).await?;
    Ok(())
}
