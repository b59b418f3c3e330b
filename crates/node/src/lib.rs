//! The one place that wires: opens the store, starts delivery and the doors, stops them in order.
//!
//! Never: logic. What is decided is decided in the crates below. Here alone the system's clock and
//! environment are read.

pub mod certificates;
pub mod cli;
pub mod clock;
mod config;
pub mod demo;
mod doors;
mod files;
pub mod housekeeping;
pub mod log;
mod notify;
mod operator_mail;
mod quickstart;
mod reload;
mod room;
pub mod running;
mod serve;
pub mod settings;
pub mod telling;
pub mod tombstones;
