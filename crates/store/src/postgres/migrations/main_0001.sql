-- The main database on PostgreSQL, first form: the tables of SQLite's, column by column (a test compares them), and
-- what several nodes need. Times are microseconds since 1970-01-01 UTC; ids are made by the application, the ledger
-- inbox's being the one exception. What each table holds about persons: docs/personal-data.md.
-- Sealed bytes do not compress: columns of them are stored as they are. Tables whose rows come and go are vacuumed
-- often and leave room in their pages.

CREATE TABLE controller (
    id BIGINT PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    created BIGINT NOT NULL
);

CREATE TABLE agreement (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    starts BIGINT NOT NULL,
    ends BIGINT,
    document BYTEA NOT NULL,
    UNIQUE (controller, version)
);

CREATE TABLE instruction (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    starts BIGINT NOT NULL,
    operations TEXT COLLATE "C" NOT NULL,
    streams TEXT COLLATE "C" NOT NULL,
    messages_per_day_max BIGINT NOT NULL,
    UNIQUE (controller, version)
);

CREATE TABLE stream (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    UNIQUE (controller, name)
);

CREATE TABLE domain (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    verified BIGINT,
    rsa_selector TEXT COLLATE "C" NOT NULL,
    rsa_key BYTEA NOT NULL,
    ed25519_selector TEXT COLLATE "C" NOT NULL,
    ed25519_key BYTEA NOT NULL,
    UNIQUE (controller, name)
);

CREATE TABLE credential (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    password BYTEA NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL UNIQUE,
    key BYTEA NOT NULL,
    default_stream BIGINT NOT NULL,
    streams TEXT COLLATE "C" NOT NULL,
    expires BIGINT,
    revoked BIGINT
);

CREATE TABLE subject (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    block BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    normaliser BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);

CREATE TABLE suppression (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    ends BIGINT,
    PRIMARY KEY (controller, tag, scope)
);

CREATE TABLE restriction (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);

CREATE TABLE basis (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    stream BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    given BIGINT NOT NULL,
    confirmed BIGINT,
    withdrawn BIGINT,
    expires BIGINT,
    PRIMARY KEY (controller, tag, stream)
);

-- Ids carry microseconds in their upper bits: a range of ids is a range of time. Partitions are made ahead and dropped
-- by the retention of `keep`; what falls outside of all of them lies in the default one.
CREATE TABLE message (
    id BIGINT NOT NULL,
    controller BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    credential BIGINT NOT NULL,
    agreement BIGINT NOT NULL,
    instruction BIGINT NOT NULL,
    domain BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    block BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    rule TEXT COLLATE "C",
    event BYTEA NOT NULL,
    finished BIGINT,
    body BIGINT NOT NULL,
    envelope BYTEA NOT NULL,
    head BYTEA,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
ALTER TABLE message ALTER COLUMN envelope SET STORAGE EXTERNAL;
ALTER TABLE message ALTER COLUMN head SET STORAGE EXTERNAL;
CREATE TABLE message_rest PARTITION OF message DEFAULT WITH (fillfactor = 80);

CREATE TABLE body (
    id BIGINT NOT NULL,
    refs BIGINT NOT NULL,
    block BIGINT,
    slot BIGINT,
    epoch BIGINT,
    place BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
ALTER TABLE body ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE TABLE body_rest PARTITION OF body DEFAULT;

CREATE TABLE attempt (
    message BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    controller BIGINT NOT NULL,
    started BIGINT,
    ended BIGINT NOT NULL,
    word TEXT COLLATE "C" NOT NULL,
    code BIGINT,
    enhanced TEXT COLLATE "C",
    rule TEXT COLLATE "C",
    event BYTEA NOT NULL,
    uncertain BIGINT NOT NULL,
    transcript BYTEA NOT NULL,
    PRIMARY KEY (message, attempt)
) PARTITION BY RANGE (message);
ALTER TABLE attempt ALTER COLUMN transcript SET STORAGE EXTERNAL;
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;

CREATE TABLE queue (
    id BIGINT PRIMARY KEY,
    site TEXT COLLATE "C" NOT NULL,
    class BIGINT NOT NULL,
    controller BIGINT NOT NULL,
    due BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    tag BYTEA NOT NULL,
    block BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    domain BIGINT NOT NULL,
    body BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    started BIGINT,
    accepted BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    uncertain BIGINT NOT NULL,
    part BIGINT NOT NULL DEFAULT 0,
    starter BIGINT
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_lane ON queue (site, class, controller, due, id);
CREATE INDEX queue_started ON queue (id) WHERE started IS NOT NULL;

CREATE TABLE quota (
    controller BIGINT NOT NULL,
    day BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (controller, day)
) WITH (fillfactor = 50);

-- One partition a day; dropped whole when its day is long enough ago.
CREATE TABLE idempotency (
    controller BIGINT NOT NULL,
    credential BIGINT NOT NULL,
    key BYTEA NOT NULL,
    request BYTEA NOT NULL,
    made BIGINT NOT NULL,
    answer BYTEA NOT NULL,
    day BIGINT NOT NULL,
    PRIMARY KEY (controller, credential, key, day)
) PARTITION BY RANGE (day);
ALTER TABLE idempotency ALTER COLUMN answer SET STORAGE EXTERNAL;
CREATE TABLE idempotency_rest PARTITION OF idempotency DEFAULT;

CREATE TABLE ledger_inbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    controller BIGINT NOT NULL,
    entry BYTEA NOT NULL,
    part BIGINT NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE ledger_inbox ALTER COLUMN entry SET STORAGE EXTERNAL;

CREATE TABLE ledger_head (
    controller BIGINT PRIMARY KEY,
    size BIGINT NOT NULL,
    frontier BYTEA NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE ledger_head ALTER COLUMN frontier SET STORAGE EXTERNAL;

CREATE TABLE ledger_chunk (
    controller BIGINT NOT NULL,
    first_index BIGINT NOT NULL,
    span BIGINT NOT NULL,
    entries BYTEA NOT NULL,
    PRIMARY KEY (controller, first_index)
);
ALTER TABLE ledger_chunk ALTER COLUMN entries SET STORAGE EXTERNAL;

-- Counters by which nodes learn what others changed. Controller -1: the accounts; -2: secrets destroyed;
-- any other: the controller's permission generation. A change raises its counter before it changes anything else.
CREATE TABLE generation (
    controller BIGINT PRIMARY KEY,
    value BIGINT NOT NULL
) WITH (fillfactor = 50);
INSERT INTO generation (controller, value) VALUES (-1, 0), (-2, 0);

-- Nodes and who holds what. `number` is the seat: the lower ten bits of the ids that a node makes.
CREATE TABLE node (
    number BIGINT PRIMARY KEY,
    identity BYTEA NOT NULL UNIQUE,
    incarnation BIGINT NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    roles BIGINT NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    seen BIGINT NOT NULL
) WITH (fillfactor = 50);

-- `owner` is an incarnation. `seen` of its node says whether it lives.
CREATE TABLE lease (
    kind BIGINT NOT NULL,
    part BIGINT NOT NULL,
    owner BIGINT,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (kind, part)
) WITH (fillfactor = 50);
INSERT INTO lease (kind, part, owner, epoch) SELECT 1, part, NULL, 0 FROM generate_series(0, 255) AS part;
INSERT INTO lease (kind, part, owner, epoch) SELECT 2, part, NULL, 0 FROM generate_series(0, 63) AS part;

-- One row: which installation this is. The keys database has the same; a pair that differs is refused.
CREATE TABLE cluster (
    single BIGINT PRIMARY KEY CHECK (single = 1),
    identity BYTEA NOT NULL
);

-- How far a copy into this store has come, table by table. A node does not start on one that is not finished.
CREATE TABLE copy_state (
    name TEXT COLLATE "C" PRIMARY KEY,
    source BYTEA NOT NULL,
    copied BIGINT NOT NULL,
    last BYTEA,
    stage BIGINT NOT NULL
);
