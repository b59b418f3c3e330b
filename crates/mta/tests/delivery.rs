//! Delivery against receivers and a DNS on loopback, over a real store.
#![cfg(test)]

#[path = "delivery/dane.rs"]
mod dane;
#[path = "delivery/egress.rs"]
mod egress;
#[path = "delivery/eight_bit.rs"]
mod eight_bit;
#[path = "delivery/faults.rs"]
mod faults;
#[path = "delivery/house.rs"]
mod house;
#[path = "delivery/nodes.rs"]
mod nodes;
#[path = "delivery/outcomes.rs"]
mod outcomes;
#[path = "delivery/reports.rs"]
mod reports;
#[path = "delivery/required.rs"]
mod required;
#[path = "delivery/routes.rs"]
mod routes;
#[path = "delivery/sites.rs"]
mod sites;
#[path = "delivery/sts.rs"]
mod sts;
#[path = "delivery/submissions.rs"]
mod submissions;
#[path = "delivery/way_out.rs"]
mod way_out;
#[path = "delivery/wire.rs"]
mod wire;
#[path = "delivery/withdrawals.rs"]
mod withdrawals;
