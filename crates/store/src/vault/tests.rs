//! Sealing binds bytes to their place; public ids are one spelling and one kind.

use super::crypto::{self, Key};
use super::public_id::PublicIds;
use model::{ControllerId, MessageId};

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

#[test]
fn art32_sealed_bytes_open_only_with_their_key_and_in_their_place() {
    let sealed = crypto::seal(&key(1), b"row 7", b"a secret").unwrap();
    assert_eq!(crypto::open(&key(1), b"row 7", &sealed, "x").unwrap(), b"a secret");
    assert!(!sealed.windows(8).any(|window| window == b"a secret"));
    assert!(crypto::open(&key(2), b"row 7", &sealed, "x").is_err(), "another key");
    assert!(crypto::open(&key(1), b"row 8", &sealed, "x").is_err(), "another place");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(crypto::open(&key(1), b"row 7", &changed, "x").is_err(), "octet {at} changed");
    }
    assert!(crypto::open(&key(1), b"row 7", &sealed[..10], "x").is_err(), "cut short");
}

#[test]
fn sealing_the_same_twice_gives_different_bytes() {
    let seal = || crypto::seal(&key(1), b"", b"same").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn public_ids_come_back_and_do_not_mix() {
    let ids = PublicIds::new(&[7; 16]).unwrap();
    for raw in [0, 1, -1, i64::MAX, i64::MIN, 1_800_000_000_000_000] {
        let shown = ids.show(MessageId(raw));
        assert_eq!(shown.len(), 4 + 26);
        assert_eq!(ids.read(&shown), Some(MessageId(raw)));
        assert_eq!(
            ids.read(&shown.to_uppercase().replace("MSG_", "msg_")),
            Some(MessageId(raw)),
            "case is lost on the way"
        );
        assert_eq!(ids.read::<ControllerId>(&shown.replace("msg_", "ctl_")), None, "another kind");
    }
    let other = PublicIds::new(&[8; 16]).unwrap();
    assert_eq!(other.read::<MessageId>(&ids.show(MessageId(5))), None, "another installation's id");
    for text in ["", "msg_", "msg_aaaa", "msg_ä", &"msg_".repeat(9), "msg_aaaaaaaaaaaaaaaaaaaaaaaaa1"] {
        assert_eq!(ids.read::<MessageId>(text), None);
    }
}

#[test]
fn a_changed_public_id_is_nobodys() {
    let ids = PublicIds::new(&[7; 16]).unwrap();
    let shown = ids.show(MessageId(42));
    for (at, letter) in shown.char_indices().skip(4) {
        let mut changed = shown.clone().into_bytes();
        changed[at] = if letter == 'a' { b'b' } else { b'a' };
        assert_eq!(ids.read::<MessageId>(&String::from_utf8(changed).unwrap()), None);
    }
}
