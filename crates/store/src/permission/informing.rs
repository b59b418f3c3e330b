//! What a controller says of how the people of an import were informed whose data came from somebody else
//! (GDPR Art. 14): his word, with a leaf, and marketing to them goes on.
//!
//! Invariants: what he says is said of the whole import; saying it again replaces what he said, each time with a leaf;
//! it is in force when the verb returns. Never: a guess that somebody was informed.

use super::imports::of_batch;
use super::*;
use crate::engine::EntryRow;
use crate::journal::SystemEvent;
use model::BatchId;

/// How what is said is sealed.
pub(super) const INFORMATION: &str = "import information";

impl Store {
    /// The controller says how the people of an import were informed, or why they need not be (GDPR Art. 14(5)). `said`
    /// is JSON.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the controller has no such import, it is not done, or nobody who came with it is to be
    /// informed; those of the engine.
    pub async fn people_informed(&self, controller: ControllerId, id: BatchId, said: &str) -> Result<()> {
        let sealed = self.vault.seal_for_controller(controller.0, INFORMATION, said.as_bytes())?;
        let values = vec![controller.0.into(), id.0.into(), self.now().into(), sealed.into()];
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::PeopleInformed,
            controller,
            agreement: None,
            instruction: None,
            counts: &[],
            detail: &[b"informed".as_slice(), &id.0.to_be_bytes(), said.as_bytes()].concat(),
            commitment: None,
            secret: None,
        })?;
        // Crash before the commit ⇒ nothing was said. The permission generation rises: who was refused for it is not
        // any more.
        let change = Change::Rows(of_batch(controller, Reach::Rows, Step::new(&sql::BATCH_INFORMED, values)));
        let entry = EntryRow { controller: controller.0, bytes };
        let touched = self.engine.change(vec![(change, Some(entry))]).await?;
        if touched.first().is_none_or(|rows| *rows == 0) {
            return Err(Error::NotFound { what: "import whose people are to be informed" });
        }
        Ok(())
    }
}
