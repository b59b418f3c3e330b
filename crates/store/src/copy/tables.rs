//! Every table that a copy carries, column by column. A test compares the list with the schemas of both engines, so
//! that neither a table nor a column can be forgotten.
//!
//! Not carried: what a store writes about itself and sets up anew (`migration`, `copy_state`; on PostgreSQL also
//! `node`, `lease`, `cluster` and `generation`).

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

/// What is carried. Small and old things first, so that a copy that fails fails early.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: KEY,
        database: Database::Keys,
        keys: 3,
        columns: &[integer("controller"), integer("kind"), integer("epoch"), octets("sealed"), integer("created")],
    },
    // On SQLite a block is one row of 256 slots; here it is as on PostgreSQL, a row a slot.
    Table {
        name: SUBJECT_BLOCK,
        database: Database::Keys,
        keys: 2,
        columns: &[integer("block"), postgres_only(integer("slot")), integer("controller"), octets("sealed")],
    },
    main("controller", 1, &[integer("id"), text("name"), integer("created")]),
    main(
        "agreement",
        1,
        &[
            integer("id"),
            integer("controller"),
            integer("version"),
            text("state"),
            integer("starts"),
            or_none(integer("ends")),
            octets("document"),
        ],
    ),
    main(
        "instruction",
        1,
        &[
            integer("id"),
            integer("controller"),
            integer("version"),
            text("state"),
            integer("starts"),
            text("operations"),
            text("streams"),
            integer("messages_per_day_max"),
        ],
    ),
    main("stream", 1, &[integer("id"), integer("controller"), text("name"), text("kind"), text("purpose")]),
    main(
        "domain",
        1,
        &[
            integer("id"),
            integer("controller"),
            text("name"),
            or_none(integer("verified")),
            text("rsa_selector"),
            octets("rsa_key"),
            text("ed25519_selector"),
            octets("ed25519_key"),
        ],
    ),
    main(
        "credential",
        1,
        &[
            integer("id"),
            integer("controller"),
            text("username"),
            octets("password"),
            text("key_name"),
            octets("key"),
            integer("default_stream"),
            text("streams"),
            or_none(integer("expires")),
            or_none(integer("revoked")),
        ],
    ),
    main("quota", 2, &[integer("controller"), integer("day"), integer("used")]),
    main(LEDGER_HEAD, 1, &[integer("controller"), integer("size"), octets("frontier")]),
    main("restriction", 2, &[integer("controller"), octets("tag"), text("kind"), integer("since")]),
    main(
        "suppression",
        3,
        &[
            integer("controller"),
            octets("tag"),
            text("scope"),
            text("reason"),
            integer("since"),
            or_none(integer("ends")),
        ],
    ),
    main(
        "basis",
        3,
        &[
            integer("controller"),
            octets("tag"),
            integer("stream"),
            text("kind"),
            integer("given"),
            or_none(integer("confirmed")),
            or_none(integer("withdrawn")),
            or_none(integer("expires")),
        ],
    ),
    main(
        "subject",
        2,
        &[integer("controller"), octets("tag"), integer("block"), integer("slot"), integer("normaliser")],
    ),
    main(
        IDEMPOTENCY,
        3,
        &[
            integer("controller"),
            integer("credential"),
            octets("key"),
            octets("request"),
            integer("made"),
            octets("answer"),
            postgres_only(integer("day")),
        ],
    ),
    main(LEDGER_INBOX, 1, &[integer("id"), integer("controller"), octets("entry"), integer("part")]),
    main(
        QUEUE,
        1,
        &[
            integer("id"),
            text("site"),
            integer("class"),
            integer("controller"),
            integer("due"),
            integer("stream"),
            text("kind"),
            octets("tag"),
            integer("block"),
            integer("slot"),
            integer("domain"),
            integer("body"),
            integer("attempts"),
            or_none(integer("started")),
            integer("accepted"),
            integer("expires"),
            integer("uncertain"),
            integer("part"),
            or_none(integer("starter")),
        ],
    ),
    main(
        MESSAGE,
        1,
        &[
            integer("id"),
            integer("controller"),
            integer("stream"),
            integer("credential"),
            integer("agreement"),
            integer("instruction"),
            integer("domain"),
            octets("tag"),
            integer("block"),
            integer("slot"),
            integer("accepted"),
            text("state"),
            or_none(text("rule")),
            octets("event"),
            or_none(integer("finished")),
            integer("body"),
            octets("envelope"),
            or_none(octets("head")),
        ],
    ),
    main(
        "attempt",
        2,
        &[
            integer("message"),
            integer("attempt"),
            integer("controller"),
            or_none(integer("started")),
            integer("ended"),
            text("word"),
            or_none(integer("code")),
            or_none(text("enhanced")),
            or_none(text("rule")),
            octets("event"),
            integer("uncertain"),
            octets("transcript"),
        ],
    ),
    main(
        BODY,
        1,
        &[
            integer("id"),
            integer("refs"),
            or_none(integer("block")),
            or_none(integer("slot")),
            or_none(integer("epoch")),
            not_compared(integer("place")),
            octets("wrapped"),
            octets("sealed"),
        ],
    ),
    main(LEDGER_CHUNK, 2, &[integer("controller"), integer("first_index"), integer("span"), octets("entries")]),
];

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
