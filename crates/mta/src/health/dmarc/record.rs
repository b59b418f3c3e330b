//! The text of a DMARC record (RFC 9989 §4.7, §4.8).
//!
//! Invariant: what the standard has verifiers ignore is told and ignored here, too: unknown tags, and those that it
//! took away.

/// Tags that RFC 9989 took away; readers of RFC 7489 may still heed them.
const REMOVED: [&str; 3] = ["pct", "rf", "ri"];
const KNOWN: [&str; 11] = ["v", "p", "sp", "np", "psd", "t", "adkim", "aspf", "rua", "ruf", "fo"];

/// What is asked for mail that does not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asks {
    None,
    Quarantine,
    Reject,
}

impl Asks {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Self::None),
            "quarantine" => Some(Self::Quarantine),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }

    /// RFC 9989 §4.7, tag t: one step less is done while it is tried.
    pub(super) const fn tried(self) -> Self {
        match self {
            Self::None | Self::Quarantine => Self::None,
            Self::Reject => Self::Quarantine,
        }
    }
}

/// Whether the domain is one below which others register (§4.7, tag psd).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PublicSuffix {
    Yes,
    No,
    Unsaid,
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub(super) policy: Asks,
    /// For names below that are there.
    pub(super) below: Option<Asks>,
    /// For names below that are not there.
    pub(super) absent: Option<Asks>,
    pub(super) suffix: PublicSuffix,
    pub(super) tries: bool,
    pub(super) strict_dkim: bool,
    pub(super) strict_spf: bool,
    pub(super) reports: bool,
    /// What should be otherwise, and does no harm.
    pub(super) oddities: Vec<String>,
}

/// Is it meant as one? `v` must be first (§4.8).
pub(super) fn is_meant(text: &str) -> bool {
    let first = text.split(';').next().and_then(|first| first.split_once('='));
    first.is_some_and(|(name, value)| name.trim() == "v" && value.trim() == "DMARC1")
}

impl Record {
    /// Reads one that is meant as one.
    ///
    /// # Errors
    /// Why verifiers pay no heed to it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tags: Vec<(String, &str)> = text
            .split(';')
            .filter(|tag| !tag.trim().is_empty())
            .map(|tag| tag.split_once('=').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim())))
            .collect::<Option<_>>()
            .ok_or_else(|| "one of its parts is not NAME=VALUE".to_owned())?;
        let of = |wanted: &str| tags.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let mut oddities: Vec<String> = Vec::new();
        for (name, _) in &tags {
            if REMOVED.contains(&name.as_str()) {
                oddities.push(format!("{name}= was taken out of DMARC by RFC 9989 and is ignored: take it out"));
            } else if !KNOWN.contains(&name.as_str()) {
                oddities.push(format!("{name}= is no tag of DMARC and is ignored: take it out"));
            }
        }
        if of("rua").is_some_and(|uris| uris.contains('!')) {
            oddities.push("a size after ! in rua= is ignored since RFC 9989: take it out".to_owned());
        }
        let reports = of("rua").is_some_and(|uris| uris.split(',').any(|uri| uri.trim().starts_with("mailto:")));
        let subs = ["sp", "np"].map(|name| of(name).map(Asks::parse));
        let policy = match of("p").map(Asks::parse) {
            Some(Some(policy)) if !subs.contains(&Some(None)) => policy,
            // §4.7: where reports are asked for, a policy that cannot be read is none.
            said if reports => {
                let how = if said.is_none() { "p= is missing" } else { "p=, sp= or np= is none that is known" };
                oddities.push(format!("{how}, so that it counts as p=none: say p=none, p=quarantine or p=reject"));
                Asks::None
            }
            None => return Err("p= is missing".to_owned()),
            Some(_) => return Err("p=, sp= or np= is not none, quarantine or reject".to_owned()),
        };
        let [below, absent] = subs.map(Option::flatten);
        let says = |name: &str, what: &str| of(name).is_some_and(|value| value.eq_ignore_ascii_case(what));
        let suffix = match (says("psd", "y"), says("psd", "n")) {
            (true, _) => PublicSuffix::Yes,
            (_, true) => PublicSuffix::No,
            _ => PublicSuffix::Unsaid,
        };
        let (strict_dkim, strict_spf) = (says("adkim", "s"), says("aspf", "s"));
        Ok(Self { policy, below, absent, suffix, tries: says("t", "y"), strict_dkim, strict_spf, reports, oddities })
    }
}
