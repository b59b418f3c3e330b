//! Mailboxes that refuse for their state again and again (protocols-and-scale A9 B2).
//!
//! Five refusals of one person's mailbox suppress him, when the first and the last are fourteen days apart, no two are
//! more than thirty days apart, and none was on the day of the one before. A delivery in between ends the count.
//! Bounds: one row a person, which goes after 31 quiet days.

use super::*;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// So many refusals.
const TIMES: i64 = 5;
/// The last one at least so long after the first.
const SPAN: Duration = Duration::from_secs(14 * 86_400);
/// After a longer silence it is counted from anew.
const SILENCE: Duration = Duration::from_secs(30 * 86_400);

fn before(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

impl Store {
    /// Counts refusals, and suppresses whoever has had enough of them.
    pub(crate) async fn count_failures(&self, failed: Vec<(ControllerId, RecipientTag, Timestamp)>) -> Result<()> {
        for (controller, tag, at) in failed {
            let values =
                vec![controller.0.into(), tag.0.into(), at.into(), before(at, SILENCE).into(), before(at, DAY).into()];
            let writes = Writes {
                controller: controller.0,
                person: Some(tag.0),
                reach: Reach::Nothing,
                what: "refusal",
                event: None,
                detail: [0; 32],
                steps: vec![Step::new(&sql::FAILING_COUNT, values)],
            };
            // No leaf: that the message bounced has one.
            self.engine.change(vec![(Change::Rows(writes), None)]).await?;
            let rows = self.found(&sql::FAILING, vec![controller.0.into(), tag.0.into()]).await?;
            let Some(mut row) = rows.into_iter().next() else { continue };
            let (times, since, latest) = (row.number()?, row.moment()?, row.moment()?);
            if times >= TIMES && since <= before(latest, SPAN) {
                self.write(EventType::Suppressed, Change::Suppress(delivery_suppression(controller, tag, at))).await?;
            }
        }
        Ok(())
    }
}
