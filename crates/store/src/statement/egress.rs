//! Statements of what is ordered for egress, and of how nodes find their addresses. Both engines run them through the
//! general verbs.

use super::statements;

statements! { EGRESS:
    /// All orders, by the controller's name.
    EGRESS_ASSIGNED(1) = "SELECT a.controller, c.name, a.class, a.pool, a.why, a.who, a.since \
        FROM egress_assignment a JOIN controller c ON c.id = a.controller ORDER BY c.name, a.class LIMIT ?1";
    /// An order, in the place of one that stood.
    EGRESS_ASSIGN(6) = "INSERT INTO egress_assignment (controller, class, pool, why, who, since) \
        SELECT id, CAST(?2 AS BIGINT), ?3, ?4, ?5, CAST(?6 AS BIGINT) FROM controller WHERE name = ?1 \
        ON CONFLICT (controller, class) DO UPDATE SET \
        pool = excluded.pool, why = excluded.why, who = excluded.who, since = excluded.since";
    /// An order is taken back.
    EGRESS_UNASSIGN(2) = "DELETE FROM egress_assignment \
        WHERE controller IN (SELECT id FROM controller WHERE name = ?1) AND class = ?2";
    /// How nodes find their addresses.
    EGRESS_STATES(2) = "SELECT address, node, pool, ip, ehlo, share, connections, barred, seen FROM egress_state \
        WHERE seen > ?1 ORDER BY address, node LIMIT ?2";
    /// How a node finds one of them.
    EGRESS_STATE_SET(9) = "INSERT INTO egress_state (address, node, pool, ip, ehlo, share, connections, barred, seen) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (address, node) DO UPDATE SET \
        pool = excluded.pool, ip = excluded.ip, ehlo = excluded.ehlo, share = excluded.share, \
        connections = excluded.connections, barred = excluded.barred, seen = excluded.seen";
    /// What no node says any more.
    EGRESS_STATES_END(1) = "DELETE FROM egress_state WHERE seen <= ?1";
    /// Addresses that are being warmed.
    WARM_PLANS(1) = "SELECT address, base, why, who, since FROM warm_plan ORDER BY address LIMIT ?1";
    /// One is, from now on.
    WARM_PLAN_SET(5) = "INSERT INTO warm_plan (address, base, why, who, since) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT (address) DO UPDATE SET base = excluded.base, why = excluded.why, who = excluded.who, \
        since = excluded.since";
    /// It is not any more.
    WARM_PLAN_END(1) = "DELETE FROM warm_plan WHERE address = ?1";
    /// With it goes how its days stood.
    WARM_DAYS_END(1) = "DELETE FROM warm_day WHERE address = ?1";
    /// The operator knows better how often it has grown.
    WARM_STEP_SET(5) = "INSERT INTO warm_day (address, provider, step, cap, day, used, granted, delivered, deferred, \
        bounced) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 0, 0, 0) \
        ON CONFLICT (address, provider) DO UPDATE SET step = excluded.step, cap = excluded.cap";
    /// How days stand.
    WARM_DAYS(1) = "SELECT address, provider, day, step, cap, granted, delivered, deferred, bounced, used \
        FROM warm_day ORDER BY address, provider LIMIT ?1";
    /// The first day of an address at a provider.
    WARM_DAY_FIRST(6) = "INSERT INTO warm_day (address, provider, day, step, cap, used, granted, delivered, deferred, \
        bounced) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, 0) ON CONFLICT (address, provider) DO NOTHING";
    /// The day after another.
    WARM_DAY_NEXT(7) = "UPDATE warm_day SET day = ?3, step = ?4, cap = ?5, used = ?6, granted = 0, delivered = 0, \
        deferred = 0, bounced = 0 WHERE address = ?1 AND provider = ?2 AND day = ?7";
    /// A part of the cap, if it is there.
    WARM_TAKE(4) = "UPDATE warm_day SET granted = granted + ?4, used = day \
        WHERE address = ?1 AND provider = ?2 AND day = ?3 AND granted + ?4 <= cap";
    /// A part that was not used.
    WARM_RETURN(4) = "UPDATE warm_day SET granted = granted - ?4 \
        WHERE address = ?1 AND provider = ?2 AND day = ?3 AND granted >= ?4";
    /// What became of messages.
    WARM_COUNT(6) = "UPDATE warm_day SET delivered = delivered + ?4, deferred = deferred + ?5, \
        bounced = bounced + ?6 WHERE address = ?1 AND provider = ?2 AND day = ?3";
}
