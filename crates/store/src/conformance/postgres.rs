//! The story on PostgreSQL: one node that holds the partition of the story's rows.

use super::Ground;
use crate::engine::{Engine, LeaseKind, NodeCard, Sharing as _};
use crate::postgres::{EngineSettings, PostgresEngine};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::TestDatabase;

/// How long a lease lives without a heartbeat.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

struct Databases(TestDatabase);

#[async_trait]
impl Ground for Databases {
    async fn open(&self) -> Arc<dyn Engine> {
        let (url, keys_url) = (self.0.url.clone(), Some(self.0.keys_url.clone()));
        let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
        let card = NodeCard { identity: [7; 16], name: "story".to_owned(), roles: 15, release: "0".to_owned() };
        let seat = engine.join(&card).await.unwrap();
        let pulse = engine.beat(seat, TIME_TO_LIVE).await.unwrap().unwrap();
        // Those of the node's earlier life are free: nobody alive has that incarnation.
        let queue: Vec<_> = pulse.leases.into_iter().filter(|lease| lease.kind == LeaseKind::Queue).collect();
        assert_eq!(engine.take(seat, &queue, TIME_TO_LIVE).await.unwrap().len(), queue.len());
        Arc::new(engine)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_tells_the_story() {
    super::story(&Databases(testkit::postgres::database().await)).await;
}
