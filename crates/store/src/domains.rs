//! The domains that mail is sent from, as the operator looks at them: what each has to publish.
//!
//! Invariant: verified ones alone; public halves of keys at most.

use crate::open::Store;
use mail::dkim::Signer;
use model::ControllerId;
use std::sync::Arc;

/// A verified domain.
#[derive(Clone)]
pub struct SendingDomain {
    /// Whose.
    pub controller: ControllerId,
    /// In A-labels and small letters.
    pub name: String,
    /// The name to which failures of its mail return; without one they return to the senders.
    pub return_path: Option<String>,
    /// By whom its mail is signed.
    pub signers: Arc<Vec<Signer>>,
}

impl Store {
    /// All of them, by name.
    #[must_use]
    pub fn sending_domains(&self) -> Vec<SendingDomain> {
        let policy = self.policy.current();
        let verified = policy.domains().filter(|(_, known)| known.verified);
        let mut all: Vec<SendingDomain> = verified
            .map(|((controller, name), known)| SendingDomain {
                controller: *controller,
                name: name.clone(),
                return_path: known.return_path.as_ref().map(|name| name.as_str().to_owned()),
                signers: Arc::clone(&known.signers),
            })
            .collect();
        all.sort_by(|one, other| (&one.name, one.controller.0).cmp(&(&other.name, other.controller.0)));
        all
    }
}
