//! Terms of a stream that this node cannot keep are not taken: what an instruction says is enforced, or refused with
//! the reason (GDPR Art. 28(3)(a)). Never taken and then overlooked.

use crate::facts::{DAY_MINUTES, zone};
use model::region;
use model::stream::{Frequency, Quiet, Stream, Terms, TlsFloor, Tracking};
use std::fmt;

/// A bound on marketing counts at most so many messages.
const MESSAGES_MAX: u32 = 100;
/// And in at most so many days.
const DAYS_MAX: u32 = 366;
/// law.md R38: headers and events are kept for 90 days at most; terms may say less.
pub(crate) const TIMELINE_DAYS_MAX: u32 = 90;
/// The class of data whose time terms may shorten: what became of messages.
pub(crate) const TIMELINE: &str = "timeline";
/// Evidence of consent, after it ended. Ten years: the longest general limitation of claims in the Member States.
pub(crate) const EVIDENCE: &str = "evidence";
const EVIDENCE_DAYS_MAX: u32 = 3_650;
/// Of suppressions, those that a bounce made. What a person wished does not age (GDPR Art. 7(3), 21(3)).
pub(crate) const BOUNCES: &str = "suppression";
const BOUNCES_DAYS_MAX: u32 = 366;
/// Classes whose days terms may say, and how many at most.
const BY_DAYS: [(&str, u32); 3] =
    [(TIMELINE, TIMELINE_DAYS_MAX), (EVIDENCE, EVIDENCE_DAYS_MAX), (BOUNCES, BOUNCES_DAYS_MAX)];
/// Classes that are kept for no time at all beside the message itself, whatever is allowed.
const NOT_KEPT: [&str; 2] = ["body", "engagement"];

/// Terms that cannot be kept, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotKeepable {
    /// Openings and clicks are not observed by this version.
    #[error(
        "tracking {0}: this version observes neither opening nor clicking; say `none` (GDPR Art. 28(3)(a), ePrivacy \
         Art. 5(3))"
    )]
    Tracking(&'static str),
    /// A word that is no region.
    #[error("region {0:?}: a region is EEA or a country in two capital letters")]
    Region(String),
    /// The node does not stand there.
    #[error(
        "regions {wanted}: this node {stands}; start it with --region where it lies in one of them, or widen the \
         regions (GDPR Art. 28(3)(a), 44)"
    )]
    Elsewhere {
        /// The regions of the terms.
        wanted: String,
        /// Where the node is.
        stands: Place,
    },
    /// A bound that is none, or that nobody can count.
    #[error(
        "frequency of {messages} messages in {days} days: at least 1 in 1 day and at most {MESSAGES_MAX} in {DAYS_MAX} \
         days can be counted"
    )]
    Frequency {
        /// Messages.
        messages: u32,
        /// Days.
        days: u32,
    },
    /// Minutes that no day has, or hours without length.
    #[error("quiet hours from minute {from} to minute {until}: two different minutes of the day from 0 to 1439")]
    QuietMinutes {
        /// First quiet minute.
        from: u16,
        /// First minute after.
        until: u16,
    },
    /// A time zone that does not exist.
    #[error("quiet hours in {0:?}: no such time zone; name one of the IANA database, for example Europe/Berlin")]
    Zone(String),
    /// Bounds of marketing on a stream of other mail.
    #[error("{0} bounds marketing, and this stream carries other mail; leave it out")]
    NotMarketing(&'static str),
    /// A class whose time is not the terms' to say.
    #[error(
        "retention of {0:?}: terms bound `timeline` (at most {TIMELINE_DAYS_MAX} days), `evidence` (after it ended, at \
         most {EVIDENCE_DAYS_MAX}) and `suppression` (bounces, at most {BOUNCES_DAYS_MAX}); `body` and `engagement` \
         are not kept beyond the message anyway; everything else is kept as docs/personal-data.md says"
    )]
    RetentionClass(String),
    /// For ever, or not at all.
    #[error("retention of the {class} for {days} days: from 1 to {most} days (GDPR Art. 5(1)(e))")]
    RetentionDays {
        /// The class.
        class: &'static str,
        /// As said.
        days: u32,
        /// At most.
        most: u32,
    },
}

/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Its operator did not say.
    Unsaid,
    /// There.
    Region(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => f.write_str("does not know where it stands"),
            Self::Region(region) => write!(f, "stands in {region}"),
        }
    }
}

/// Can a node that stands there keep these terms?
pub(super) fn keepable(terms: &Terms, is_marketing: bool, place: Option<&str>) -> Result<(), NotKeepable> {
    match terms.tracking {
        Tracking::None => {}
        Tracking::Hygiene => return Err(NotKeepable::Tracking("hygiene")),
        Tracking::Consented => return Err(NotKeepable::Tracking("consented")),
    }
    match terms.tls_floor {
        // All are: see the rule `tls-floor`.
        TlsFloor::Opportunistic | TlsFloor::Encrypted | TlsFloor::Verified => {}
    }
    regions(terms, place)?;
    if !is_marketing && terms.frequency.is_some() {
        return Err(NotKeepable::NotMarketing("a frequency"));
    }
    if !is_marketing && terms.quiet.is_some() {
        return Err(NotKeepable::NotMarketing("a time of quiet"));
    }
    terms.frequency.map_or(Ok(()), frequency)?;
    terms.quiet.as_ref().map_or(Ok(()), quiet)?;
    for (class, days) in &terms.retention_days {
        if NOT_KEPT.contains(&class.as_str()) {
            continue;
        }
        let known = BY_DAYS.iter().find(|(known, _)| *known == class);
        let (class, most) = *known.ok_or_else(|| NotKeepable::RetentionClass(class.clone()))?;
        if !(1..=most).contains(days) {
            return Err(NotKeepable::RetentionDays { class, days: *days, most });
        }
    }
    Ok(())
}

fn regions(terms: &Terms, place: Option<&str>) -> Result<(), NotKeepable> {
    if let Some(word) = terms.regions.iter().find(|word| !region::is_region(word)) {
        return Err(NotKeepable::Region(word.clone()));
    }
    if region::lies_in(place, &terms.regions) {
        return Ok(());
    }
    let stands = place.map_or(Place::Unsaid, |place| Place::Region(place.to_owned()));
    Err(NotKeepable::Elsewhere { wanted: terms.regions.join(", "), stands })
}

fn frequency(most: Frequency) -> Result<(), NotKeepable> {
    let Frequency { messages, days } = most;
    if (1..=MESSAGES_MAX).contains(&messages) && (1..=DAYS_MAX).contains(&days) {
        Ok(())
    } else {
        Err(NotKeepable::Frequency { messages, days })
    }
}

fn quiet(quiet: &Quiet) -> Result<(), NotKeepable> {
    let Quiet { from, until, zone: name } = quiet;
    if *from >= DAY_MINUTES || *until >= DAY_MINUTES || from == until {
        return Err(NotKeepable::QuietMinutes { from: *from, until: *until });
    }
    zone(name).map(drop).ok_or_else(|| NotKeepable::Zone(name.clone()))
}

/// The same of a stream that is there: it may have been made by another node, or before this one moved.
pub(crate) fn is_kept(stream: &Stream, place: Option<&str>) -> bool {
    keepable(&stream.terms, stream.kind.is_marketing(), place).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(change: impl FnOnce(&mut Terms)) -> Terms {
        let mut terms = Terms::default();
        change(&mut terms);
        terms
    }

    fn retained(class: &str, days: u32) -> Terms {
        terms(|terms| terms.retention_days.extend([(class.to_owned(), days)]))
    }

    fn said(terms: &Terms, place: Option<&str>) -> Option<String> {
        keepable(terms, true, place).err().map(|error| error.to_string())
    }

    #[test]
    fn art28_3_a_terms_that_cannot_be_kept_are_named_with_the_reason() {
        let quiet = |from, until, zone: &str| Some(Quiet { from, until, zone: zone.to_owned() });
        let regions = || vec!["EEA".to_owned()];
        for (terms, word) in [
            (terms(|terms| terms.tracking = Tracking::Hygiene), "tracking hygiene: "),
            (terms(|terms| terms.tracking = Tracking::Consented), "tracking consented: "),
            (terms(|terms| terms.regions = vec!["Europe".to_owned()]), "region \"Europe\": "),
            (terms(|terms| terms.regions = regions()), "regions EEA: this node does not know where it stands; "),
            (terms(|terms| terms.frequency = Some(Frequency { messages: 0, days: 7 })), "frequency of 0 messages"),
            (terms(|terms| terms.frequency = Some(Frequency { messages: 1, days: 0 })), "frequency of 1 messages"),
            (terms(|terms| terms.frequency = Some(Frequency { messages: 101, days: 7 })), "frequency of 101"),
            (terms(|terms| terms.quiet = quiet(0, 1_440, "UTC")), "quiet hours from minute 0 to minute 1440"),
            (terms(|terms| terms.quiet = quiet(60, 60, "UTC")), "quiet hours from minute 60 to minute 60"),
            (terms(|terms| terms.quiet = quiet(0, 60, "Nowhere")), "quiet hours in \"Nowhere\": no such time zone"),
            (retained("timeline", 0), "retention of the timeline"),
            (retained("timeline", 91), "retention of the timeline"),
            (retained("evidence", 0), "retention of the evidence for 0 days"),
            (retained("evidence", 3_651), "retention of the evidence"),
            (retained("suppression", 367), "retention of the suppression"),
            (retained("everything", 1), "retention of \"everything\""),
        ] {
            let said = said(&terms, None).unwrap();
            assert!(said.starts_with(word), "{word} / {said}");
        }
        let abroad = said(&terms(|terms| terms.regions = regions()), Some("US")).unwrap();
        assert!(abroad.starts_with("regions EEA: this node stands in US; "), "{abroad}");
    }

    #[test]
    fn terms_that_can_be_kept_are_taken() {
        let all = terms(|terms| {
            terms.regions = vec!["CH".to_owned(), "EEA".to_owned()];
            terms.frequency = Some(Frequency { messages: 4, days: 30 });
            terms.quiet = Some(Quiet { from: 1_320, until: 420, zone: "Europe/Berlin".to_owned() });
            terms.tls_floor = TlsFloor::Encrypted;
            terms.retention_days.extend([("timeline".to_owned(), 30), ("body".to_owned(), 0)]);
            terms.retention_days.extend([("evidence".to_owned(), 1_095), ("suppression".to_owned(), 90)]);
        });
        assert_eq!(said(&all, Some("DE")), None);
        assert_eq!(said(&Terms::default(), None), None);
        // Bounds of marketing say nothing of other mail.
        assert!(matches!(keepable(&all, false, Some("DE")), Err(NotKeepable::NotMarketing(_))));
    }
}
