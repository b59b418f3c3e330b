//! Return paths: who can make one, and what becomes of them when keys are replaced.

use super::*;
use crate::conformance::place::Place;
use crate::{DomainKeys, Verified};
use mail::address::Domain;
use mail::dkim::SigningKey;
use proptest::prelude::*;

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

async fn sender(store: &Store, called: &str) -> ControllerId {
    let controller = store.create_controller(called).await.unwrap();
    let keys = DomainKeys {
        rsa_selector: "r1".into(),
        rsa: SigningKey::generate_rsa().unwrap(),
        ed25519_selector: "e1".into(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    let domain = name(&format!("{called}.example"));
    store.add_domain(controller, &domain, &keys, Verified::Yes).await.unwrap();
    let returns = name(&format!("bounce.{called}.example"));
    store.name_return_path(controller, &domain, Some(&returns)).await.unwrap();
    controller
}

fn at(local: &str, called: &str) -> Address {
    Address::parse(&format!("{local}@bounce.{called}.example")).unwrap()
}

#[tokio::test]
async fn a12_v1_a_return_path_is_made_by_nobody_else_and_outlives_its_key() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let (shop, other) = (sender(&store, "shop").await, sender(&store, "other").await);
    let sent = Sent { controller: shop, message: store.new_message_id() };
    let local = store.return_path(sent).unwrap();
    assert_eq!(local.len(), 54, "RFC 5321 §4.5.3.1.1 allows 64");
    assert_eq!(store.open_return_path(&at(&local, "shop")).await.unwrap(), Some(sent));
    assert_eq!(store.open_return_path(&at(&local.to_ascii_uppercase(), "shop")).await.unwrap(), Some(sent));
    // Twins: at another's name, altered anywhere, the public id alone, another controller's message.
    assert_eq!(store.open_return_path(&at(&local, "other")).await.unwrap(), None);
    for place in 2..local.len() {
        let mut altered: Vec<u8> = local.bytes().collect();
        altered[place] = if altered[place] == b'a' { b'b' } else { b'a' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(store.open_return_path(&at(&altered, "shop")).await.unwrap(), None, "{place}");
    }
    let public = store.public_id(sent.message);
    let id = public.strip_prefix("msg_").unwrap();
    for forged in [format!("b+{id}"), format!("b+{id}{id}"), "b+".to_owned(), "b+a".to_owned()] {
        assert_eq!(store.open_return_path(&at(&forged, "shop")).await.unwrap(), None, "{forged}");
    }
    let theirs = store.return_path(Sent { controller: other, ..sent }).unwrap();
    assert_eq!(store.open_return_path(&at(&theirs, "shop")).await.unwrap(), None);
    // Under a new key it is another one, and the old one still holds, at the next start as well.
    store.rotate_link_key().await.unwrap();
    let later = store.return_path(sent).unwrap();
    assert_ne!(later, local);
    store.close().await;
    let store = place.open().await.unwrap();
    for local in [&local, &later] {
        assert_eq!(store.open_return_path(&at(local, "shop")).await.unwrap(), Some(sent));
    }
    // A name that is no return path any more takes nothing.
    store.name_return_path(shop, &name("shop.example"), None).await.unwrap();
    assert_eq!(store.open_return_path(&at(&local, "shop")).await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn a_return_path_lies_within_a_verified_domain_of_the_controller() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let shop = sender(&store, "shop").await;
    for (domain, returns) in [
        ("shop.example", "bounce.elsewhere.example"),
        ("shop.example", "notshop.example"),
        ("other.example", "bounce.other.example"),
    ] {
        let refused = store.name_return_path(shop, &name(domain), Some(&name(returns))).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{domain} {returns}");
    }
    store.name_return_path(shop, &name("shop.example"), Some(&name("shop.example"))).await.unwrap();
    assert!(
        store.is_return_path_name(&name("shop.example")) && !store.is_return_path_name(&name("bounce.shop.example"))
    );
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_local_parts_are_nobodys(local in "[a-z2-7+]{1,64}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let store = place.open().await.unwrap();
            if let Ok(address) = Address::parse(&format!("{local}@bounce.shop.example")) {
                assert_eq!(store.open_return_path(&address).await.unwrap(), None);
            }
            store.close().await;
        });
    }
}
