//! The record and the policy of MTA-STS as text.
//!
//! Invariants: what is not as the grammar says is no record and no policy; a wildcard stands for exactly one label.
//! Pure. Standards: RFC 8461 §3.1, §3.2, §4.1.

use std::time::Duration;

/// RFC 8461 §3.2: a year, and a little more.
const MAX_AGE_MAX: u64 = 31_557_600;
/// Patterns of one policy.
const PATTERNS_MAX: usize = 256;
const ID_LETTERS_MAX: usize = 32;

/// What a domain asks of those who send to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Mail waits where it cannot be met.
    Enforce,
    /// It is looked at and told, and never holds back anything.
    Testing,
    /// The domain has given it up.
    None,
}

/// A policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub(crate) mode: Mode,
    /// A host, or `*.` and what follows its first label; small letters, without a final dot.
    pub(crate) patterns: Vec<String>,
    pub(crate) max_age: Duration,
}

impl Policy {
    /// Nothing when the text is no policy.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = Fields::default();
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        for line in lines {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t']);
            let (name, value) = line.split_once(':')?;
            let is_name = !name.is_empty()
                && name.len() <= 32
                && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
            if !is_name {
                return None;
            }
            fields.take(name, value.trim_matches([' ', '\t']))?;
        }
        fields.policy()
    }

    /// RFC 8461 §4.1: may mail go to this host? Asked whatever the mode.
    pub(crate) fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.patterns.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => *pattern == host,
        })
    }
}

#[derive(Default)]
struct Fields {
    is_version_one: bool,
    mode: Option<Mode>,
    max_age: Option<u64>,
    patterns: Vec<String>,
}

impl Fields {
    /// Of a field that stands twice the first counts; unknown fields are for later versions.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "version" => {
                if value != "STSv1" {
                    return None;
                }
                self.is_version_one = true;
            }
            "mode" => {
                let mode = match value {
                    "enforce" => Mode::Enforce,
                    "testing" => Mode::Testing,
                    "none" => Mode::None,
                    _ => return None,
                };
                self.mode.get_or_insert(mode);
            }
            "max_age" => {
                let is_number = (1..=10).contains(&value.len()) && value.bytes().all(|digit| digit.is_ascii_digit());
                let seconds = value.parse().ok().filter(|seconds| is_number && *seconds <= MAX_AGE_MAX)?;
                self.max_age.get_or_insert(seconds);
            }
            "mx" => {
                let pattern = value.to_ascii_lowercase();
                if !is_pattern(&pattern) || self.patterns.len() >= PATTERNS_MAX {
                    return None;
                }
                self.patterns.push(pattern);
            }
            _ => {}
        }
        Some(())
    }

    fn policy(self) -> Option<Policy> {
        let (mode, max_age) = (self.mode?, Duration::from_secs(self.max_age?));
        let whole = self.is_version_one && (mode == Mode::None || !self.patterns.is_empty());
        whole.then_some(Policy { mode, patterns: self.patterns, max_age })
    }
}

/// A host name in A-labels, or one below `*.`.
fn is_pattern(pattern: &str) -> bool {
    let host = pattern.strip_prefix("*.").unwrap_or(pattern);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// The id of the one record among these texts. Two are none (RFC 8461 §3.1).
pub(crate) fn id_of(texts: &[String]) -> Option<String> {
    let mut records = texts.iter().filter(|text| text.starts_with("v=STSv1;") || text.starts_with("v=STSv1 "));
    let (record, None) = (records.next()?, records.next()) else { return None };
    let mut fields = record.split(';').map(|field| field.trim_matches([' ', '\t']));
    if fields.next() != Some("v=STSv1") {
        return None;
    }
    let id = fields.find_map(|field| field.strip_prefix("id="))?;
    let is_id = (1..=ID_LETTERS_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.dest.example\r\nmx: *.Dest.example\r\n\
                        max_age: 604800\r\n";

    fn id(texts: &[&str]) -> Option<String> {
        id_of(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn rfc8461_3_2_a_policy_is_read_with_either_line_end() {
        let policy = Policy::parse(GOOD).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, Duration::from_secs(604_800)));
        assert_eq!(policy.patterns, ["mail.dest.example", "*.dest.example"]);
        assert_eq!(Policy::parse(&GOOD.replace("\r\n", "\n")), Some(policy.clone()));
        assert_eq!(Policy::parse(&format!("{GOOD}later: a field of tomorrow")), Some(policy));
    }

    #[test]
    fn rfc8461_3_2_what_is_not_as_the_grammar_says_is_no_policy() {
        for (old, new) in [
            ("version: STSv1\r\n", ""),
            ("STSv1", "STSv2"),
            ("mode: enforce\r\n", ""),
            ("enforce", "strict"),
            ("max_age: 604800\r\n", ""),
            ("604800", "31557601"),
            ("604800", "-1"),
            ("604800", "99999999999"),
            ("mail.dest.example", "mail..example"),
            ("*.Dest.example", "a.*.example"),
            ("*.Dest.example", "*"),
            ("mode: enforce", "mode enforce"),
            ("mode: enforce", "<html>"),
        ] {
            assert_eq!(Policy::parse(&GOOD.replace(old, new)), None, "{old} -> {new}");
        }
        let nobody = "version: STSv1\nmode: enforce\nmax_age: 1\n";
        assert_eq!(Policy::parse(nobody), None, "enforced, and no exchanger");
        assert_eq!(Policy::parse(&nobody.replace("enforce", "none")).unwrap().mode, Mode::None);
        let many = format!("{nobody}{}", "mx: a.example\n".repeat(PATTERNS_MAX + 1));
        assert_eq!(Policy::parse(&many), None, "without a bound");
    }

    #[test]
    fn rfc8461_4_1_a_wildcard_is_one_label_and_a_label_is_compared_without_case() {
        let policy = Policy::parse(GOOD).unwrap();
        for host in ["mail.dest.example", "MAIL.dest.example.", "a.dest.example", "xn--mx-fka.dest.example"] {
            assert!(policy.names(host), "{host}");
        }
        for host in ["dest.example", "a.b.dest.example", ".dest.example", "adest.example", "mail.dest.example.evil"] {
            assert!(!policy.names(host), "{host}");
        }
    }

    #[test]
    fn rfc8461_3_1_one_record_with_one_id() {
        assert_eq!(id(&["v=STSv1; id=20160831085700Z;"]).as_deref(), Some("20160831085700Z"));
        assert_eq!(id(&["v=spf1 -all", "v=STSv1;id=1"]).as_deref(), Some("1"));
        for none in [
            &["v=STSv1; id=1;", "v=STSv1; id=2;"][..],
            &["v=STSv1;"],
            &["v=STSv1; id=;"],
            &["v=STSv1; id=a b;"],
            &["v=STSv2; id=1;"],
            &["id=1; v=STSv1;"],
            &["v=STSv1; id=123456789012345678901234567890123;"],
            &[],
        ] {
            assert_eq!(id(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,200}", host in "[a-z.]{0,20}") {
            if let Some(policy) = Policy::parse(&text) {
                let _ = policy.names(&host);
            }
            let _ = id_of(&[text]);
        }

        #[test]
        fn what_is_written_is_read(age in 0..=MAX_AGE_MAX, hosts in proptest::collection::vec("[a-z]{1,9}", 1..5)) {
            let lines: String = hosts.iter().map(|host| format!("mx: {host}.example\n")).collect();
            let policy = Policy::parse(&format!("version: STSv1\nmode: testing\n{lines}max_age: {age}\n")).unwrap();
            prop_assert_eq!(policy.max_age.as_secs(), age);
            for host in hosts {
                let (own, other) = (format!("{host}.example"), format!("x{host}.example.org"));
                prop_assert!(policy.names(&own) && !policy.names(&other));
            }
        }
    }
}
