//! Lists, campaigns, automations: customers of the one way in.
//!
//! The wall stands before the furniture: when lists and campaigns come, they call
//! `mta::submission::Submission::accept` like any client, and have no path to the queue of their own.
