//! Why a PostgreSQL database cannot be used. Each sentence says what is wrong, where, and what to do about it.
//! Never: a password, or the server's own words about a row.

use super::Temper;

/// A refusal at start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unfit {
    /// The address is not one.
    #[error(
        "the PostgreSQL address is not understood: {reason}; write it as \
         postgres://ROLE:PASSWORD@HOST:5432/DATABASE, with special characters of the password as %XX"
    )]
    Address {
        /// What about it.
        reason: &'static str,
    },
    /// Nobody answers.
    #[error("PostgreSQL at {hosts} could not be reached ({reason}); check the address, and that the server runs")]
    Unreachable {
        /// Where.
        hosts: String,
        /// The operating system's words, or ours.
        reason: String,
    },
    /// The certificate does not hold.
    #[error(
        "the connection to PostgreSQL at {hosts} is not safe ({reason}); name the file of the authority that signed \
         the server's certificate (sslrootcert=FILE in the address), or, in a network that you trust, write \
         sslmode=disable"
    )]
    Tls {
        /// Where.
        hosts: String,
        /// What does not hold.
        reason: String,
    },
    /// The role is not let in.
    #[error(
        "PostgreSQL at {hosts} does not let the role {role} in (SQLSTATE {code}); check the password and pg_hba.conf"
    )]
    Login {
        /// Where.
        hosts: String,
        /// Who.
        role: String,
        /// SQLSTATE.
        code: String,
    },
    /// There is no such database, and it could not be made.
    #[error("there is no database {database} at {hosts}; somebody who may create it runs: {line}")]
    NoDatabase {
        /// Where.
        hosts: String,
        /// Which.
        database: String,
        /// What makes it.
        line: String,
    },
    /// Too old.
    #[error("PostgreSQL at {hosts} is version {found}; version {needed} or newer is needed")]
    Version {
        /// Where.
        hosts: String,
        /// What is there.
        found: String,
        /// What is needed.
        needed: u32,
    },
    /// Takes no writes.
    #[error(
        "PostgreSQL at {hosts} is a standby and takes no writes; name the primary, or all servers in one address \
         (HOST1:5432,HOST2:5432)"
    )]
    Standby {
        /// Where.
        hosts: String,
    },
    /// Not UTF-8.
    #[error(
        "the database {database} keeps text as {found}, and UTF8 is needed; make another one: \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// Which.
        database: String,
        /// What it has.
        found: String,
    },
    /// A right is missing.
    #[error("the role {role} may not {what} in the database {database}; somebody who may runs there: {line}")]
    Rights {
        /// Who.
        role: String,
        /// What it needs to do.
        what: &'static str,
        /// Where.
        database: String,
        /// What gives the right.
        line: String,
    },
    /// A pooler in transaction mode.
    #[error(
        "between this node and PostgreSQL at {hosts} stands a connection pooler in transaction mode, which cannot be \
         used; name PostgreSQL itself, or set the pooler to session mode (pgbouncer: pool_mode = session)"
    )]
    Pooler {
        /// Where.
        hosts: String,
    },
    /// One database for both.
    #[error("{database} is named as the main database and as the keys database; the keys need one of their own")]
    SameDatabase {
        /// Which.
        database: String,
    },
    /// Something else lies there.
    #[error(
        "the database {database} holds something else ({found} instead of {expected}); were the addresses of the \
         main database and of the keys database mixed up?"
    )]
    OtherSchema {
        /// Which.
        database: String,
        /// The first step recorded there.
        found: String,
        /// Ours.
        expected: &'static str,
    },
    /// A step has run with another text.
    #[error(
        "the step {name} of the database {database} has run with another text than this binary's; use the binary that \
         made the database, or a newer release of it"
    )]
    OtherStep {
        /// Which database.
        database: String,
        /// Which step.
        name: &'static str,
    },
    /// The pair does not belong together.
    #[error("the databases {main} and {keys} belong to two different installations; name the two that belong together")]
    OtherInstallation {
        /// The main database.
        main: String,
        /// The keys database.
        keys: String,
    },
    /// The keys database is empty, the main one is not.
    #[error(
        "the database {main} holds mail sealed under keys that are not in {keys}, which is empty; name the right keys \
         database, or restore it from your backup of keys"
    )]
    KeysMissing {
        /// The main database.
        main: String,
        /// The keys database.
        keys: String,
    },
    /// A copy into it was not finished.
    #[error(
        "the database {database} is the target of a copy that was not finished; run the same `postern store copy` \
         once more, it goes on where it stopped"
    )]
    HalfCopied {
        /// Which.
        database: String,
    },
}

impl Unfit {
    /// Does trying again help? A server that is not there may come back.
    #[must_use]
    pub const fn temper(&self) -> Temper {
        match self {
            Self::Unreachable { .. } | Self::Standby { .. } => Temper::Temporary,
            _ => Temper::Permanent,
        }
    }
}
