//! Two stores on one database, as two nodes have them.

mod house;
mod ledgers;
mod news;
mod shares;

use super::*;

#[test]
fn partitions_are_stored_and_never_move() {
    assert_eq!([queue_part("dest.example"), queue_part("smarthost"), queue_part("")], [49, 201, 84]);
    assert_eq!([ledger_part(1), ledger_part(2), ledger_part(i64::MAX)], [14, 36, 57]);
}

#[test]
fn partitions_are_spread_evenly() {
    let mut counts = [0_u32; QUEUE_PARTS as usize];
    for number in 0..25_600 {
        counts[usize::from(queue_part(&format!("site{number}.example")))] += 1;
    }
    assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
}
