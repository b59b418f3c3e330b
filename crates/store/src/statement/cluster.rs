//! Texts of what several nodes share: who is there, who holds what, counters of changes, the server's own settings.
//! PostgreSQL alone has them. Sets (`UNNEST`) are put in order before a row is locked, so that two nodes never wait
//! for each other in a ring.

use super::statements;

statements! { CLUSTER:
    /// The database's calendar, in microseconds. A statement of its own: what it says is passed on as a parameter.
    DATABASE_TIME(0) = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    /// What the server is, who we are to it, and what we may.
    SERVER(0) = "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_version'), \
        current_setting('server_encoding'), pg_is_in_recovery(), CAST(current_user AS TEXT), \
        CAST(current_schema() AS TEXT), COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE)";
    /// Whose the tables are, if we may not alter them.
    FOREIGN_OWNER(0) = "SELECT CAST(pg_get_userbyid(relowner) AS TEXT) FROM pg_class \
        WHERE oid = to_regclass('migration') AND NOT pg_has_role(relowner, 'USAGE')";
    /// What decides how much an acknowledged commit is worth.
    DURABILITY(0) = "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
        current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
        (SELECT COUNT(*) FROM pg_stat_replication)";
    /// Which installation this is.
    CLUSTER_IDENTITY(0) = "SELECT identity FROM cluster WHERE single = 1";
    /// Says which, once.
    CLUSTER_FOUND(1) = "INSERT INTO cluster (single, identity) VALUES (1, ?1) ON CONFLICT (single) DO NOTHING";

    /// All counters.
    GENERATIONS(0) = "SELECT controller, value FROM generation ORDER BY controller";
    /// The version of the accounts.
    ACCOUNTS_VERSION(0) = "SELECT value FROM generation WHERE controller = -1";
    /// Counters for controllers that came in by a copy.
    GENERATIONS_FILL(0) = "INSERT INTO generation (controller, value) SELECT controller.id, 0 FROM controller \
        ORDER BY controller.id ON CONFLICT (controller) DO NOTHING";

    /// Which of these are bodies outside the rows.
    BODIES_OUTSIDE(1) = "SELECT id FROM body WHERE id = ANY(?1::BIGINT[]) AND place = 1 ORDER BY id";
    /// What waits for its place in the logs of these groups, in order.
    INBOX_OF(2) = "SELECT id, controller, entry FROM ledger_inbox WHERE part = ANY(?1::BIGINT[]) ORDER BY id LIMIT ?2";
    /// Moves heads, each from where it was. Fewer rows than heads: another sequencer was here.
    HEADS_MOVE(4) = "INSERT INTO ledger_head (controller, size, frontier) SELECT moved.controller, moved.size, \
        moved.frontier FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BYTEA[], ?4::BIGINT[]) \
        AS moved (controller, size, frontier, was) WHERE moved.was = 0 \
        OR EXISTS (SELECT 1 FROM ledger_head AS held WHERE held.controller = moved.controller) \
        ORDER BY moved.controller ON CONFLICT (controller) DO UPDATE \
        SET size = excluded.size, frontier = excluded.frontier WHERE ledger_head.size = \
        (SELECT step.was FROM UNNEST(?1::BIGINT[], ?4::BIGINT[]) AS step (controller, was) \
        WHERE step.controller = ledger_head.controller)";
    /// Entries that have their place leave the inbox.
    INBOX_DRAIN_ALL(1) = "DELETE FROM ledger_inbox WHERE id = ANY(?1::BIGINT[])";
    /// Adds runs of entries.
    CHUNKS_INSERT(4) = "INSERT INTO ledger_chunk (controller, first_index, span, entries) \
        SELECT UNNEST(?1::BIGINT[]), UNNEST(?2::BIGINT[]), UNNEST(?3::BIGINT[]), UNNEST(?4::BYTEA[])";

    /// Seats that are taken.
    SEATS(0) = "SELECT number, identity, incarnation, seen FROM node ORDER BY number";
    /// The largest incarnation that is known of.
    INCARNATION_TOP(0) = "SELECT GREATEST(COALESCE((SELECT MAX(incarnation) FROM node), 0), \
        COALESCE((SELECT MAX(owner) FROM lease), 0))";
    /// Takes a free seat.
    SEAT_TAKE(7) = "INSERT INTO node (number, identity, incarnation, name, roles, version, seen) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Takes a seat over from an incarnation.
    SEAT_RENEW(8) = "UPDATE node SET identity = ?2, incarnation = ?3, name = ?4, roles = ?5, version = ?6, seen = ?7 \
        WHERE number = ?1 AND incarnation = ?8";
    /// Gives a seat up.
    SEAT_LEAVE(2) = "DELETE FROM node WHERE number = ?1 AND incarnation = ?2";
    /// Forgets nodes that were not heard of for long.
    SEATS_FORGET(1) = "DELETE FROM node WHERE seen < ?1";
    /// A heartbeat.
    NODE_BEAT(3) = "UPDATE node SET seen = ?3 WHERE number = ?1 AND incarnation = ?2";
    /// What a node does from now on.
    NODE_ROLES(3) = "UPDATE node SET roles = ?3 WHERE number = ?1 AND incarnation = ?2";
    /// Who is there.
    NODES(0) = "SELECT number, incarnation, name, roles, version, seen FROM node ORDER BY number";
    /// Who holds what.
    LEASES(0) = "SELECT kind, part, owner, epoch FROM lease ORDER BY kind, part";
    /// Keeps others from these leases until the commit; in order, so that nobody waits in a ring.
    LEASES_LOCK(2) = "SELECT lease.part FROM lease JOIN UNNEST(?1::BIGINT[], ?2::BIGINT[]) AS wanted (kind, part) \
        ON lease.kind = wanted.kind AND lease.part = wanted.part ORDER BY lease.kind, lease.part FOR UPDATE OF lease";
    /// Takes leases that are as they were seen, if they are free or their owner was not heard of since ?6, and we
    /// still have our seat.
    LEASES_TAKE(6) = "UPDATE lease SET owner = ?4, epoch = lease.epoch + 1 \
        FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[]) AS seen (kind, part, epoch) \
        WHERE lease.kind = seen.kind AND lease.part = seen.part AND lease.epoch = seen.epoch \
        AND (lease.owner IS NULL OR NOT EXISTS \
        (SELECT 1 FROM node AS other WHERE other.incarnation = lease.owner AND other.seen >= ?6)) \
        AND EXISTS (SELECT 1 FROM node AS self WHERE self.number = ?5 AND self.incarnation = ?4)";
    /// Which of these are ours.
    LEASES_HAD(3) = "SELECT lease.kind, lease.part, lease.owner, lease.epoch FROM lease \
        JOIN UNNEST(?1::BIGINT[], ?2::BIGINT[]) AS wanted (kind, part) \
        ON lease.kind = wanted.kind AND lease.part = wanted.part WHERE lease.owner = ?3 \
        ORDER BY lease.kind, lease.part";
    /// Gives leases back.
    LEASES_GIVE(4) = "UPDATE lease SET owner = NULL, epoch = lease.epoch + 1 \
        FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[]) AS held (kind, part, epoch) \
        WHERE lease.kind = held.kind AND lease.part = held.part AND lease.epoch = held.epoch AND lease.owner = ?4";
    /// Keeps others from all that an incarnation holds.
    LEASES_LOCK_OWN(1) = "SELECT part FROM lease WHERE owner = ?1 ORDER BY kind, part FOR UPDATE";
    /// Gives all of it back.
    LEASES_GIVE_ALL(1) = "UPDATE lease SET owner = NULL, epoch = epoch + 1 WHERE owner = ?1";

    /// The partitions of a table.
    PARTITIONS(1) = "SELECT CAST(child.relname AS TEXT) FROM pg_inherits \
        JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid \
        WHERE pg_inherits.inhparent = to_regclass(?1) ORDER BY child.relname";
    /// Does a message of this range of ids wait?
    QUEUE_IN(2) = "SELECT id FROM queue WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1";
}

statements! { POSTGRES_KEYS:
    /// Is there any key?
    KEY_ANY(0) = "SELECT COUNT(*) FROM (SELECT 1 FROM key ORDER BY controller, kind, epoch LIMIT 1) AS found";
    /// A key as it lies there.
    KEY_READ(3) = "SELECT sealed FROM key WHERE controller = ?1 AND kind = ?2 AND epoch = ?3";
    /// Puts zeros in a key's place.
    KEY_BLANK(3) = "UPDATE key SET sealed = decode(repeat('00', octet_length(sealed)), 'hex') \
        WHERE controller = ?1 AND kind = ?2 AND epoch = ?3";
    /// Writes a block, a row a slot.
    BLOCK_WRITE(4) = "INSERT INTO subject_block (block, controller, slot, sealed) \
        SELECT ?1, ?2, UNNEST(?3::BIGINT[]), UNNEST(?4::BYTEA[])";
    /// Slots, by their places in the question.
    SLOTS(2) = "SELECT asked.place, subject_block.sealed FROM UNNEST(?1::BIGINT[], ?2::BIGINT[]) \
        WITH ORDINALITY AS asked (block, slot, place) JOIN subject_block \
        ON subject_block.block = asked.block AND subject_block.slot = asked.slot ORDER BY asked.place";
    /// The transaction's own number.
    TRANSACTION_NUMBER(0) = "SELECT CAST(CAST(pg_current_xact_id() AS xid) AS TEXT)";
    /// How many still see what was there before this transaction.
    SEEN_BEFORE(1) = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND pid <> pg_backend_pid() AND age(backend_xmin) >= age(CAST(CAST(?1 AS TEXT) AS xid))";
    /// Puts zeros in a slot's place.
    SLOT_BLANK(2) = "UPDATE subject_block SET sealed = decode(repeat('00', octet_length(sealed)), 'hex') \
        WHERE block = ?1 AND slot = ?2";
}
