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
}
