//! Names that are in force no more: missed, lapsed, given up, forgotten, taken over.

use super::*;

/// Mail names a way out that has to work for 60 days, whatever became of the name.
#[tokio::test(flavor = "multi_thread")]
async fn art7_3_a_name_that_was_given_up_is_served_and_certified_for_60_days_more_and_then_forgotten() {
    let mut scene = Scene::new().await;
    let shop = scene.house.shop.clone();
    consents(&scene.house, ADA).await;
    let host = scene.in_force(NAME).await;
    scene.keeper.round().await.unwrap();
    let revision = |scene: &Scene| {
        let book = scene.house.store.host_book();
        book.named(NAME).and_then(|host| host.certificate.as_ref().map(|kept| kept.revision))
    };
    let first = revision(&scene).unwrap();
    scene.house.clock.advance(DAY * 20);
    scene.keeper.round().await.unwrap();
    let way_out = scene.way_out(&shop, ADA).await;
    assert!(way_out.starts_with("https://mail.shop.example/u/"), "{way_out}");
    scene.give_up(&shop, &host, 204).await;
    // Its record may go; where the name leads is what counts.
    scene.house.dns.clear(RECORD);
    scene.house.clock.advance(DAY * 59);
    scene.keeper.round().await.unwrap();
    assert!(revision(&scene).unwrap() > first, "its certificate is renewed");
    scene.house.clock.advance(HOUR * 23);
    scene.keeper.round().await.unwrap();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let there = scene.over_tls(NAME).await;
    let answer = there.request("POST", path(&way_out), &form, b"List-Unsubscribe=One-Click").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let refused = scene.house.by_http(&shop, Some("newsletter"), &shop.from, ADA).await;
    assert_eq!(refused.rule(), "suppressed", "the click counts");

    scene.house.clock.advance(HOUR);
    scene.keeper.round().await.unwrap();
    assert_eq!(json_of(&scene.ask(&shop, "GET", "/v1/hosts", None).await), json!({"hosts": []}));
    assert!(scene.over_tls(NAME).await.get(path(&way_out), &[]).await.is_err(), "no certificate of it is shown");
    assert_eq!(there.get(path(&way_out), &[]).await.unwrap().status, 404, "nor anything to who resumes a session");
    let anyhow = Http::tls(scene.https, "localhost", scene.house.ca.client()).asking(NAME);
    for way in [&anyhow, &Http::plain(scene.http).asking(NAME)] {
        assert_eq!(way.get(path(&way_out), &[]).await.unwrap().status, 404);
    }
    scene.end().await;
}

/// Whoever proves a retired name has it alone, and its former controller is told.
#[tokio::test(flavor = "multi_thread")]
async fn art32_a_retired_name_shows_nothing_of_its_former_controller_once_somebody_else_proved_it() {
    let mut scene = Scene::new().await;
    let shop = scene.house.shop.clone();
    let other = scene.house.admit("other", "other.example").await;
    consents(&scene.house, ADA).await;
    let host = scene.in_force(NAME).await;
    scene.keeper.round().await.unwrap();
    let way_out = scene.way_out(&shop, ADA).await;
    scene.give_up(&shop, &host, 204).await;
    // A claim alone takes nothing over.
    let theirs = scene.claim(&other, NAME).await;
    refused(&scene.verify(&other, &theirs).await, 400, "does not hold the value");
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.over_tls(NAME).await.get(path(&way_out), &[]).await.unwrap().status, 200);
    let there = scene.over_tls(NAME).await;

    publish(&scene.house, &theirs);
    assert_eq!(json_of(&scene.verify(&other, &theirs).await)["state"], "verified");
    assert_eq!(json_of(&scene.ask(&shop, "GET", "/v1/hosts", None).await), json!({"hosts": []}));
    assert!(scene.over_tls(NAME).await.get("/public.css", &[]).await.is_err(), "not with the former's certificate");
    let resumed = there.get(path(&way_out), &[]).await;
    assert!(resumed.map_or(true, |answer| answer.status == 404), "nor to who resumes");
    scene.keeper.round().await.unwrap();
    let anew = scene.over_tls(NAME).await;
    assert_eq!(anew.get(path(&way_out), &[]).await.unwrap().status, 404, "not his, so not there");
    consents_to(&scene.house, &other, BOB).await;
    let new = scene.way_out(&other, BOB).await;
    assert!(new.starts_with("https://mail.shop.example/u/"), "{new}");
    assert_eq!(anew.get(path(&new), &[]).await.unwrap().status, 200);
    let notices = scene.house.store.notices(shop.controller, i64::MAX, 10).await.unwrap();
    let kinds: Vec<&str> = notices.iter().map(|notice| notice.kind.as_str()).collect();
    assert_eq!(kinds, ["host-taken"]);
    // Claiming it again brings nothing back.
    let again = scene.ask(&shop, "POST", "/v1/hosts", Some(json!({"name": NAME}))).await;
    refused(&again, 400, "verified by another controller");
    scene.end().await;
}

/// A record that vanished is missed; the name lapses after seven days and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_whose_record_is_missing_lapses_after_a_grace_of_seven_days() {
    let mut scene = Scene::new().await;
    let (shop, dns) = (scene.house.shop.clone(), &scene.house.dns);
    let other = scene.house.admit("other", "other.example").await;
    let host = scene.in_force(NAME).await;
    scene.keeper.round().await.unwrap();
    dns.clear(RECORD);
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.told(&shop).await["state"], "verified", "it is looked for once a day");
    scene.house.clock.advance(DAY + HOUR);
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!((&told["state"], &told["links"]), (&json!("failing"), &json!(true)), "{told:#}");
    assert!(told["lapses"].is_string() && told["fault"].as_str().unwrap().contains(RECORD), "{told:#}");
    // It is back: nothing happened. DNS that says nothing is no missing record.
    publish(&scene.house, &host);
    scene.house.clock.advance(HOUR * 2);
    scene.keeper.round().await.unwrap();
    assert_eq!(scene.told(&shop).await["state"], "verified");
    dns.clear(RECORD).servfail(RECORD);
    for _ in 0..9 {
        scene.house.clock.advance(DAY);
        scene.keeper.round().await.unwrap();
    }
    let told = scene.told(&shop).await;
    assert_eq!((&told["state"], &told["links"]), (&json!("verified"), &json!(true)));
    assert!(told["fault"].as_str().unwrap().contains("DNS did not answer"), "{told:#}");

    dns.clear(RECORD);
    for _ in 0..7 {
        scene.house.clock.advance(DAY);
        scene.keeper.round().await.unwrap();
        assert_eq!(scene.told(&shop).await["state"], "failing");
    }
    scene.house.clock.advance(DAY);
    scene.keeper.round().await.unwrap();
    let told = scene.told(&shop).await;
    assert_eq!((&told["state"], &told["links"]), (&json!("retired"), &json!(false)), "{told:#}");
    assert!(told["retired_until"].is_string() && told["fault"].as_str().unwrap().contains(RECORD), "{told:#}");
    assert_eq!(scene.over_tls(NAME).await.get("/public.css", &[]).await.unwrap().status, 200);
    let notices = scene.house.store.notices(shop.controller, i64::MAX, 10).await.unwrap();
    let kinds: Vec<&str> = notices.iter().map(|notice| notice.kind.as_str()).collect();
    assert_eq!(kinds, ["host-lapsed", "host-failing", "host-failing"]);
    // Whoever proves it now has it.
    let theirs = scene.claim(&other, NAME).await;
    publish(&scene.house, &theirs);
    assert_eq!(scene.verify(&other, &theirs).await.status, 200);
    assert_eq!(scene.verify(&shop, &host).await.status, 404, "it is not his any more");
    scene.end().await;
}
