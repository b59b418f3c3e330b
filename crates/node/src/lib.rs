//! The one place that wires: opens the store, starts delivery and the doors, stops them in order.
//!
//! Never: logic. What is decided is decided in the crates below. Here alone the system's clock and
//! environment are read.

pub mod cli;
pub mod clock;
pub mod demo;
pub mod housekeeping;
pub mod log;
pub mod running;
