//! A backup made beside a store in use is a whole store when it is put back, with its keys and its bodies; what was
//! altered, cut short, or belongs to another is refused; keys parts go when their days are over.

use super::*;
use crate::Uncertain;
use crate::conformance::place::Place;
use crate::copy::tests::NOW;
use crate::copy::tests::house::{Contents, furnish, open_at, rows};

struct Ground {
    place: Place,
    contents: Contents,
    folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let place = Place::new();
        let contents = furnish(&place, 3).await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["main", "keys"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { place, contents, folder }
    }

    fn plan(&self, now: Timestamp) -> BackupPlan {
        BackupPlan {
            data: self.place.path().to_owned(),
            master_key: self.place.path().join("master.key"),
            to: self.folder.path().join("main"),
            keys_to: self.folder.path().join("keys"),
            keep_days: KEYS_KEPT_DAYS,
            now,
        }
    }

    fn back(&self, made: &Backup, name: &str) -> RestorePlan {
        RestorePlan {
            main: made.main.clone(),
            keys: made.keys.clone(),
            master_key: self.place.path().join("master.key"),
            data: self.folder.path().join(name),
        }
    }
}

#[tokio::test]
async fn law_r45_a_backup_made_beside_a_store_in_use_is_a_whole_store() {
    let ground = Ground::new().await;
    let store = ground.place.open().await.unwrap();
    let made = back_up(&ground.plan(NOW)).unwrap();
    assert_eq!(made.bodies, 1, "the large one");
    assert!(!ground.place.path().join("main.db.backup").exists(), "nothing is left in the data folder");
    // Nor of one that was cut short, once a node starts.
    let left =
        ["main.db.backup", "keys.db.backup", "main.db.backup-journal"].map(|name| ground.place.path().join(name));
    left.iter().for_each(|path| std::fs::write(path, "rows").unwrap());
    store.close().await;
    let store = ground.place.open().await.unwrap();
    assert!(left.iter().all(|path| !path.exists()));
    let back = ground.back(&made, "back");
    restore(&back).unwrap();
    std::fs::copy(&back.master_key, back.data.join("master.key")).unwrap();
    let restored = open_at(&back.data).await;
    restored.doubt_queue().await.unwrap();
    let controller = ground.contents.controller;
    for id in &ground.contents.messages {
        let there = store.message(controller, *id).await.unwrap().unwrap();
        let here = restored.message(controller, *id).await.unwrap().unwrap();
        assert_eq!(format!("{:?}", there.state), format!("{:?}", here.state));
    }
    let waiting = rows(&restored, controller).await;
    assert!(waiting.len() > 3);
    for row in &waiting {
        assert_eq!(row.uncertain, Uncertain::Yes, "it may have been sent since");
        let erased = row.id == ground.contents.erased;
        assert_eq!(restored.open_content(&[row]).await.unwrap()[0].is_none(), erased);
    }
    assert!(
        rows(&store, controller).await.iter().all(|row| row.uncertain == Uncertain::No),
        "the store in use is as it was"
    );
    restored.close().await;
    store.close().await;
}

#[tokio::test]
async fn law_r45_neither_part_says_anything_alone() {
    let ground = Ground::new().await;
    let made = back_up(&ground.plan(NOW)).unwrap();
    let octets = std::fs::read(&made.main).unwrap();
    for word in ["SQLite format 3", "shop.example", "suppression", "CREATE TABLE"] {
        let is_there = octets.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!is_there, "{word} stands in the main part in clear");
    }
    let key = std::fs::read(ground.place.path().join("keys.db")).unwrap();
    assert!(key.starts_with(b"SQLite format 3"), "twin: what is looked for would be seen");
    // Another master key opens neither.
    let other = Ground::new().await;
    let mut wrong = ground.back(&made, "wrong");
    wrong.master_key = other.place.path().join("master.key");
    assert!(restore(&wrong).is_err());
    assert!(!wrong.data.exists());
    // Nor do the keys of another backup.
    let later = back_up(&ground.plan(NOW.plus(std::time::Duration::from_secs(1)))).unwrap();
    let mixed = RestorePlan { keys: later.keys, ..ground.back(&made, "mixed") };
    assert!(restore(&mixed).unwrap_err().to_string().contains("another backup"));
    assert!(!mixed.data.exists());
    // Twin.
    restore(&ground.back(&made, "right")).unwrap();
    assert!(restore(&ground.back(&made, "right")).unwrap_err().to_string().contains("there already"));
}

#[tokio::test]
async fn a_part_that_was_altered_or_cut_short_makes_no_folder() {
    let ground = Ground::new().await;
    let made = back_up(&ground.plan(NOW)).unwrap();
    for part in [&made.main, &made.keys] {
        let whole = std::fs::read(part).unwrap();
        let middle = whole.len() / 2;
        let mut altered = whole.clone();
        altered[middle] ^= 1;
        for (name, octets) in
            [("altered", altered.as_slice()), ("short", &whole[..middle]), ("a line", &whole[..50]), ("nothing", &[])]
        {
            std::fs::write(part, octets).unwrap();
            let plan = ground.back(&made, name);
            assert!(restore(&plan).is_err(), "{name}");
            assert!(!plan.data.exists(), "{name}");
        }
        std::fs::write(part, whole).unwrap();
    }
    restore(&ground.back(&made, "whole")).unwrap();
}

#[tokio::test]
async fn law_r45_keys_parts_go_when_their_days_are_over_and_main_parts_are_noise_then() {
    let ground = Ground::new().await;
    let first = back_up(&ground.plan(NOW)).unwrap();
    let day = std::time::Duration::from_secs(86_400);
    let second = back_up(&ground.plan(NOW.plus(day * KEYS_KEPT_DAYS))).unwrap();
    assert!(second.removed.is_empty() && first.keys.exists(), "its last day");
    let third = back_up(&ground.plan(NOW.plus(day * (KEYS_KEPT_DAYS + 1)))).unwrap();
    assert_eq!(third.removed, std::slice::from_ref(&first.keys));
    assert!(first.main.exists() && second.keys.exists());
    assert!(restore(&ground.back(&first, "late")).is_err());
    // The two parts do not lie in one folder.
    let together = BackupPlan { keys_to: ground.folder.path().join("main"), ..ground.plan(NOW) };
    assert!(back_up(&together).unwrap_err().to_string().contains("elsewhere"));
}
