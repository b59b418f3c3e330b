//! Three nodes on a primary and its synchronous standby: a node dies, a node hangs, the primary dies, all in one run.

use super::harness::failover::Failover;
use super::harness::traffic::Clients;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_another_hangs_the_primary_dies_and_nothing_answered_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let clients = Clients { smtp: 8, http: 3 };
    Failover { messages: 60_000, clients, seed: 20_261_122 }.run(folder.path()).await;
}
