//! Rows for tests.

use super::{EgressState, EgressWork};
use model::Timestamp;
use std::time::Duration;

pub(crate) fn state(address: &str, now: Timestamp) -> EgressState {
    EgressState {
        address: address.to_owned(),
        node: 0,
        pool: "default".to_owned(),
        ip: Some("203.0.113.5".to_owned()),
        ehlo: "mx1.sample.example".to_owned(),
        weight: 2,
        connections: 7,
        barred: Some(now.plus(Duration::from_secs(60))),
        seen: now,
    }
}

pub(crate) fn assign(controller: &str) -> EgressWork {
    EgressWork::Assign {
        controller: controller.to_owned(),
        class: None,
        pool: "own".to_owned(),
        why: "an address of his own".to_owned(),
        who: "anna".to_owned(),
    }
}

pub(crate) fn warm(address: &str) -> EgressWork {
    EgressWork::Warm { address: address.to_owned(), base: 50, why: "it is new".to_owned(), who: "anna".to_owned() }
}
