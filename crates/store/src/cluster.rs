//! Several nodes on one store: who is there, who holds which partition, and until when a node may act on it.
//!
//! Invariants: a partition is one node's at a time, by a lease with an epoch in the database; a node begins nothing
//! after its own deadline, which is earlier than the moment at which others may take its leases; what a node has begun
//! it may always record (starts are fenced, outcomes never).

/// Logical partitions of the queue. Stored with every row: never change it.
pub(crate) const QUEUE_PARTS: u16 = 256;
/// Groups of controllers, each with one sequencer of the ledger. Stored with every entry: never change it.
pub(crate) const LEDGER_PARTS: u16 = 64;

/// The partition of a destination site: a receiver's limits then lie with one node (`architecture.md` §5).
pub(crate) fn queue_part(site: &str) -> u16 {
    (spread(site.as_bytes()) % u64::from(QUEUE_PARTS)) as u16
}

/// The group of a controller.
pub(crate) fn ledger_part(controller: i64) -> u16 {
    (spread(&controller.to_be_bytes()) % u64::from(LEDGER_PARTS)) as u16
}

/// FNV-1a with a final mix. Stored by its results: never change it.
fn spread(octets: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for octet in octets {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
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
}
