//! What a person chooses on his own page, all of it in one commit (GDPR Art. 7(2), (3)).
//!
//! Invariants: what is not ticked is withdrawn in the commit that gives what is ticked, so that no tick brings back
//! what the person left out; one leaf says both. Never: a complaint or an objection lifted by a tick.

use super::consents::{coming_back, giving, leaving, rows};
use super::evidence::{ActFacts, Kept};
use super::*;
use model::PurposeId;
use model::ids::EventId;
use model::person::SuppressionScope;

/// Which purposes a person ticked and which he did not.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// Consented to, anew: where there is one, his opt-out from all marketing is lifted.
    pub given: &'a [PurposeId],
    /// Not wished.
    pub left: &'a [PurposeId],
}

impl Store {
    /// The person himself consents to some purposes on his own page and leaves others. In force when it returns.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn choose(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        chosen: Chosen<'_>,
        act: &Act<'_>,
    ) -> Result<()> {
        if chosen.given.is_empty() && chosen.left.is_empty() {
            return Ok(());
        }
        let secret = self.secret_to_use(controller, tag).await?;
        let (at, event) = (self.now(), EventId(crypto::random()?));
        let facts = ActFacts::consent(true);
        let kept = Kept { controller, tag, secret: secret.as_ref(), event, at, act, facts };
        let left = chosen.left.iter().map(|purpose| (*purpose, "withdrawn"));
        let said: Vec<_> = chosen.given.iter().map(|purpose| (*purpose, "given")).chain(left).collect();
        let evidence = self.evidence(&kept, &said).await?;
        let mut steps = evidence.steps;
        // What takes away comes first.
        steps.extend(chosen.left.iter().flat_map(|purpose| leaving(&kept, *purpose)));
        steps.extend(chosen.given.iter().flat_map(|purpose| giving(&kept, *purpose)));
        if !chosen.left.is_empty() {
            steps.extend(self.mark(controller, tag));
        }
        let kind = if chosen.given.is_empty() {
            EventType::BasisWithdrawn
        } else {
            steps.push(coming_back(controller, tag, SuppressionScope::Marketing, at));
            EventType::BasisRecorded
        };
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        self.act(kind, writes).await.map(drop)
    }
}
