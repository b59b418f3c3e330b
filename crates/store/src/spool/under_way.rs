//! Attempts that this process began and has not yet recorded an end of.
//!
//! A node that loses its seat and takes another one is a stranger to its own starts: the database shows them as those
//! of a node that is gone. What is noted here is left alone by `recover`, because this process still tells its end.
//! Bounded by the attempts that delivery makes at once.

use model::MessageId;
use parking_lot::Mutex;
use std::collections::HashSet;

/// The attempts.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<HashSet<MessageId>>);

impl UnderWay {
    pub(super) fn begin(&self, id: MessageId) {
        self.0.lock().insert(id);
    }

    pub(super) fn end(&self, ids: impl IntoIterator<Item = MessageId>) {
        let mut under_way = self.0.lock();
        for id in ids {
            under_way.remove(&id);
        }
    }

    pub(super) fn contains(&self, id: MessageId) -> bool {
        self.0.lock().contains(&id)
    }
}
