//! What a node does: any of four roles.
//!
//! Stored with the node's row as bits: never give one another meaning.

use std::fmt;
use std::str::FromStr;

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Roles(u8);

/// Words and bits.
const NAMES: [(&str, Roles); 4] =
    [("smtp", Roles::SMTP), ("api", Roles::API), ("deliver", Roles::DELIVER), ("console", Roles::CONSOLE)];

/// A word that is no role.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{word}` is no role; roles are smtp, api, deliver and console, with commas between them")]
pub struct NoSuchRole {
    word: String,
}

impl Roles {
    /// No role at all.
    pub const NONE: Self = Self(0);
    /// Takes mail in by SMTP.
    pub const SMTP: Self = Self(1);
    /// Takes mail in by HTTP.
    pub const API: Self = Self(2);
    /// Delivers: takes its share of the queue.
    pub const DELIVER: Self = Self(4);
    /// Serves pages to people.
    pub const CONSOLE: Self = Self(8);
    /// Everything.
    pub const ALL: Self = Self(15);

    /// Are all of these among them?
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but not those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(crate) fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// Of a node that may be newer: roles that are not known here are left out.
    pub(crate) fn from_bits(bits: i64) -> Self {
        Self(u8::try_from(bits & i64::from(Self::ALL.0)).unwrap_or(0))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = NAMES.iter().filter(|(_, role)| self.contains(*role)).map(|(name, _)| *name).collect();
        out.write_str(&words.join(","))
    }
}

impl FromStr for Roles {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.try_fold(Self::NONE, |roles, word| match NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, role)) => Ok(roles.and(*role)),
            None => Err(NoSuchRole { word: word.to_owned() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_written_and_read_as_words() {
        assert_eq!(Roles::ALL.to_string(), "smtp,api,deliver,console");
        assert_eq!("deliver, smtp".parse(), Ok(Roles::SMTP.and(Roles::DELIVER)));
        assert_eq!("".parse(), Ok(Roles::NONE));
        assert!("smtp,sender".parse::<Roles>().unwrap_err().to_string().starts_with("`sender` is no role"));
        for (name, role) in NAMES {
            assert_eq!((name.parse(), role.to_string().as_str()), (Ok(role), name));
        }
    }

    #[test]
    fn bits_are_stored_and_never_move() {
        let bits = [Roles::SMTP, Roles::API, Roles::DELIVER, Roles::CONSOLE, Roles::ALL].map(Roles::bits);
        assert_eq!(bits, [1, 2, 4, 8, 15]);
        assert_eq!(Roles::from_bits(4 | 1 << 40), Roles::DELIVER);
        assert!(!Roles::ALL.without(Roles::DELIVER).contains(Roles::DELIVER));
    }
}
