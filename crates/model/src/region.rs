//! Where data lie and pass: `EEA`, or a country by its two capital letters (ISO 3166-1).
//!
//! Never: a judgement of the law of a country (GDPR Art. 44 ff.); only whether one place lies in another.

/// The European Economic Area as a whole.
pub const EEA: &str = "EEA";

/// The EU's members, Iceland, Liechtenstein and Norway (EEA Joint Committee Decision 154/2018 for the GDPR).
pub const EEA_COUNTRIES: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Is it a word for a region?
#[must_use]
pub fn is_region(word: &str) -> bool {
    word == EEA || (word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Does a place lie in one of these? Everywhere, when none is named; nowhere, when the place itself is not known.
#[must_use]
pub fn lies_in(place: Option<&str>, allowed: &[String]) -> bool {
    let within = |place: &str, region: &str| place == region || (region == EEA && EEA_COUNTRIES.contains(&place));
    allowed.is_empty() || place.is_some_and(|place| allowed.iter().any(|region| within(place, region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_in_itself_and_in_the_area_it_belongs_to() {
        let allowed = |regions: &[&str]| regions.iter().map(|region| (*region).to_owned()).collect::<Vec<_>>();
        for (place, regions, expected) in [
            (Some("DE"), &["EEA"][..], true),
            (Some("DE"), &["FR", "DE"][..], true),
            (Some("EEA"), &["EEA"][..], true),
            (None, &[][..], true),
            (Some("US"), &[][..], true),
            (Some("US"), &["EEA"][..], false),
            (Some("EEA"), &["DE"][..], false),
            (None, &["EEA"][..], false),
        ] {
            assert_eq!(lies_in(place, &allowed(regions)), expected, "{place:?} in {regions:?}");
        }
        assert!(is_region("EEA") && is_region("CH") && !is_region("de") && !is_region("Europe") && !is_region(""));
    }
}
