//! What a controller's systems record about people: within whose authority, and to the end.

use super::*;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

fn consent(stream: &str) -> String {
    json!({"email": "ada@dest.example", "stream": stream, "kind": "consent", "confirmed": true}).to_string()
}

fn withdrawal(stream: &str) -> String {
    json!({"email": "ada@dest.example", "stream": stream}).to_string()
}

#[tokio::test]
async fn art29_a_basis_is_recorded_only_within_the_credential_s_scope() {
    let door = door().await;
    let key = &door.shop.key;
    assert_eq!(door.post("/v1/consents", key, consent("newsletter")).await.status, 201);
    let reply = door.post("/v1/consents", key, consent("closed")).await;
    let problem = reply.json();
    assert_eq!((reply.status, problem["rule"].as_str()), (403, Some("credential-scope")), "{}", reply.text);
    assert_eq!(problem["article"], "GDPR Art. 29");
    let reply = door.post("/v1/consents/withdraw", key, withdrawal("closed")).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"absent".into()), "nothing had been recorded");
    let asked = json!({"email": "ada@dest.example", "scope": "stream:closed"});
    assert_eq!(door.post("/v1/suppressions", key, asked.to_string()).await.status, 201);
}

#[tokio::test]
async fn art7_3_withdrawal_and_suppression_work_without_an_agreement_and_recording_does_not() {
    let door = door().await;
    let key = &door.shop.key;
    assert_eq!(door.post("/v1/consents", key, consent("newsletter")).await.status, 201);
    door.store.set_agreement_state(door.shop.id, AgreementState::Ended).await.unwrap();
    let reply = door.post("/v1/consents", key, consent("transactional")).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (403, Some("agreement-not-in-force")), "{}", reply.text);
    let reply = door.post("/v1/consents/withdraw", key, withdrawal("newsletter")).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"withdrawn".into()));
    let asked = json!({"email": "bob@dest.example", "scope": "all", "reason": "opt-out"});
    assert_eq!(door.post("/v1/suppressions", key, asked.to_string()).await.status, 201);
    // Both hold when mail may go again.
    door.store.sign_agreement(door.shop.id, None).await.unwrap();
    let newsletter = with(message(&["ada@dest.example"]), "stream", json!("newsletter"));
    assert_eq!(door.send(&newsletter).await.json()["rule"], "suppressed");
    assert_eq!(door.send(&message(&["bob@dest.example"])).await.json()["rule"], "suppressed");
}

/// A client that goes away drops its request: what it began comes into force all the same.
#[tokio::test]
async fn art21_3_a_suppression_comes_into_force_though_the_client_is_gone() {
    let door = door().await;
    assert_eq!(door.send(&message(&["ada@dest.example"])).await.status, 202, "and ada's facts are in memory now");
    let before = door.store.generation(door.shop.id);
    let asked = json!({"email": "ada@dest.example", "scope": "all", "reason": "opt-out"}).to_string();
    {
        let mut request = pin!(door.post("/v1/suppressions", &door.shop.key, asked));
        assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let in_force = async {
        while door.store.generation(door.shop.id) == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), in_force).await.expect("it came into force");
    assert_eq!(door.send(&message(&["ada@dest.example"])).await.json()["rule"], "suppressed");
}
