//! Fail-overs without number: the same accounts as every day, at other moments, in another order.

use super::harness::failover::Failover;
use super::harness::traffic::Clients;

const CLIENTS: Clients = Clients { smtp: 16, http: 6 };

#[tokio::test(flavor = "multi_thread")]
async fn nodes_die_and_hang_and_the_primary_dies_at_many_moments_and_nothing_answered_is_lost() {
    for seed in 1..=8 {
        let folder = tempfile::tempdir().unwrap();
        Failover { messages: 60_000, clients: CLIENTS, seed }.run(folder.path()).await;
    }
}
