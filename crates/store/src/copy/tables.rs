//! Every table that a copy carries, column by column. A test compares the list with the schemas of both engines, so
//! that neither a table nor a column can be forgotten.
//!
//! Not carried: what a store writes about itself and sets up anew (`migration`, `copy_state`; on PostgreSQL also
//! `node`, `lease`, `cluster` and `generation`).

mod list;

pub(super) use list::TABLES;

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Database {
    /// Everything but keys.
    Main,
    /// Keys and persons' secrets.
    Keys,
}

impl Database {
    /// Keys first: nothing in the main database may refer to a key that is not there.
    pub(super) const ALL: [Self; 2] = [Self::Keys, Self::Main];
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A number: `INTEGER`, `BIGINT`.
    Integer,
    /// A word: `TEXT`.
    Text,
    /// Octets: `BLOB`, `BYTEA`.
    Octets,
}

/// May a column be empty?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// No.
    Always,
    /// Yes.
    Sometimes,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test compares it with what the engines say"))]
    pub(super) presence: Presence,
    /// PostgreSQL alone has it; on SQLite its value follows from the row.
    pub(super) postgres_only: bool,
    /// Does it count for what a row says? Where a body lies does not: its octets do.
    pub(super) compared: bool,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) database: Database,
    /// So many of the columns, from the first, are the primary key.
    pub(super) keys: usize,
    pub(super) columns: &'static [Column],
}

impl Table {
    /// Tables of a database.
    pub(super) fn of(database: Database) -> impl Iterator<Item = &'static Self> {
        TABLES.iter().filter(move |table| table.database == database)
    }

    /// The columns of the primary key.
    pub(super) fn key(&self) -> &'static [Column] {
        self.columns.get(..self.keys).unwrap_or_default()
    }

    /// Where a column stands.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Columns, with what they are called, parted by commas.
    pub(super) fn names(&self, of: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(of).collect::<Vec<_>>().join(", ")
    }
}

const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer, presence: Presence::Always, postgres_only: false, compared: true }
}

const fn text(name: &'static str) -> Column {
    Column { kind: Kind::Text, ..integer(name) }
}

const fn octets(name: &'static str) -> Column {
    Column { kind: Kind::Octets, ..integer(name) }
}

const fn or_none(column: Column) -> Column {
    Column { presence: Presence::Sometimes, ..column }
}

const fn postgres_only(column: Column) -> Column {
    Column { postgres_only: true, ..column }
}

const fn not_compared(column: Column) -> Column {
    Column { compared: false, ..column }
}

const fn main(name: &'static str, keys: usize, columns: &'static [Column]) -> Table {
    Table { name, database: Database::Main, keys, columns }
}

/// Tables of which the copy knows more than their columns.
pub(super) const KEY: &str = "key";
/// See [`KEY`].
pub(super) const SUBJECT_BLOCK: &str = "subject_block";
/// See [`KEY`].
pub(super) const IDEMPOTENCY: &str = "idempotency";
/// See [`KEY`].
pub(super) const LEDGER_INBOX: &str = "ledger_inbox";
/// See [`KEY`].
pub(super) const LEDGER_CHUNK: &str = "ledger_chunk";
/// See [`KEY`].
pub(super) const LEDGER_HEAD: &str = "ledger_head";
/// See [`KEY`].
pub(super) const QUEUE: &str = "queue";
/// See [`KEY`].
pub(super) const MESSAGE: &str = "message";
/// See [`KEY`].
pub(super) const BODY: &str = "body";
