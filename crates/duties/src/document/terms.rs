//! The terms that documents share: dates, languages, regions, parties, purposes, categories of data and of persons.

use super::words::words;
use serde::{Deserialize, Serialize};

/// A language in which the platform has words of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
}

impl Language {
    /// Its BCP 47 tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

/// A day of the calendar, `2026-05-31`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Date(jiff::civil::Date);

/// Not a day of the calendar in the form `2026-05-31`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a day of the calendar in the form 2026-05-31")]
pub struct NotADate;

impl Date {
    /// From year (1970 to 9999), month and day.
    ///
    /// # Errors
    /// `NotADate` when there is no such day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, NotADate> {
        let date = jiff::civil::Date::new(year, month, day).map_err(|_| NotADate)?;
        (1970..=9999).contains(&year).then_some(Self(date)).ok_or(NotADate)
    }

    /// The day that a moment lies in, in UTC.
    #[must_use]
    pub fn of(moment: model::Timestamp) -> Self {
        let at = jiff::Timestamp::from_second(moment.seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(at.to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// Its first moment, in UTC.
    #[must_use]
    pub fn begin(self) -> model::Timestamp {
        let zoned = self.0.to_zoned(jiff::tz::TimeZone::UTC);
        zoned.map_or(model::Timestamp::MAX, |zoned| model::Timestamp::from_seconds(zoned.timestamp().as_second()))
    }

    /// So many days later; the last day of the calendar when there is none.
    #[must_use]
    pub fn plus_days(self, days: u16) -> Self {
        self.0.checked_add(jiff::Span::new().days(i64::from(days))).map_or(self, Self)
    }

    /// From `2026-05-31` and from no other spelling.
    ///
    /// # Errors
    /// `NotADate`.
    pub fn parse(text: &str) -> Result<Self, NotADate> {
        let mut parts = text.split('-');
        let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotADate);
        };
        let number = |part: &str| part.parse::<i16>().map_err(|_| NotADate);
        let small = |part: &str| part.parse::<i8>().map_err(|_| NotADate);
        let date = Self::new(number(year)?, small(month)?, small(day)?)?;
        (date.to_string() == text).then_some(date).ok_or(NotADate)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl TryFrom<String> for Date {
    type Error = NotADate;

    fn try_from(text: String) -> Result<Self, NotADate> {
        Self::parse(&text)
    }
}

/// Text that may name or reach a person. In documents it is plain text; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(pub String);

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(…)")
    }
}

impl Private {
    /// The text, for the document and for its reader.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Nothing but white space?
#[must_use]
pub(crate) fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Where data lie or pass: `EEA`, or a country by its two capital letters (ISO 3166-1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Region(String);

/// Neither `EEA` nor two capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a region is EEA or a country in two capital letters")]
pub struct NotARegion;

impl Region {
    /// The European Economic Area as a whole.
    #[must_use]
    pub fn eea() -> Self {
        Self("EEA".to_owned())
    }

    /// From its word.
    ///
    /// # Errors
    /// `NotARegion`.
    pub fn parse(text: &str) -> Result<Self, NotARegion> {
        let country = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        (country || text == "EEA").then(|| Self(text.to_owned())).ok_or(NotARegion)
    }

    /// Its word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it lie within the other?
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self == other || (other.0 == "EEA" && model::region::EEA_COUNTRIES.contains(&self.as_str()))
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl TryFrom<String> for Region {
    type Error = NotARegion;

    fn try_from(text: String) -> Result<Self, NotARegion> {
        Self::parse(&text)
    }
}

words! {
    /// What a party is to the processing (GDPR Art. 4(7), (8), 26).
    pub enum Role {
        /// Decides purposes and means.
        Controller = "controller", "Controller", "Verantwortlicher";
        /// Decides them together with another.
        JointController = "joint-controller", "Joint controller", "Gemeinsam Verantwortlicher";
        /// Processes on behalf of the controller.
        Processor = "processor", "Processor", "Auftragsverarbeiter";
    }
}

/// A party of an agreement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// What it is to the processing.
    pub role: Role,
    /// Its legal name.
    pub name: Private,
    /// Its postal address.
    pub address: Private,
    /// Name and address of who answers for data protection.
    pub contact: Private,
}

words! {
    /// For whom data are processed (GDPR Art. 28(10)).
    pub enum Owner {
        /// For the controller.
        Controller = "controller", "the controller", "der Verantwortliche";
        /// For the processor itself.
        Processor = "processor", "the processor itself", "der Auftragsverarbeiter selbst";
        /// For somebody else, other customers among them.
        ThirdParty = "third-party", "a third party", "ein Dritter";
    }
}

/// A purpose (GDPR Art. 5(1)(b)). What an instruction and an agreement name by the same `id` and the same text is one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Letters, digits and hyphens.
    pub id: String,
    /// What it is, specific and in plain words.
    pub text: String,
    /// Whose purpose it is.
    pub owner: Owner,
}

impl Purpose {
    /// Is it the same purpose, apart from case and spacing of its text?
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        self.id == other.id && self.owner == other.owner && words(&self.text) == words(&other.text)
    }
}

/// Is it letters, digits and hyphens, at most 64 of them?
#[must_use]
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

words! {
    /// Special categories (GDPR Art. 9(1)), and data on convictions (GDPR Art. 10).
    pub enum SpecialCategory {
        /// Racial or ethnic origin.
        Origin = "origin", "racial or ethnic origin", "rassische oder ethnische Herkunft";
        /// Political opinions.
        Politics = "politics", "political opinions", "politische Meinungen";
        /// Religious or philosophical beliefs.
        Belief = "belief", "religious or philosophical beliefs", "religiöse oder weltanschauliche Überzeugungen";
        /// Trade union membership.
        Union = "union", "trade union membership", "Gewerkschaftszugehörigkeit";
        /// Genetic data.
        Genetic = "genetic", "genetic data", "genetische Daten";
        /// Biometric data that identify.
        Biometric = "biometric", "biometric data that identify a person", "biometrische Daten zur Identifizierung";
        /// Health.
        Health = "health", "data concerning health", "Gesundheitsdaten";
        /// Sex life or sexual orientation.
        Sexuality = "sexuality", "sex life or sexual orientation", "Sexualleben oder sexuelle Orientierung";
        /// Criminal convictions and offences (GDPR Art. 10).
        Convictions = "convictions", "criminal convictions and offences", "strafrechtliche Verurteilungen";
    }
}

words! {
    /// Everyday categories of data.
    pub enum PlainCategory {
        /// The address mail goes to.
        Email = "email", "e-mail address", "E-Mail-Adresse";
        /// A name or form of address.
        Name = "name", "name and form of address", "Name und Anrede";
        /// A postal address.
        PostalAddress = "postal-address", "postal address", "Postanschrift";
        /// A telephone number.
        Telephone = "telephone", "telephone number", "Telefonnummer";
        /// A number that the controller gave.
        CustomerNumber = "customer-number", "customer number", "Kundennummer";
        /// What was bought, ordered or booked.
        Purchases = "purchases", "orders, purchases and bookings", "Bestellungen, Käufe und Buchungen";
        /// What the message says.
        Content = "content", "content of messages", "Inhalt der Nachrichten";
        /// Language, topics and other wishes.
        Preferences = "preferences", "language, topics and other preferences", "Sprache, Themen und andere Wünsche";
        /// Consents, objections and how they were given.
        Permission = "permission", "consents and objections with their evidence",
            "Einwilligungen und Widersprüche mit Nachweis";
        /// What became of a message.
        Delivery = "delivery", "delivery of messages: times, states, replies",
            "Zustellung der Nachrichten: Zeiten, Zustände, Antworten";
        /// Opening and clicking.
        Engagement = "engagement", "opening of messages and clicks", "Öffnungen und Klicks";
        /// Where somebody is.
        Location = "location", "location", "Standort";
        /// When somebody was born.
        BirthDate = "birth-date", "date of birth", "Geburtsdatum";
    }
}

/// A category of data (GDPR Art. 28(3), 30(2)(b)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataCategory {
    /// An everyday one.
    Plain(PlainCategory),
    /// One that needs cover of its own.
    Special(SpecialCategory),
    /// Another one in words.
    Other(String),
}

impl DataCategory {
    /// What people read.
    #[must_use]
    pub fn label(&self, language: Language) -> String {
        match self {
            Self::Plain(plain) => plain.label(language).to_owned(),
            Self::Special(special) => special.label(language).to_owned(),
            Self::Other(text) => text.clone(),
        }
    }
}

/// A category of persons (GDPR Art. 28(3)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectCategory {
    /// Who bought or has a contract.
    Customers,
    /// Who asked for a newsletter.
    Subscribers,
    /// Who showed interest.
    Prospects,
    /// Who has an account.
    AccountHolders,
    /// Members.
    Members,
    /// Employees.
    Employees,
    /// Children (GDPR Art. 8).
    Children,
    /// Others in words.
    Other(String),
}

impl SubjectCategory {
    /// What people read.
    #[must_use]
    pub fn label(&self, language: Language) -> String {
        let (english, german) = match self {
            Self::Customers => ("customers", "Kunden"),
            Self::Subscribers => ("subscribers", "Abonnenten"),
            Self::Prospects => ("persons who showed interest", "Interessenten"),
            Self::AccountHolders => ("holders of accounts", "Kontoinhaber"),
            Self::Members => ("members", "Mitglieder"),
            Self::Employees => ("employees", "Beschäftigte"),
            Self::Children => ("children", "Kinder"),
            Self::Other(text) => return text.clone(),
        };
        if language == Language::English { english.to_owned() } else { german.to_owned() }
    }
}

words! {
    /// A lawful basis (GDPR Art. 6(1); ePrivacy Art. 13).
    pub enum LawfulBasis {
        /// Consent (GDPR Art. 6(1)(a)).
        Consent = "consent", "consent (GDPR Art. 6(1)(a))", "Einwilligung (Art. 6 Abs. 1 Buchst. a DSGVO)";
        /// A customer's address for similar products (ePrivacy Art. 13(2)).
        SoftOptIn = "soft-opt-in", "existing customer, similar products (ePrivacy Directive Art. 13(2))",
            "Bestandskunde, ähnliche Produkte (Art. 13 Abs. 2 ePrivacy-Richtlinie)";
        /// A contract with the person (GDPR Art. 6(1)(b)).
        Contract = "contract", "contract with the person (GDPR Art. 6(1)(b))",
            "Vertrag mit der Person (Art. 6 Abs. 1 Buchst. b DSGVO)";
        /// A legal obligation (GDPR Art. 6(1)(c)).
        LegalObligation = "legal-obligation", "legal obligation (GDPR Art. 6(1)(c))",
            "rechtliche Verpflichtung (Art. 6 Abs. 1 Buchst. c DSGVO)";
        /// A legitimate interest (GDPR Art. 6(1)(f)); never for electronic direct marketing.
        LegitimateInterest = "legitimate-interest", "legitimate interest (GDPR Art. 6(1)(f))",
            "berechtigtes Interesse (Art. 6 Abs. 1 Buchst. f DSGVO)";
    }
}

impl LawfulBasis {
    /// The same in the words of the gate, where it has one.
    #[must_use]
    pub fn kind(self) -> Option<model::basis::BasisKind> {
        model::basis::BasisKind::from_word(self.as_str())
    }

    /// Can it carry electronic direct marketing (ePrivacy Art. 13(1), (2))?
    #[must_use]
    pub const fn carries_marketing(self) -> bool {
        matches!(self, Self::Consent | Self::SoftOptIn)
    }
}
