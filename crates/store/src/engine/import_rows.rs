//! Rows of an import: persons with their bases, in the order of their tags, so that the trees are filled in order.

use super::SlotRef;
use crate::facts::read_scope;
use model::Timestamp;
use model::person::{SuppressionReason, SuppressionScope};

/// A person's row, as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownSubject {
    /// His secret.
    pub(crate) slot: SlotRef,
    /// Is his address kept?
    pub(crate) has_address: bool,
    /// Since when nothing may speak of him any more.
    pub(crate) leaving: Option<Timestamp>,
}

/// A slice of an import: one commit.
#[derive(Clone)]
pub(crate) struct ImportRows {
    /// Whose.
    pub(crate) controller: i64,
    /// Which import.
    pub(crate) batch: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// By their tags, ascending, each once.
    pub(crate) persons: Vec<ImportPerson>,
}

/// A person who comes with an import.
#[derive(Clone)]
pub(crate) struct ImportPerson {
    /// Who.
    pub(crate) tag: [u8; 16],
    /// What to record of him himself; `None` where everything is there.
    pub(crate) subject: Option<ImportSubject>,
    /// On what mail to him may rest.
    pub(crate) bases: Vec<ImportBasis>,
    /// The row that waits instead.
    pub(crate) waiting: Option<ImportWaiting>,
}

/// A person's secret, and his address under it.
#[derive(Clone)]
pub(crate) struct ImportSubject {
    /// His secret.
    pub(crate) slot: SlotRef,
    /// Version of the normaliser.
    pub(crate) normaliser: u8,
    /// Sealed; `None` for somebody who only waits.
    pub(crate) address: Option<Vec<u8>>,
}

/// A basis that comes with an import.
#[derive(Clone)]
pub(crate) struct ImportBasis {
    /// The purpose.
    pub(crate) purpose: ImportPurpose,
    /// `BasisKind` word.
    pub(crate) kind: &'static str,
    /// Given.
    pub(crate) given: Timestamp,
    /// Confirmed.
    pub(crate) confirmed: Option<Timestamp>,
    /// `Evidence` word.
    pub(crate) evidence: &'static str,
    /// The words that were shown, where they are kept here.
    pub(crate) notice: Option<i64>,
    /// What the row said differently from its file, sealed.
    pub(crate) origin: Option<Vec<u8>>,
    /// From then on it is late that the person was not informed (GDPR Art. 14(3)); nothing where he gave it himself.
    pub(crate) inform: Option<Timestamp>,
}

/// A purpose, as far as wishes reach it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ImportPurpose {
    /// Its id.
    pub(crate) id: i64,
    /// Is it marketing?
    pub(crate) is_marketing: bool,
}

/// A row that waits for its provenance.
#[derive(Clone)]
pub(crate) struct ImportWaiting {
    /// Its line in the file.
    pub(crate) line: i64,
    /// What it lacks, words parted by spaces.
    pub(crate) missing: String,
    /// The row, sealed.
    pub(crate) sealed: Vec<u8>,
}

/// What became of a person's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ImportAnswer {
    /// A basis was recorded.
    Added,
    /// What it says was recorded before, or something that stands before it.
    There,
    /// The person's own wish, or a restriction, stands against it.
    Blocked,
    /// It waits in quarantine.
    Waits,
    /// The person has another secret by now: ask again.
    Again,
}

/// What stands against a person's contact.
#[derive(Clone, Default)]
pub(crate) struct ImportBars {
    /// He is restricted or erased, or a case of his is open.
    pub(crate) is_restricted: bool,
    /// His own wishes.
    pub(crate) wishes: Vec<SuppressionScope>,
}

impl ImportBars {
    /// Notes a suppression as it lies in its row. One that is not understood bars everything.
    pub(crate) fn note(&mut self, scope: &str, reason: &str, ends: Option<Timestamp>, now: Timestamp) {
        if ends.is_some_and(|end| end <= now) {
            return;
        }
        if SuppressionReason::from_word(reason).is_none_or(SuppressionReason::is_own_wish) {
            self.wishes.push(read_scope(scope).unwrap_or(SuppressionScope::All));
        }
    }

    /// Does something stand against mail for this purpose (GDPR Art. 7(3), 18, 21(3))?
    pub(crate) fn bar(&self, purpose: ImportPurpose) -> bool {
        self.is_restricted
            || self.wishes.iter().any(|wish| match wish {
                SuppressionScope::All => true,
                SuppressionScope::Marketing => purpose.is_marketing,
                SuppressionScope::Purpose(one) => one.0 == purpose.id,
                SuppressionScope::List(_) | SuppressionScope::Delivery => false,
            })
    }
}

impl std::fmt::Debug for ImportRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportRows").field("persons", &self.persons.len()).finish_non_exhaustive()
    }
}
