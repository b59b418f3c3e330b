//! Statements of what is ordered for sites, and of how nodes find them. Both engines run them through the general
//! verbs. No controller's: who takes mail for domains is the operator's matter.

use super::statements;

statements! { SITES:
    /// All orders, by site.
    SITE_ORDERS(1) = "SELECT site, connections, messages, per_minute, per_hour, stopped, why, who, since, ends \
        FROM site_order ORDER BY site LIMIT ?1";
    /// An order, in the place of one that stood.
    SITE_ORDER_SET(10) = "INSERT INTO site_order (site, connections, messages, per_minute, per_hour, stopped, why, \
        who, since, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (site) DO UPDATE SET \
        connections = excluded.connections, messages = excluded.messages, per_minute = excluded.per_minute, \
        per_hour = excluded.per_hour, stopped = excluded.stopped, why = excluded.why, who = excluded.who, \
        since = excluded.since, ends = excluded.ends";
    /// An order is taken back.
    SITE_ORDER_CLEAR(1) = "DELETE FROM site_order WHERE site = ?1";
    /// Orders whose time has long been over.
    SITE_ORDERS_END(1) = "DELETE FROM site_order WHERE ends <= ?1";
    /// How nodes find sites, by site.
    SITE_STATES(2) = "SELECT site, node, domains, waiting, connections, allowed, most, percent, minute, hour, stopped, \
        away, trouble, troubled, seen FROM site_state WHERE seen > ?1 ORDER BY site, node LIMIT ?2";
    /// How a node finds a site.
    SITE_STATE_SET(15) = "INSERT INTO site_state (site, node, domains, waiting, connections, allowed, most, percent, \
        minute, hour, stopped, away, trouble, troubled, seen) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
        ON CONFLICT (site, node) DO UPDATE SET domains = excluded.domains, waiting = excluded.waiting, \
        connections = excluded.connections, allowed = excluded.allowed, most = excluded.most, \
        percent = excluded.percent, minute = excluded.minute, hour = excluded.hour, stopped = excluded.stopped, \
        away = excluded.away, trouble = excluded.trouble, troubled = excluded.troubled, seen = excluded.seen";
    /// What no node says any more.
    SITE_STATES_END(1) = "DELETE FROM site_state WHERE seen <= ?1";
}
