//! The engine of several nodes: PostgreSQL, two databases, transactions in batches.
//!
//! The same rows as on SQLite, by the same texts of the registry wherever both understand them; sets (`UNNEST`) where
//! a batch would otherwise be a loop. Invariants: READ COMMITTED is made correct by conditional writes whose row counts
//! are looked at; a start is fenced by the lease in the same statement; an outcome never is; no transaction waits for
//! anything but the database.
//! Never: an address, a body or a key in clear; the calendar of a node where nodes must agree (the database's is used).

mod db;
mod translate;
