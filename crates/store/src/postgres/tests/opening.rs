//! What is refused, warned about and made at start.

use super::super::checks::{self, Doubt};
use super::super::connect::Target;
use super::{EngineSettings, PostgresEngine, ask, open, say, settings, unfit};
use crate::engine::{Engine as _, KeyRow};
use crate::error::{Error, Temper, Unfit};
use model::Timestamp;
use testkit::postgres::{Cluster, Major, Pooler, Pooling, database};

fn with(url: &str) -> EngineSettings {
    EngineSettings { url: url.to_owned(), keys_url: None, ca: None }
}

/// Steps that this release knows.
fn known() -> i64 {
    i64::try_from(crate::postgres::migrate::MAIN.len()).unwrap()
}

/// The address with another role.
fn as_role(url: &str, role: &str) -> String {
    let (_, place) = url.split_once('@').unwrap();
    format!("postgres://{role}@{place}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_make_one_store() {
    let database = database().await;
    let openings = (0..4).map(|_| tokio::spawn(PostgresEngine::open(settings(&database))));
    let mut engines = Vec::new();
    for opening in openings.collect::<Vec<_>>() {
        engines.push(opening.await.unwrap().unwrap());
    }
    let identity = "SELECT encode(identity, 'hex') FROM cluster";
    assert_eq!(ask(&engines[0], identity).await, say(&engines[3].core.keys, identity).await);
    assert_eq!(ask(&engines[0], "SELECT COUNT(*) FROM migration").await.as_deref(), Some(known().to_string().as_str()));
    assert_eq!(ask(&engines[0], "SELECT COUNT(*) FROM lease").await.as_deref(), Some("320"));
    for engine in engines {
        engine.close().await;
    }
    let again = open(&database).await;
    assert!(again.policy().await.unwrap().controllers.is_empty());
}

#[tokio::test]
async fn a_schema_of_a_newer_release_or_of_another_text_is_refused() {
    let database = database().await;
    let engine = open(&database).await;
    let next = known() + 1;
    let newer = format!("INSERT INTO migration (number, name, sha256) VALUES ({next}, 'main_{next:04}', '\\x00')");
    ask(&engine, &newer).await;
    let refused = PostgresEngine::open(settings(&database)).await;
    assert!(matches!(refused, Err(Error::NewerSchema { found, known }) if (found, known) == (next, next - 1)));
    let mend = format!("DELETE FROM migration WHERE number = {next}; UPDATE migration SET sha256 = '\\x00'");
    ask(&engine, &mend).await;
    let refused = unfit(PostgresEngine::open(settings(&database)).await);
    assert!(matches!(&refused, Unfit::OtherStep { name: "main_0001", .. }), "{refused}");
    assert_eq!(refused.temper(), Temper::Permanent);
}

#[tokio::test]
async fn databases_that_do_not_belong_together_are_refused() {
    let (one, other) = (database().await, database().await);
    open(&one).await.close().await;
    open(&other).await.close().await;
    let mixed = |url: &str, keys_url: &str| EngineSettings {
        url: url.to_owned(),
        keys_url: Some(keys_url.to_owned()),
        ca: None,
    };
    let refused = unfit(PostgresEngine::open(mixed(&one.url, &other.keys_url)).await);
    assert!(matches!(refused, Unfit::OtherInstallation { .. }), "{refused}");
    let refused = unfit(PostgresEngine::open(mixed(&one.keys_url, &one.url)).await);
    assert!(matches!(refused, Unfit::OtherSchema { .. }), "{refused}");
    let refused = unfit(PostgresEngine::open(mixed(&one.url, &one.url)).await);
    assert!(matches!(refused, Unfit::SameDatabase { .. }), "{refused}");

    let fresh = database().await;
    let refused = unfit(PostgresEngine::open(mixed(&one.url, &fresh.keys_url)).await);
    assert!(matches!(refused, Unfit::KeysMissing { .. }), "{refused}");
    // Keys that are in use, and a main database that is new: it was replaced, or is another installation's.
    let engine = open(&one).await;
    let key = KeyRow { controller: 7, kind: 1, epoch: 1, sealed: vec![1; 60], created: Timestamp::from_micros(0) };
    engine.put_key(key).await.unwrap();
    let refused = unfit(PostgresEngine::open(mixed(&fresh.url, &one.keys_url)).await);
    assert!(matches!(refused, Unfit::OtherInstallation { .. }), "{refused}");
}

#[tokio::test]
async fn a_keys_database_is_made_where_there_is_none() {
    let database = database().await;
    let engine = PostgresEngine::open(with(&database.url)).await.unwrap();
    let name = ask(&engine, "SELECT current_database()").await.unwrap();
    let made = format!("{name}_keys");
    assert_eq!(say(&engine.core.keys, "SELECT current_database()").await.as_ref(), Some(&made));
    PostgresEngine::open(with(&database.url)).await.unwrap().close().await;
    ask(&engine, &format!("DROP DATABASE {made} WITH (FORCE)")).await;
}

#[tokio::test]
async fn what_a_role_may_not_is_said_with_the_line_that_mends_it() {
    let (database, other) = (database().await, database().await);
    let admin = open(&other).await;
    let main = database.url.rsplit('/').next().unwrap().to_owned();
    let role = format!("{main}_role");
    ask(&admin, &format!("CREATE ROLE {role} LOGIN")).await;
    let refused = unfit(PostgresEngine::open(with(&as_role(&database.url, &role))).await);
    let Unfit::NoDatabase { line, .. } = &refused else { panic!("{refused}") };
    assert_eq!(line, &format!("CREATE DATABASE \"{main}_keys\" OWNER \"{role}\" ENCODING 'UTF8' TEMPLATE template0"));
    ask(&admin, line).await;
    // The keys database is its own; in the main one the schema belongs to another.
    let refused = unfit(PostgresEngine::open(with(&as_role(&database.url, &role))).await);
    let Unfit::Rights { line, what: "make tables", .. } = &refused else { panic!("{refused}") };
    assert_eq!(line, &format!("GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"{role}\""));
    let connection = Target::of(&database.url, None).unwrap().pool(1).unwrap();
    say(&connection, line).await;
    PostgresEngine::open(with(&as_role(&database.url, &role))).await.unwrap().close().await;
    // Tables that somebody else made.
    say(&connection, "ALTER TABLE migration OWNER TO postgres").await;
    let refused = unfit(PostgresEngine::open(with(&as_role(&database.url, &role))).await);
    assert!(matches!(&refused, Unfit::Rights { what: "alter its tables", .. }), "{refused}");

    let refused = unfit(PostgresEngine::open(with(&as_role(&database.url, "nobody_of_that_name"))).await);
    assert!(matches!(&refused, Unfit::Login { code, .. } if code == "28000"), "{refused}");
    say(&connection, &format!("DROP DATABASE {main}_keys WITH (FORCE)")).await;
    say(&connection, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_utf8_is_refused() {
    let database = database().await;
    let admin = open(&database).await;
    let other = database.url.replace("_main", "_latin");
    let refused = unfit(PostgresEngine::open(with(&other)).await);
    assert!(matches!(&refused, Unfit::NoDatabase { .. }), "{refused}");
    let name = other.rsplit('/').next().unwrap();
    let make = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    ask(&admin, &make).await;
    let latin = EngineSettings { keys_url: Some(database.keys_url.clone()), ..with(&other) };
    let refused = unfit(PostgresEngine::open(latin).await);
    assert!(matches!(&refused, Unfit::Encoding { found, .. } if found == "LATIN1"), "{refused}");
    ask(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;

    let port = testkit::base_port();
    let refused = unfit(PostgresEngine::open(with(&format!("postgres://a@127.0.0.1:{port}/b"))).await);
    assert!(matches!(&refused, Unfit::Unreachable { .. }), "{refused}");
    assert_eq!(refused.temper(), Temper::Temporary);
}

#[tokio::test]
async fn a_pooler_that_changes_sessions_is_refused_and_one_that_keeps_them_is_not() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let database = cluster.pair().await;
    let main = database.url.rsplit('/').next().unwrap();
    let keys = database.keys_url.rsplit('/').next().unwrap();
    let through =
        |pooler: &Pooler| EngineSettings { url: pooler.url(main), keys_url: Some(pooler.url(keys)), ca: None };
    let pooler = Pooler::start(&cluster, Pooling::Transaction).await;
    let refused = unfit(PostgresEngine::open(through(&pooler)).await);
    assert!(matches!(&refused, Unfit::Pooler { .. }), "{refused}");
    let pooler = Pooler::start(&cluster, Pooling::Session).await;
    PostgresEngine::open(through(&pooler)).await.unwrap().close().await;
    // Nothing was written through the first one, and without a standby there is one thing to doubt.
    let engine = open(&database).await;
    assert_eq!(checks::durability(&engine.core.main).await.unwrap(), [Doubt::NoStandby]);
}

#[tokio::test]
async fn gdpr_32_a_server_is_verified_where_that_is_asked() {
    let authority = testkit::tls::TestCa::new();
    let leaf = authority.leaf(&["localhost"]);
    let cluster = Cluster::builder(Major::Fifteen).tls(&leaf.chain_pem, &leaf.key_pem).start().await;
    let database = cluster.pair().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let at = |url: &str, host: &str, query: &str| format!("{}?{query}", url.replace("127.0.0.1", host));
    let by = |host: &str, query: &str, ca: Option<&std::path::Path>| EngineSettings {
        url: at(&database.url, host, query),
        keys_url: Some(at(&database.keys_url, host, query)),
        ca: ca.map(std::path::Path::to_path_buf),
    };
    let engine = PostgresEngine::open(by("localhost", "sslmode=verify-full", Some(&ca))).await.unwrap();
    let safe = ask(&engine, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    assert_eq!(safe.as_deref(), Some("t"));
    // The chain alone: the name may be another. Named in the address as libpq does it.
    let query = format!("sslmode=verify-ca&sslrootcert={}", ca.display());
    PostgresEngine::open(by("127.0.0.1", &query, None)).await.unwrap().close().await;
    let refused = unfit(PostgresEngine::open(by("127.0.0.1", "sslmode=verify-full", Some(&ca))).await);
    assert!(matches!(&refused, Unfit::Tls { .. }), "{refused}");
    let refused = unfit(PostgresEngine::open(by("localhost", "sslmode=verify-full", None)).await);
    assert!(matches!(&refused, Unfit::Tls { .. }), "{refused}");
    PostgresEngine::open(by("localhost", "sslmode=require", None)).await.unwrap().close().await;
}

#[tokio::test]
async fn a_host_that_says_nothing_does_not_keep_from_the_next_one() {
    let (silent, cluster) = (Cluster::start(Major::Fifteen).await, Cluster::start(Major::Fifteen).await);
    let database = cluster.pair().await;
    silent.halt();
    let both = |url: &str| {
        let (host, other) = (format!("127.0.0.1:{}", cluster.port()), format!("127.0.0.1:{}", silent.port()));
        format!("{}?connect_timeout=1", url.replace(&host, &format!("{other},{host}")))
    };
    let (url, keys_url) = (both(&database.url), Some(both(&database.keys_url)));
    let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
    let port = ask(&engine, "SHOW port").await;
    assert_eq!(port, Some(cluster.port().to_string()));
    engine.close().await;
    silent.go_on();
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    let addresses = [
        "mysql://a:secret@h/b",
        "postgres://a:secret@h:x/b",
        "postgres://a:secret@h/b?sslmode=perhaps",
        "postgres://a:secret@h/b?colour=secret",
        "postgres:///b",
    ];
    for address in addresses {
        let Err(refused) = Target::of(address, None) else { panic!("{address} is taken") };
        assert!(matches!(refused, Error::Unfit(Unfit::Address { .. })), "{refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    let target = Target::of("postgresql://a:p%2Fq@h1:1,h2:2/b?target_session_attrs=any", None).unwrap();
    assert_eq!((target.hosts.as_str(), target.database.as_str(), target.role.as_str()), ("h1:1,h2:2", "b", "a"));
}
