//! What this node cannot carry out. An instruction that asks for it is refused when it is written: obeyed halfway, it
//! would be a promise that nobody keeps (GDPR Art. 28(3)(a)).

use super::said::terms;
use crate::document::instruction::{Confirmation, Footer, Instruction, Keep, RetentionClass, Stream};
use store::Store;

/// Something that cannot be done here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impossible {
    /// Where, as in `streams[0].tracking`.
    pub path: String,
    /// What, and what to say instead.
    pub sentence: String,
}

/// Everything that cannot be done.
pub(super) fn check(store: &Store, instruction: &Instruction) -> Vec<Impossible> {
    let mut list = Vec::new();
    for (index, stream) in instruction.streams.iter().enumerate() {
        if let Err(reason) = store.can_keep(&terms(stream), stream.kind.kind()) {
            list.push(Impossible { path: format!("streams[{index}]"), sentence: reason.to_string() });
        }
        let mut when = |wrong: bool, field: &str, sentence: &str| {
            if wrong {
                list.push(Impossible { path: format!("streams[{index}].{field}"), sentence: sentence.to_owned() });
            }
        };
        let marketing = stream.kind.kind().is_marketing();
        let all = instruction.messages_per_day_max;
        let counted = "the day's messages are counted over all streams together; say the same number as for all";
        when(stream.messages_per_day_max != all, "messages_per_day_max", counted);
        let body = "the content of a message is destroyed when it has left; say `{\"days\": 0}`";
        when(keeps_bodies(stream), "retention.body", body);
        let single = "unconfirmed consent carries no mail here; say `double-opt-in`";
        let unconfirmed = stream.consent.is_some_and(|terms| terms.confirmation == Confirmation::Single);
        when(unconfirmed, "consent.confirmation", single);
        let alone = "only marketing has a footer; say `none`";
        when(!marketing && stream.footer == Footer::Add, "footer", alone);
    }
    list
}

fn keeps_bodies(stream: &Stream) -> bool {
    stream.retention.get(&RetentionClass::Body).is_some_and(|keep| *keep != Keep::Days(0))
}
