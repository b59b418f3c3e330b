//! What is said of a file, as a command line or a query says it, made into a [`Plan`].
//!
//! Never: a guess where a word is not understood.

use std::sync::Arc;

use model::basis::BasisKind;
use model::{ControllerId, PurposeId, Timestamp};
use store::Store;

use super::{
    Collected, Comments, CustomerFacts, DateOrder, Dates, Delimiter, Encoding, Field, Format, Given, HeaderRow, Input,
    Mapping, Method, Mode, Obtained, Plan, Provenance, Settings,
};

/// What is said. Whatever a row says itself stands before it.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Purposes of the controller, by name.
    pub purposes: Vec<String>,
    /// Where the contacts came from (GDPR Art. 14(2)(f)).
    pub source: Option<String>,
    /// [`Method`] word.
    pub method: Option<String>,
    /// The notice that was shown: id or SHA-256 of a document that is kept, `NAME`, `NAME:VERSION`,
    /// `NAME:VERSION:LANGUAGE`, or any other reference.
    pub notice: Option<String>,
    /// [`BasisKind`] word.
    pub basis: Option<String>,
    /// [`CustomerFacts`] words.
    pub soft_opt_in: Option<String>,
    /// [`Obtained`] word: from whom.
    pub obtained: Option<String>,
    /// The first day on which they were collected, with the last one.
    pub collected_from: Option<String>,
    /// The last day.
    pub collected_until: Option<String>,
    /// `FIELD=COLUMN` for each column; without any, columns are taken by their usual names.
    pub map: Vec<String>,
    /// `utf-8`, `utf-16le`, `utf-16be` or `windows-1252`; without it, UTF-8.
    pub encoding: Option<String>,
    /// `first` or `absent`; without it, the first row names the columns.
    pub header: Option<String>,
    /// `day` or `month`: which comes first in dates such as 03/04/2021.
    pub date_order: Option<String>,
}

/// A word that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct WordFault {
    /// Which.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub fault: String,
}

type Read<T> = Result<T, WordFault>;

fn wrong<T>(field: &'static str, fault: impl Into<String>) -> Read<T> {
    Err(WordFault { field, fault: fault.into() })
}

/// `csv`, `jsonl` or `list`.
#[must_use]
pub fn format_from(word: &str) -> Option<Format> {
    Some(match word {
        "csv" => Format::Csv { delimiter: Delimiter::Auto },
        "jsonl" => Format::JsonLines,
        "list" => Format::PlainList { comments: Comments::Hash },
        _ => return None,
    })
}

impl Words {
    /// What to do.
    ///
    /// # Errors
    /// [`WordFault`] of the first word that is not understood.
    pub fn plan(
        &self,
        store: &Store,
        controller: ControllerId,
        now: Timestamp,
        format: Format,
        mode: Mode,
    ) -> Read<Plan> {
        let dates = Dates { order: self.order()?, ..Dates::at(now) };
        let provenance = self.provenance(&dates)?;
        let input = Input { format, encoding: self.encoding()?, header: self.header()? };
        let Ok(key) = store.import_key() else { return wrong("file", "the system gives no random octets now") };
        Ok(Plan {
            controller,
            input,
            mapping: self.mapping()?,
            settings: Settings::new(provenance, dates, key),
            purposes: self.purposes(store, controller)?,
            within: store.purposes_within(controller, None),
            mode,
        })
    }

    fn order(&self) -> Read<DateOrder> {
        match self.date_order.as_deref() {
            None => Ok(DateOrder::Unstated),
            Some("day") => Ok(DateOrder::DayFirst),
            Some("month") => Ok(DateOrder::MonthFirst),
            Some(_) => wrong("date_order", "expected day or month"),
        }
    }

    fn encoding(&self) -> Read<Encoding> {
        match self.encoding.as_deref() {
            None | Some("utf-8") => Ok(Encoding::Utf8OrMark),
            Some("utf-16le") => Ok(Encoding::Utf16Le),
            Some("utf-16be") => Ok(Encoding::Utf16Be),
            Some("windows-1252") => Ok(Encoding::Windows1252),
            Some(_) => wrong("encoding", "expected utf-8, utf-16le, utf-16be or windows-1252"),
        }
    }

    fn header(&self) -> Read<HeaderRow> {
        match self.header.as_deref() {
            None | Some("first") => Ok(HeaderRow::First),
            Some("absent") => Ok(HeaderRow::Absent),
            Some(_) => wrong("header", "expected first or absent"),
        }
    }

    fn provenance(&self, dates: &Dates) -> Read<Provenance> {
        let text =
            |said: &Option<String>| said.as_deref().map(str::trim).filter(|said| !said.is_empty()).map(Arc::from);
        Ok(Provenance {
            source: text(&self.source),
            given: self.collected(dates)?,
            method: match self.method.as_deref().map(|word| Method::from_word(word).ok_or(word)) {
                Some(Err(_)) => {
                    return wrong(
                        "method",
                        "expected form, double_opt_in, paper, verbal, api, existing_customer or other",
                    );
                }
                known => known.and_then(Result::ok),
            },
            notice: text(&self.notice),
            basis: match self.basis.as_deref().map(BasisKind::from_word) {
                Some(None) => return wrong("basis", "expected consent, soft-opt-in, contract or legal-obligation"),
                known => known.flatten(),
            },
            customer: match self.soft_opt_in.as_deref().map(CustomerFacts::from_words) {
                Some(None) => return wrong("soft_opt_in", format!("expected words of: {}", CustomerFacts::WORDS)),
                known => known.flatten().unwrap_or_default(),
            },
            obtained: match self.obtained.as_deref().map(Obtained::from_word) {
                Some(None) => return wrong("obtained", "expected person or third-party"),
                known => known.flatten(),
            },
            purposes: Arc::from([]),
        })
    }

    fn collected(&self, dates: &Dates) -> Read<Option<Given>> {
        let day = |field, text: &str| dates.read(text).or_else(|reason| wrong(field, reason.to_string()));
        match (&self.collected_from, &self.collected_until) {
            (None, None) => Ok(None),
            (Some(from), Some(until)) => {
                match Collected::between(day("collected_from", from)?, day("collected_until", until)?) {
                    Some(collected) => Ok(Some(Given::Between(collected))),
                    None => wrong("collected_until", "it lies before collected_from"),
                }
            }
            (None, Some(_)) => wrong("collected_from", "expected, as collected_until is given"),
            (Some(_), None) => wrong("collected_until", "expected, as collected_from is given"),
        }
    }

    fn purposes(&self, store: &Store, controller: ControllerId) -> Read<Vec<PurposeId>> {
        let known = store.purposes(controller);
        let mut found = Vec::with_capacity(self.purposes.len());
        for name in &self.purposes {
            match known.iter().find(|one| one.name == *name && one.ended.is_none()) {
                Some(purpose) => found.push(purpose.id),
                None => {
                    let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
                    return wrong("purpose", format!("there is no such purpose; there are: {}", names.join(", ")));
                }
            }
        }
        Ok(found)
    }

    fn mapping(&self) -> Read<Option<Mapping>> {
        if self.map.is_empty() {
            return Ok(None);
        }
        let mut mapping = Mapping::new();
        for pair in &self.map {
            let read = pair.split_once('=').and_then(|(field, column)| Some((Field::from_word(field)?, column)));
            match read.filter(|(field, _)| *field != Field::Attribute) {
                Some((field, column)) => mapping = mapping.field(field, column),
                None => {
                    let words = Field::ALL.iter().filter(|field| **field != Field::Attribute).map(|one| one.as_str());
                    let words: Vec<&str> = words.collect();
                    return wrong("map", format!("expected FIELD=COLUMN, with a field of {}", words.join(", ")));
                }
            }
        }
        Ok(Some(mapping))
    }
}
