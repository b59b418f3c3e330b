//! The binary, as a person runs it: by foreign clients, in a browser, on a full disk, killed and started again.

mod asking_why;
mod authority;
mod browser;
mod clock_skew;
mod database_away;
mod database_refused;
mod demo_file;
mod evidencing;
mod failover;
mod full_disk;
mod harness;
mod hosts;
mod importing;
mod keying;
mod kills;
mod ledger;
mod loads;
mod moving;
mod nodes;
mod pages;
mod starts_refused;
mod suppressing;
mod terminate;
mod walk;
