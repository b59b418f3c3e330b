//! Which column is what.
//!
//! A mapping names columns as the header does (case does not matter); binding it to a header finds their places.
//! Invariants: a bound mapping has an e-mail column; no column is taken for two things, none for two columns of the
//! same name. Never: a name repeated that may be somebody's address.

use std::sync::Arc;

use super::{ATTRIBUTES_MAX, Field, OpenError};

/// Names that exports give their columns, folded ([`fold`]), the surest first.
const SYNONYMS: &[(Field, &[&str])] = &[
    (
        Field::Email,
        &[
            "email",
            "emailaddress",
            "emailadresse",
            "mail",
            "mailaddress",
            "mailadresse",
            "subscriberemail",
            "contactemail",
            "kontaktemail",
            "workemail",
        ],
    ),
    (Field::Language, &["language", "lang", "locale", "preferredlanguage", "sprache"]),
    (
        Field::GivenAt,
        &[
            "givenat",
            "consentgivenat",
            "consentat",
            "consentdate",
            "consenttime",
            "consenttimestamp",
            "optintime",
            "optindate",
            "optinat",
            "optintimestamp",
            "subscribedat",
            "subscriptiondate",
            "subscribedate",
            "signupdate",
            "signuptime",
            "signupat",
            "einwilligungam",
            "einwilligungvom",
            "einwilligungsdatum",
            "datumdereinwilligung",
            "anmeldedatum",
            "angemeldetam",
            "registered",
            "registriertam",
        ],
    ),
    (
        Field::Method,
        &["method", "consentmethod", "optinmethod", "optintype", "methode", "einwilligungsart", "artdereinwilligung"],
    ),
    (
        Field::Source,
        &[
            "source",
            "consentsource",
            "optinsource",
            "signupsource",
            "subscriptionsource",
            "origin",
            "herkunft",
            "quelle",
        ],
    ),
    (
        Field::Notice,
        &[
            "notice",
            "noticereference",
            "noticeversion",
            "consentnotice",
            "privacynotice",
            "consenttext",
            "einwilligungstext",
            "datenschutzhinweis",
        ],
    ),
    (Field::Basis, &["basis", "basiskind", "legalbasis", "lawfulbasis", "rechtsgrundlage"]),
    (
        Field::Confirmed,
        &[
            "confirmed",
            "confirmedat",
            "confirmtime",
            "confirmdate",
            "confirmationtime",
            "confirmationdate",
            "doubleoptin",
            "doubleoptintime",
            "doubleoptindate",
            "doi",
            "doidate",
            "doitime",
            "bestätigt",
            "bestätigtam",
            "bestaetigt",
            "bestaetigtam",
            "activated",
        ],
    ),
    (Field::Purpose, &["purpose", "purposes", "zweck", "zwecke"]),
    (Field::SoftOptIn, &["softoptin", "softoptinfacts"]),
    (Field::Obtained, &["obtained", "obtainedfrom"]),
];

/// Which column is what, by the names of the header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    fields: Vec<(Field, String)>,
    attributes: Vec<(String, String)>,
}

impl Mapping {
    /// Nothing mapped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Proposes a mapping by the names that exports in English and German give their columns. No attribute is
    /// proposed: what is carried along beyond the evidence is a decision (GDPR Art. 5(1)(c)).
    #[must_use]
    pub fn suggest<T: AsRef<str>>(header: &[T]) -> Self {
        let folded: Vec<String> = header.iter().map(|name| fold(name.as_ref())).collect();
        let mut mapping = Self::new();
        for (field, synonyms) in SYNONYMS {
            let found = synonyms.iter().find_map(|synonym| folded.iter().position(|name| name == synonym));
            if let Some(name) = found.and_then(|at| header.get(at)) {
                mapping.fields.push((*field, name.as_ref().to_owned()));
            }
        }
        mapping
    }

    /// Maps a field to a column. [`Field::Attribute`] carries the column along under its own name.
    #[must_use]
    pub fn field(mut self, field: Field, column: &str) -> Self {
        if field == Field::Attribute {
            return self.attribute(column, column);
        }
        self.fields.push((field, column.to_owned()));
        self
    }

    /// Carries a column along under a name.
    #[must_use]
    pub fn attribute(mut self, name: &str, column: &str) -> Self {
        self.attributes.push((name.to_owned(), column.to_owned()));
        self
    }

    /// The column of a field, if it is mapped.
    #[must_use]
    pub fn column_of(&self, field: Field) -> Option<&str> {
        self.fields.iter().find(|(mapped, _)| *mapped == field).map(|(_, column)| column.as_str())
    }

    /// Finds the places of the columns; each column of `header` is one place.
    pub(super) fn bind(&self, header: &[String]) -> Result<Bound, OpenError> {
        self.check(header)?;
        let mut bound =
            Bound { fields: [None; Field::ALL.len()], attributes: Vec::new(), columns: header.len(), by: By::Number };
        for (field, column) in &self.fields {
            if let Some(place) = bound.fields.get_mut(field.index()) {
                *place = Some(place_of(header, column)?);
            }
        }
        for (name, column) in &self.attributes {
            bound.attributes.push((Arc::from(name.as_str()), place_of(header, column)?));
        }
        bound.no_place_twice(header)?;
        Ok(bound)
    }

    /// Binds to the keys of JSON objects: each mapped key has a place of its own, in the order returned.
    pub(super) fn bind_keys(&self, known: &[String]) -> Result<(Bound, Vec<String>), OpenError> {
        let mapped = self.fields.iter().map(|(_, column)| column).chain(self.attributes.iter().map(|(_, key)| key));
        let mut keys: Vec<String> = Vec::new();
        for key in mapped {
            if keys.iter().any(|other| same(other, key)) {
                return Err(OpenError::MappedTwice { asked: key.clone() });
            }
            keys.push(key.clone());
        }
        if self.column_of(Field::Email).is_none() {
            return Err(OpenError::NoEmail { known: tellable(known) });
        }
        let bound = Bound { by: By::Key, ..self.bind(&keys)? };
        Ok((bound, keys))
    }

    fn check(&self, header: &[String]) -> Result<(), OpenError> {
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(OpenError::TooManyAttributes);
        }
        for (index, (field, column)) in self.fields.iter().enumerate() {
            if self.fields.iter().take(index).any(|(other, _)| other == field) {
                return Err(OpenError::MappedTwice { asked: column.clone() });
            }
        }
        for (index, (name, column)) in self.attributes.iter().enumerate() {
            if self.attributes.iter().take(index).any(|(other, _)| other == name) {
                return Err(OpenError::MappedTwice { asked: column.clone() });
            }
        }
        match self.column_of(Field::Email) {
            Some(_) => Ok(()),
            None => Err(OpenError::NoEmail { known: tellable(header) }),
        }
    }
}

/// The places of mapped columns.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    fields: [Option<usize>; Field::ALL.len()],
    pub(super) attributes: Vec<(Arc<str>, usize)>,
    /// How many columns there are.
    pub(super) columns: usize,
    by: By,
}

/// How a column is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Number,
    Key,
}

impl Bound {
    /// The place of a field.
    pub(super) fn place(&self, field: Field) -> Option<usize> {
        self.fields.get(field.index()).copied().flatten()
    }

    /// The number of a column as people count it; a key of JSON has none.
    pub(super) fn number(&self, place: usize) -> Option<u16> {
        if self.by == By::Key { None } else { u16::try_from(place + 1).ok() }
    }

    /// What a place is mapped to.
    pub(super) fn field_at(&self, place: usize) -> Option<Field> {
        let field = Field::ALL.into_iter().find(|field| self.place(*field) == Some(place));
        field.or_else(|| self.attributes.iter().any(|(_, at)| *at == place).then_some(Field::Attribute))
    }

    /// Columns that nobody mapped, as they may be told.
    pub(super) fn ignored(&self, header: &[String]) -> Vec<String> {
        let mut names = tellable(header);
        let mut place = 0;
        names.retain(|_| {
            place += 1;
            self.field_at(place - 1).is_none()
        });
        names
    }

    fn no_place_twice(&self, header: &[String]) -> Result<(), OpenError> {
        let mut taken = vec![false; header.len()];
        let places = self.fields.iter().flatten().chain(self.attributes.iter().map(|(_, place)| place));
        for &place in places {
            let before = taken.get_mut(place).is_some_and(|taken| std::mem::replace(taken, true));
            if before {
                return Err(OpenError::MappedTwice { asked: header.get(place).cloned().unwrap_or_default() });
            }
        }
        Ok(())
    }
}

fn place_of(header: &[String], asked: &str) -> Result<usize, OpenError> {
    let mut places = header.iter().enumerate().filter(|(_, name)| same(name, asked)).map(|(place, _)| place);
    let Some(place) = places.next() else {
        return Err(OpenError::UnknownColumn { asked: asked.to_owned(), known: tellable(header) });
    };
    if places.next().is_some() {
        return Err(OpenError::RepeatedColumn { asked: asked.to_owned() });
    }
    Ok(place)
}

/// Whether two names of columns are one.
pub(super) fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

/// Letters and digits in small, nothing else.
pub(super) fn fold(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names longer than this are not repeated: they are text, not names.
const TOLD_CHARACTERS_MAX: usize = 64;

/// Names of columns as they may stand in errors and reports.
pub(super) fn tellable(header: &[String]) -> Vec<String> {
    header.iter().enumerate().map(|(place, name)| tellable_name(place, name)).collect()
}

pub(super) fn tellable_name(place: usize, name: &str) -> String {
    let tell = !name.is_empty()
        && !name.contains('@')
        && !name.chars().any(char::is_control)
        && name.chars().count() <= TOLD_CHARACTERS_MAX;
    if tell { name.to_owned() } else { format!("(column {})", place + 1) }
}
