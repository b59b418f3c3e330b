//! The processor's duties (GDPR Art. 28-34): who may instruct, agreements, instructions, records.
//!
//! Never: SMTP, HTTP, SQL. What is here is called by the console, the API and the CLI, and writes through the store.

pub mod agreement;
pub mod consent;
pub mod controller;
pub mod document;
mod error;
pub mod form;
pub mod instruction;
pub mod operator;
mod plain;
pub mod profile;
pub mod wish;

pub use error::Error;
