//! Three nodes on a primary and its synchronous standby: a node dies, a node hangs, the primary dies, all in one run.

use super::harness::failover::Failover;
use super::harness::traffic::Clients;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_another_hangs_the_primary_dies_and_nothing_answered_is_lost() {
    let mut folder = tempfile::tempdir().unwrap();
    folder.disable_cleanup(true);
    let clients = Clients { smtp: 8, http: 3 };
    let of = |n: &str, d: u64| std::env::var(n).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    Failover { messages: of("MESSAGES", 60_000), clients, seed: of("SEED", 20_261_122) }.run(folder.path()).await;
}
