//! Until when people must be informed whose data came from somebody else, and what a controller says of it
//! (GDPR Art. 14(3), 14(5)).
//!
//! Invariant: what is said is whole: when and how, or which exemption and where its assessment is.

use jiff::ToSpan as _;
use jiff::civil::Date;
use model::Timestamp;
use serde_json::json;

use super::WordFault;

/// Octets of each text.
const TEXT_MAX: usize = 500;

/// The last day (UTC) on which whoever's data were collected at a moment is informed in time: GDPR Art. 14(3)(a),
/// within one month at the latest.
pub(super) fn last_day(collected: Timestamp) -> Option<Date> {
    let day = jiff::Timestamp::from_microsecond(collected.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    day.checked_add(1.month()).ok()
}

/// From then on it is late. Where the calendar ends, it is late at once.
pub(super) fn overdue_from(collected: Timestamp) -> Timestamp {
    let end = || last_day(collected)?.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    end().map_or(collected, |end| Timestamp::from_micros(end.timestamp().as_microsecond()))
}

/// What a controller says of how the people of an import were informed, in words: `on` and `how`, or `exemption` and
/// `assessment`.
#[derive(Debug, Clone, Default)]
pub struct Informing {
    /// The day on which the last of them was informed: `YYYY-MM-DD`, not in the future.
    pub on: Option<String>,
    /// How.
    pub how: Option<String>,
    /// The notice that they got: a reference.
    pub notice: Option<String>,
    /// Why they need not be informed: the letter of GDPR Art. 14(5), `a` to `d`.
    pub exemption: Option<String>,
    /// Where the assessment of that is.
    pub assessment: Option<String>,
}

impl Informing {
    /// What is kept: JSON.
    ///
    /// # Errors
    /// [`WordFault`] of the first word that is missing, too long, or not understood.
    pub fn said(&self, now: Timestamp) -> Result<String, WordFault> {
        let (on, how, notice) = (text("on", &self.on)?, text("how", &self.how)?, text("notice", &self.notice)?);
        let assessment = text("assessment", &self.assessment)?;
        let Some(exemption) = text("exemption", &self.exemption)? else {
            let on = on.ok_or_else(|| fault("on", "say on which day they were informed, or which exemption holds"))?;
            let how = how.ok_or_else(|| fault("how", "say how they were informed"))?;
            if assessment.is_some() {
                return Err(fault("assessment", "an assessment belongs to an exemption"));
            }
            let said = json!({ "on": day(on, now)?.to_string(), "how": how, "notice": notice });
            return Ok(said.to_string());
        };
        if on.is_some() || how.is_some() || notice.is_some() {
            return Err(fault("exemption", "say how they were informed, or why they need not be, not both"));
        }
        if !["a", "b", "c", "d"].contains(&exemption) {
            return Err(fault("exemption", "expected a, b, c or d: the letter of GDPR Art. 14(5)"));
        }
        let assessment = assessment.ok_or_else(|| fault("assessment", "say where the assessment of it is"))?;
        let said = json!({ "exemption": format!("GDPR Art. 14(5)({exemption})"), "assessment": assessment });
        Ok(said.to_string())
    }
}

fn fault(field: &'static str, fault: &str) -> WordFault {
    WordFault { field, fault: fault.to_owned() }
}

fn text<'a>(field: &'static str, said: &'a Option<String>) -> Result<Option<&'a str>, WordFault> {
    match said.as_deref().map(str::trim).filter(|said| !said.is_empty()) {
        Some(said) if said.len() > TEXT_MAX => Err(fault(field, "at most 500 octets")),
        said => Ok(said),
    }
}

fn day(on: &str, now: Timestamp) -> Result<Date, WordFault> {
    let day: Date = on.parse().map_err(|_| fault("on", "expected a day: YYYY-MM-DD"))?;
    let today = jiff::Timestamp::from_microsecond(now.micros()).ok().map(|now| now.to_zoned(jiff::tz::TimeZone::UTC));
    // It is tomorrow already where clocks are ahead of UTC.
    let latest = today.and_then(|today| today.date().tomorrow().ok());
    if latest.is_some_and(|latest| day > latest) {
        return Err(fault("on", "the day has not come yet"));
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(at.as_microsecond())
    }

    #[test]
    fn art14_3_a_within_one_month_of_the_day() {
        for (collected, last, late) in [
            ("2026-10-30T10:00:00Z", "2026-11-30", "2026-12-01T00:00:00Z"),
            ("2026-01-31T23:59:59Z", "2026-02-28", "2026-03-01T00:00:00Z"),
            ("2024-01-31T00:00:00Z", "2024-02-29", "2024-03-01T00:00:00Z"),
            ("2026-12-31T00:00:00Z", "2027-01-31", "2027-02-01T00:00:00Z"),
        ] {
            assert_eq!(last_day(at(collected)).unwrap().to_string(), last);
            assert_eq!(overdue_from(at(collected)), at(late), "{collected}");
        }
        let never = Timestamp::from_micros(i64::MAX);
        assert_eq!(overdue_from(never), never, "beyond the calendar it is late at once");
    }

    #[test]
    fn art14_what_is_said_is_whole_or_it_is_not_taken() {
        let now = at("2026-11-20T12:00:00Z");
        let word = |text: &str| Some(text.to_owned());
        let told = Informing { on: word("2026-11-19"), how: word("by letter"), ..Informing::default() };
        assert_eq!(told.said(now).unwrap(), r#"{"how":"by letter","notice":null,"on":"2026-11-19"}"#);
        let exempt = Informing { exemption: word("b"), assessment: word("file 7"), ..Informing::default() };
        assert_eq!(exempt.said(now).unwrap(), r#"{"assessment":"file 7","exemption":"GDPR Art. 14(5)(b)"}"#);
        let faults = [
            (Informing::default(), "on"),
            (Informing { how: None, ..told.clone() }, "how"),
            (Informing { how: word("  "), ..told.clone() }, "how"),
            (Informing { how: word(&"x".repeat(501)), ..told.clone() }, "how"),
            (Informing { on: word("19.11.2026"), ..told.clone() }, "on"),
            (Informing { on: word("2026-11-22"), ..told.clone() }, "on"),
            (Informing { assessment: word("file 7"), ..told.clone() }, "assessment"),
            (Informing { exemption: word("e"), ..exempt.clone() }, "exemption"),
            (Informing { assessment: None, ..exempt.clone() }, "assessment"),
            (Informing { on: word("2026-11-19"), ..exempt }, "exemption"),
        ];
        for (said, field) in faults {
            assert_eq!(said.said(now).unwrap_err().field, field, "{said:?}");
        }
    }
}
