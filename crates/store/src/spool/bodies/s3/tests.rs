//! Against a server that is not ours, which checks every signature.

use super::*;
use crate::Temper;
use crate::spool::BodyPlacement;
use crate::spool::bodies::tests::{Ground, accept_large, collected, keeping, out_and_back, refused, there};
use std::path::Path;
use testkit::ManualClock;
use testkit::s3::{ACCESS_KEY, BUCKET, Bucket as Server, Fault as Wrong, REGION, SECRET_KEY};
use testkit::tls::TestCa;
use testkit::wait::{WAIT_MAX, within};

fn settings(server: &Server) -> S3Settings {
    S3Settings {
        endpoint: server.endpoint(),
        region: REGION.into(),
        bucket: BUCKET.into(),
        prefix: "large/".into(),
        addressing: Addressing::Path,
        keys: S3Keys::new(ACCESS_KEY, SECRET_KEY),
        ca: None,
    }
}

fn ground(server: &Server) -> Ground {
    Ground::of(BodyPlacement::S3(settings(server)))
}

async fn open(settings: S3Settings) -> Result<Arc<S3>> {
    within("the bucket", S3::open(settings, "us", ManualClock::start())).await.map(Arc::new)
}

/// With no more patience than a test has.
async fn hasty(settings: S3Settings, whole: Duration) -> Arc<S3> {
    let mut s3 = S3::open(settings, "us", ManualClock::start()).await.unwrap();
    s3.patience = Patience { one: Duration::from_secs(2), whole, pause: Duration::from_millis(5) };
    Arc::new(s3)
}

#[tokio::test]
async fn a_bucket_keeps_what_it_was_given() {
    let server = Server::start();
    keeping(open(settings(&server)).await.unwrap()).await;
    // Another prefix is another place, and none at all is one as well.
    keeping(open(S3Settings { prefix: "another/one".into(), ..settings(&server) }).await.unwrap()).await;
    keeping(open(S3Settings { prefix: String::new(), ..settings(&server) }).await.unwrap()).await;
}

#[tokio::test]
async fn a_large_body_goes_through_a_bucket_and_comes_back() {
    let server = Server::start();
    out_and_back(&ground(&server)).await;
}

#[tokio::test]
async fn what_a_crash_leaves_in_a_bucket_is_collected_after_a_day() {
    let server = Server::start();
    collected(&ground(&server)).await;
}

#[tokio::test]
async fn a_bucket_that_fails_refuses_the_message_and_keeps_nothing() {
    let server = Server::start();
    let house = ground(&server).house().await;
    server.fail("PUT", 1, Wrong::Status(403)).await;
    refused(&house).await;
    assert!(there(&house).await.is_empty());
    // The twin: one that is out of breath is asked again.
    server.fail("PUT", 2, Wrong::Status(503)).await;
    accept_large(&house).await.unwrap();
    assert_eq!(there(&house).await.len(), 1);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_refused_with_what_to_do() {
    let server = Server::start();
    let right = settings(&server);
    let refused = async |settings: S3Settings| {
        let error = open(settings).await.err().unwrap();
        assert!(matches!(error, Error::BodiesUnfit(_)), "{error}");
        let text = error.to_string();
        assert!(!text.contains(SECRET_KEY) && !text.contains("X-Amz"), "{text}");
        text
    };
    let place = format!("bucket bodies/large/ at {}", server.endpoint());
    let text = refused(S3Settings { keys: S3Keys::new("AKIASOMEBODY", SECRET_KEY), ..right.clone() }).await;
    let expected = "does not know the access key or its secret (InvalidAccessKeyId); check both, and the region";
    assert_eq!(text, format!("{place} {expected}"));
    let text = refused(S3Settings { keys: S3Keys::new(ACCESS_KEY, "wrong"), ..right.clone() }).await;
    assert!(text.contains("its secret (SignatureDoesNotMatch)"), "{text}");
    let text = refused(S3Settings { region: "elsewhere".into(), ..right.clone() }).await;
    assert!(text.contains("check both, and the region"), "{text}");
    let text = refused(S3Settings { bucket: "missing".into(), ..right.clone() }).await;
    assert_eq!(
        text,
        format!("there is no {}; make it, or name the one that is there", place.replace("bodies", "missing"))
    );
    server.fail("DELETE", 1, Wrong::Status(403)).await;
    let text = refused(right.clone()).await;
    assert!(text.contains("does not let this access key delete objects (OfTheTest); it needs the rights"), "{text}");
    // Marked as ours by now.
    let other = S3::open(right.clone(), "them", ManualClock::start()).await.err().unwrap();
    assert!(other.to_string().contains("holds the bodies of another installation"), "{other}");
    assert!(open(right).await.is_ok());
}

#[tokio::test]
async fn a_bucket_that_nobody_serves_is_unreachable() {
    let server = Server::start();
    let mut s3 = S3::new(settings(&server), ManualClock::start()).unwrap();
    s3.patience = Patience { whole: Duration::from_secs(3), ..Patience::default() };
    drop(server);
    let error = s3.claim("us").await.unwrap_err();
    assert_eq!(error.temper(), Temper::Temporary);
    assert!(error.to_string().contains("could not be reached (") && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_tired_or_silent_is_asked_again_and_nothing_is_put_twice() {
    let server = Server::start();
    let s3 = hasty(settings(&server), WAIT_MAX).await;
    let octets = Bytes::from_static(b"sealed");
    server.fail("PUT", 1, Wrong::Silence).await;
    Arc::clone(&s3).put(1, octets.clone()).await.unwrap();
    server.fail("GET", 2, Wrong::Status(500)).await;
    assert_eq!(s3.get(1).await.unwrap(), octets);
    // It was done, and the answer was lost: the second try finds our own object.
    server.fail("PUT", 1, Wrong::DoneThen(503)).await;
    Arc::clone(&s3).put(2, octets.clone()).await.unwrap();
    assert_eq!(s3.get(2).await.unwrap(), octets);
    // The twin: at the first try it is somebody else's.
    let error = Arc::clone(&s3).put(2, Bytes::from_static(b"another")).await.unwrap_err();
    assert!(error.to_string().contains("412 PreconditionFailed when asked to put objects"), "{error}");
    // Patience ends.
    let s3 = hasty(settings(&server), Duration::from_secs(4)).await;
    server.fail("PUT", 1_000, Wrong::Status(503)).await;
    let error = Arc::clone(&s3).put(3, octets).await.unwrap_err();
    assert_eq!(error.temper(), Temper::Temporary);
    assert!(error.to_string().contains("503 SlowDown when asked to put objects"), "{error}");
    assert_eq!(s3.list(0, i64::MAX, 9).await.unwrap(), [1, 2]);
    // What is about one object hinders no other.
    server.fail("DELETE", 1, Wrong::Status(403)).await;
    assert!(s3.remove(vec![1, 2]).await.is_err());
    assert_eq!(s3.list(0, i64::MAX, 9).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_server_without_conditions_is_used_without_them() {
    let server = Server::start();
    server.fail("PUT", 1_000, Wrong::Header("if-none-match")).await;
    let s3 = open(settings(&server)).await.unwrap();
    Arc::clone(&s3).put(1, Bytes::from_static(b"sealed")).await.unwrap();
    assert_eq!(s3.list(0, i64::MAX, 9).await.unwrap(), [1]);
}

#[tokio::test]
async fn gdpr_32_a_bucket_is_verified_by_its_certificate() {
    let ca = TestCa::new();
    let server = Server::start_tls(&ca.leaf(&["127.0.0.1"]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let s3 = open(S3Settings { ca: Some(file), ..settings(&server) }).await.unwrap();
    Arc::clone(&s3).put(1, Bytes::from_static(b"sealed")).await.unwrap();
    assert_eq!(s3.list(0, i64::MAX, 9).await.unwrap(), [1]);
    // The twin: an authority that nobody named.
    let mut s3 = S3::new(settings(&server), ManualClock::start()).unwrap();
    s3.patience = Patience { whole: Duration::from_secs(3), ..Patience::default() };
    let error = s3.claim("us").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn settings_are_read_and_what_is_none_is_refused() {
    let right = S3Settings {
        endpoint: "https://s3.example".into(),
        region: "r".into(),
        bucket: "b.1-2".into(),
        prefix: "/".into(),
        addressing: Addressing::VirtualHost,
        keys: S3Keys::new("a", "s"),
        ca: None,
    };
    let host = |settings: &S3Settings| {
        let s3 = S3::new(settings.clone(), ManualClock::start()).unwrap();
        let request = s3.sign(&Ask::Get("x"), false, http::Request::builder()).body(()).unwrap();
        format!("{}{}", request.uri().host().unwrap(), request.uri().path())
    };
    assert_eq!(host(&right), "b.1-2.s3.example/x");
    let path = S3Settings { addressing: Addressing::Path, prefix: "p/q".into(), ..right.clone() };
    assert_eq!(host(&path), "s3.example/b.1-2/p/q/x");
    assert_eq!(format!("{:?}", right.keys), "S3Keys(…)");
    for (wrong, word) in [
        (S3Settings { endpoint: "s3.example".into(), ..right.clone() }, "endpoint"),
        (S3Settings { endpoint: "ftp://s3.example".into(), ..right.clone() }, "endpoint"),
        (S3Settings { endpoint: "https://127.0.0.1".into(), ..right.clone() }, "endpoint"),
        (S3Settings { region: String::new(), ..right.clone() }, "region"),
        (S3Settings { bucket: "a/b".into(), ..right.clone() }, "bucket"),
        (S3Settings { prefix: "a/../b".into(), ..right.clone() }, "prefix"),
        (S3Settings { prefix: "a//b".into(), ..right.clone() }, "prefix"),
        (S3Settings { prefix: "a?b".into(), ..right.clone() }, "prefix"),
    ] {
        let error = S3::new(wrong, ManualClock::start()).err().unwrap().to_string();
        assert!(error.contains(&format!("not understood: {word} ")), "{error}");
    }
}

#[test]
fn keys_are_read_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let file = dir.path().join("keys");
        std::fs::write(&file, text).unwrap();
        S3Keys::read(&file)
    };
    let whole =
        "# ours\n[default]\naws_access_key_id = A\naws_secret_access_key=s=+/\n[other]\naws_access_key_id = B\n";
    let keys = read(whole).unwrap();
    let credentials = S3Settings {
        endpoint: "http://s3.example".into(),
        region: "r".into(),
        bucket: "b".into(),
        prefix: String::new(),
        addressing: Addressing::Path,
        keys,
        ca: None,
    };
    let (_, _, credentials) = credentials.read().unwrap();
    assert_eq!((credentials.key(), credentials.secret()), ("A", "s=+/"));
    for bad in ["", "aws_access_key_id = A\n", "[a]\naws_access_key_id = A\n[b]\naws_secret_access_key = s\n"] {
        assert!(read(bad).unwrap_err().to_string().contains("needs the lines"), "{bad}");
    }
    assert!(matches!(S3Keys::read(Path::new("/nowhere/keys")), Err(Error::File { .. })));
}

#[test]
fn of_an_answer_nothing_but_its_code_is_taken_over() {
    let code = |text: &str| wire::code(text.as_bytes());
    assert_eq!(code("<?xml?><Error><Code>NoSuchKey</Code><Key>x</Key></Error>"), "NoSuchKey");
    for other in ["", "<Code>", "<Code>two words</Code>", "<html>no</html>", "<Code><b>x</b></Code>"] {
        assert_eq!(code(other), "");
    }
    assert_eq!(code(&format!("<Code>{}</Code>", "x".repeat(65))), "");
}
