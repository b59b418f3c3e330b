//! The mailbox over its folder.

use super::*;
use crate::clock::SystemClock;
use std::os::unix::fs::PermissionsExt as _;
use store::Options;

/// Room for one message of two in memory.
const SMALL: Bounds = Bounds { messages_max: 3, octets_max: 1_000_000, memory_octets_max: 1_500 };

async fn store(folder: &Path) -> Arc<Store> {
    Store::open_sqlite(folder, Options::new(Arc::new(SystemClock), folder)).await.unwrap()
}

fn open(folder: &Path, store: &Arc<Store>) -> Arc<DemoMailbox> {
    DemoMailbox::open_within(SMALL, &folder.join("mailbox"), Arc::clone(store), HashMap::new()).unwrap()
}

fn raw(subject: &str) -> Bytes {
    Bytes::from(format!("From: shop@sample.example\r\nSubject: {subject}\r\n\r\n{}\r\n", "x".repeat(1_000)))
}

fn arrive(mailbox: &DemoMailbox, subject: &str) {
    let envelope =
        Transaction { reverse_path: "b@sample.example".to_owned(), recipients: vec!["ada@dest.example".to_owned()] };
    mailbox.arrive(envelope, raw(subject), Tls::Yes).unwrap();
}

fn in_memory(mailbox: &DemoMailbox, number: u64) -> bool {
    matches!(mailbox.shelf.lock().find(number), Some(Place::Memory(_)))
}

#[tokio::test]
async fn what_is_not_in_memory_is_read_from_its_files_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let mailbox = open(folder.path(), &store);
    arrive(&mailbox, "one");
    let before = mailbox.get(1).unwrap();
    arrive(&mailbox, "two");
    assert!(!in_memory(&mailbox, 1) && in_memory(&mailbox, 2));
    let again = mailbox.get(1).unwrap();
    assert_eq!((&again.raw, again.at, &again.recipients), (&before.raw, before.at, &before.recipients));
    assert_eq!((&again.reverse_path, &again.tls), (&before.reverse_path, &before.tls));
    assert_eq!(mailbox.list().iter().map(|line| line.subject.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    // A second start shows them again, within the same bounds.
    let mailbox = open(folder.path(), &store);
    assert_eq!(mailbox.list().len(), 2);
    assert!(!in_memory(&mailbox, 1) && mailbox.get(1).unwrap().raw == raw("one"));
    for subject in ["three", "four"] {
        arrive(&mailbox, subject);
    }
    assert!(mailbox.get(1).is_none() && !mailbox.file(1, "eml").exists(), "the oldest went");
    mailbox.clear();
    assert!(mailbox.list().is_empty() && !mailbox.file(4, "json").exists());
    store.close().await;
}

#[tokio::test]
async fn art32_1_b_what_arrived_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let dir = folder.path().join("mailbox");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mailbox = open(folder.path(), &store);
    arrive(&mailbox, "one");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for kind in ["eml", "json"] {
        assert_eq!(mode(&mailbox.file(1, kind)), 0o600, "{kind}");
    }
    store.close().await;
}
