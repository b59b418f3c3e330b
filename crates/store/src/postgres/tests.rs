//! PostgreSQL for real: what is refused at start, and two connections that meet.

mod changing;
mod erasing;
mod keeping;
mod opening;
mod sharing;
mod unanswered;

use super::{EngineSettings, PostgresEngine};
use crate::engine::NodeCard;
use crate::error::{Error, Result, Unfit};
use testkit::postgres::TestDatabase;

/// Both addresses of a test's databases.
fn settings(database: &TestDatabase) -> EngineSettings {
    EngineSettings { url: database.url.clone(), keys_url: Some(database.keys_url.clone()), ca: None }
}

async fn open(database: &TestDatabase) -> PostgresEngine {
    PostgresEngine::open(settings(database)).await.unwrap()
}

/// The refusal of an opening that must fail.
fn unfit(opened: Result<PostgresEngine>) -> Unfit {
    match opened {
        Err(Error::Unfit(unfit)) => unfit,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

fn card(identity: u8) -> NodeCard {
    NodeCard { identity: [identity; 16], name: format!("node {identity}"), roles: 15, release: "0".to_owned() }
}

/// Runs statements on the main database; the first column of the first row of the last, as text.
async fn ask(engine: &PostgresEngine, text: &str) -> Option<String> {
    say(&engine.core.main, text).await
}

/// The same on any.
async fn say(db: &super::Db, text: &str) -> Option<String> {
    let connection = db.connection().await.unwrap();
    let rows = connection.simple_query(text).await.unwrap();
    rows.iter().rev().find_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}
