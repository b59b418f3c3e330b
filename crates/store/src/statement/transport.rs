//! Statements of what receiving domains demand of transport security. Both engines run them through the general verbs.
//! No controller's: what a domain publishes it publishes to everybody.

use super::statements;

statements! { TRANSPORT:
    /// What is kept of a domain.
    TRANSPORT_POLICY(1) = "SELECT version, body, fetched, ends FROM transport_policy WHERE domain = ?1";
    /// A policy that was fetched. Of two nodes that fetch at once, the later fetch stays.
    TRANSPORT_POLICY_KEEP(5) = "INSERT INTO transport_policy (domain, version, body, fetched, ends) \
        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (domain) DO UPDATE SET version = excluded.version, \
        body = excluded.body, fetched = excluded.fetched, ends = excluded.ends \
        WHERE transport_policy.fetched <= excluded.fetched";
    /// Those whose time is over.
    TRANSPORT_POLICIES_END(1) = "DELETE FROM transport_policy WHERE ends <= ?1";
}
