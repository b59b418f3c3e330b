//! Where a store is, as an operator writes it. The text may hold a password.
//!
//! Invariants: `Display` and `Debug` show no password, nor anything that could be one: what is not understood for
//! certain is not shown. Only [`StoreUrl::expose`] gives the whole text, to the driver.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Schemes of PostgreSQL's URLs.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// What stands for the databases in the data folder.
const SQLITE: &str = "sqlite";

/// `sqlite`, or the URL of a PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

/// What kind of store it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreKind {
    /// In the data folder.
    Sqlite,
    /// On a server.
    Postgres,
}

/// Any text can be one, so that the command line never repeats it in a complaint; [`StoreUrl::kind`] judges it.
impl FromStr for StoreUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl StoreUrl {
    /// What it names; nothing when it is no place of a store.
    #[must_use]
    pub fn kind(&self) -> Option<StoreKind> {
        match self.after_scheme() {
            Some((_, rest)) => (!rest.is_empty()).then_some(StoreKind::Postgres),
            None => (self.0 == SQLITE).then_some(StoreKind::Sqlite),
        }
    }

    /// The whole text, for the driver alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn after_scheme(&self) -> Option<(&'static str, &str)> {
        SCHEMES.iter().find_map(|scheme| self.0.strip_prefix(scheme).map(|rest| (*scheme, rest)))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after_scheme() {
            None if self.0 == SQLITE => out.write_str(SQLITE),
            None => out.write_str("…"),
            Some((scheme, rest)) => write!(out, "{scheme}{}", shown(rest).unwrap_or_else(|| "…".to_owned())),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StoreUrl({self})")
    }
}

/// Name, hosts and database: what stands in a URL without any doubt. Parameters are left out, for one of them may be
/// the password.
fn shown(rest: &str) -> Option<String> {
    let (main, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = main.split_once('/').unwrap_or((main, ""));
    // A password with a character that should have been written with a percent sign moves the borders.
    if parameters.contains('@') || database.contains('@') {
        return None;
    }
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let name = login.split_once(':').map_or(login, |(name, _)| name);
    let clear = plain(name, "%+") && plain(database, "%") && hosts.split(',').all(is_host);
    let at = if name.is_empty() { "" } else { "@" };
    let slash = if database.is_empty() { "" } else { "/" };
    clear.then(|| format!("{name}{at}{hosts}{slash}{database}"))
}

/// A name or an address, with a port or without.
fn is_host(text: &str) -> bool {
    let (address, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':').unwrap_or(port)),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let further = if text.starts_with('[') { ":" } else { "%" };
    plain(address, further) && port.chars().all(|c| c.is_ascii_digit())
}

fn plain(text: &str, further: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c) || further.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> StoreUrl {
        let Ok(url) = text.parse();
        url
    }

    #[test]
    fn what_stands_beyond_doubt_is_shown_and_nothing_else() {
        for (text, shown) in [
            ("sqlite", "sqlite"),
            ("postgres://localhost/mail", "postgres://localhost/mail"),
            ("postgresql://node@db.example:5433/mail", "postgresql://node@db.example:5433/mail"),
            ("postgres://node:SECRET@db.example/mail", "postgres://node@db.example/mail"),
            ("postgres://node:SECRET@a:1,b:2/mail?target_session_attrs=read-write", "postgres://node@a:1,b:2/mail"),
            ("postgres://node@[::1]:5432/mail", "postgres://node@[::1]:5432/mail"),
            ("postgres://node@[::1]/mail", "postgres://node@[::1]/mail"),
            ("postgres://node@%2Frun%2Fpostgresql/mail", "postgres://node@%2Frun%2Fpostgresql/mail"),
            ("postgres://db/mail?user=node&password=SECRET", "postgres://db/mail"),
            // Borders that a careless password moves.
            ("postgres://node:SEC@RET@db/mail", "postgres://node@db/mail"),
            ("postgres://node:SEC/RET@db/mail", "postgres://…"),
            ("postgres://node:SEC?RET@db/mail", "postgres://…"),
            ("postgres://node:SECRET", "postgres://…"),
            ("postgres://node:SECRET/mail", "postgres://…"),
            ("postgres://node:SECRET]", "postgres://…"),
            ("postgres://[node]SECRET", "postgres://…"),
            ("postgres://db/mail?password=SEC@RET", "postgres://…"),
            ("postgres://db/SEC RET", "postgres://…"),
            ("node:SECRET@db/mail", "…"),
            ("host=db password=SECRET", "…"),
            ("sqlite:SECRET", "…"),
        ] {
            assert_eq!(url(text).to_string(), shown, "{text}");
            assert_eq!(format!("{:?}", url(text)), format!("StoreUrl({shown})"), "{text}");
            assert_eq!(url(text).expose(), text);
        }
    }

    #[test]
    fn only_a_store_s_place_is_one() {
        assert_eq!(url("sqlite").kind(), Some(StoreKind::Sqlite));
        for text in ["postgres://db/mail", "postgresql://db"] {
            assert_eq!(url(text).kind(), Some(StoreKind::Postgres), "{text}");
        }
        for text in ["", "SQLITE", "sqlite:folder", "db/mail", "postgres:db", "postgres://", "mysql://db/mail"] {
            assert_eq!(url(text).kind(), None, "{text}");
        }
    }
}
