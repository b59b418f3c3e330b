-- The main database, first form. Times are microseconds since 1970-01-01 UTC; ids are made by the application,
-- the ledger inbox's being the one exception. What each table holds about persons: docs/personal-data.md.

CREATE TABLE controller (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE agreement (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER,
    document BLOB NOT NULL,
    UNIQUE (controller, version)
) STRICT;

CREATE TABLE instruction (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    starts INTEGER NOT NULL,
    operations TEXT NOT NULL,
    streams TEXT NOT NULL,
    messages_per_day_max INTEGER NOT NULL,
    UNIQUE (controller, version)
) STRICT;

CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    purpose TEXT NOT NULL,
    UNIQUE (controller, name)
) STRICT;

CREATE TABLE domain (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    name TEXT NOT NULL,
    verified INTEGER,
    rsa_selector TEXT NOT NULL,
    rsa_key BLOB NOT NULL,
    ed25519_selector TEXT NOT NULL,
    ed25519_key BLOB NOT NULL,
    UNIQUE (controller, name)
) STRICT;

CREATE TABLE credential (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    username TEXT NOT NULL UNIQUE,
    password BLOB NOT NULL,
    key_name TEXT NOT NULL UNIQUE,
    key BLOB NOT NULL,
    default_stream INTEGER NOT NULL,
    streams TEXT NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE TABLE subject (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    block INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    normaliser INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppression (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL,
    ends INTEGER,
    PRIMARY KEY (controller, tag, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE restriction (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    kind TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE basis (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    stream INTEGER NOT NULL,
    kind TEXT NOT NULL,
    given INTEGER NOT NULL,
    confirmed INTEGER,
    withdrawn INTEGER,
    expires INTEGER,
    PRIMARY KEY (controller, tag, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    agreement INTEGER NOT NULL,
    instruction INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    tag BLOB NOT NULL,
    block INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    state TEXT NOT NULL,
    rule TEXT,
    event BLOB NOT NULL,
    finished INTEGER,
    body INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    head BLOB
) STRICT;

CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    class INTEGER NOT NULL,
    controller INTEGER NOT NULL,
    due INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    kind TEXT NOT NULL,
    tag BLOB NOT NULL,
    block INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    body INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    started INTEGER,
    accepted INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    uncertain INTEGER NOT NULL
) STRICT;

-- The id follows by itself: it is the row's address.
CREATE INDEX queue_lane ON queue (site, class, controller, due);

CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,
    block INTEGER,
    slot INTEGER,
    epoch INTEGER,
    place INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE attempt (
    message INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    controller INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER NOT NULL,
    word TEXT NOT NULL,
    code INTEGER,
    enhanced TEXT,
    rule TEXT,
    event BLOB NOT NULL,
    uncertain INTEGER NOT NULL,
    transcript BLOB NOT NULL,
    PRIMARY KEY (message, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota (
    controller INTEGER NOT NULL,
    day INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (controller, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    controller INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    key BLOB NOT NULL,
    request BLOB NOT NULL,
    made INTEGER NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (controller, credential, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_made ON idempotency (made);

-- AUTOINCREMENT: an id is never given twice, so `up to the drained id` means the same in every commit.
CREATE TABLE ledger_inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    controller INTEGER NOT NULL,
    entry BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_head (
    controller INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL
) STRICT;

CREATE TABLE ledger_chunk (
    controller INTEGER NOT NULL,
    first_index INTEGER NOT NULL,
    span INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (controller, first_index)
) STRICT;
