//! Lists, campaigns, automations: customers of the one way in.
//!
//! Here so far: [`import`], which takes in the contacts that a controller brings, each with where it came
//! from; and [`suppressions`], the list of those whom he does not mail, in and out as files.
//! The wall stands before the furniture: when lists and campaigns come, they call
//! `mta::submission::Submission::accept` like any client, and have no path to the queue of their own.
#![warn(missing_docs)]

pub mod import;
pub mod suppressions;
