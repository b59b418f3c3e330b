//! The description against the routes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::router::table;

fn described() -> Value {
    serde_json::from_slice(&document("https://mail.example")).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((path.clone(), method.clone(), operation));
        }
    }
    all
}

#[test]
fn every_route_is_described_and_every_description_has_its_route() {
    let document = described();
    let described: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(path, method, _)| (path, method)).collect();
    let mut routes = BTreeSet::new();
    for route in table().iter().filter(|route| route.path.starts_with("/v1/")) {
        for method in route.methods {
            routes.insert((route.path.to_owned(), (*method).to_owned()));
        }
    }
    assert_eq!(routes, described);
    assert!(routes.len() >= 6);
}

#[test]
fn rfc9457_every_error_is_described_as_a_problem() {
    let document = described();
    for (path, method, operation) in operations(&document) {
        // RFC 9110 §15.3.5: 204 has no content.
        for (status, response) in operation["responses"].as_object().unwrap().iter().filter(|(code, _)| *code != "204")
        {
            let kinds: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
            let expected = if status.starts_with('2') { "application/json" } else { "application/problem+json" };
            assert_eq!(kinds, [expected], "{method} {path} {status}");
        }
        if path != "/v1/openapi.json" {
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            assert!(operation["security"][0]["key"].is_array(), "{method} {path}");
        }
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there_and_requests_have_examples() {
    let document = described();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for piece in text.split("#/components/schemas/").skip(1) {
        let name = piece.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    for name in ["MessageRequest", "SuppressionRequest", "ConsentRequest", "WithdrawalRequest", "Problem", "Accepted"] {
        assert!(schemas[name]["example"].is_object(), "{name} has no example");
    }
    assert_eq!(schemas["MessageRequest"]["additionalProperties"], false, "unknown fields are refused, and it says so");
    assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
}

#[test]
fn the_examples_are_requests_that_are_taken() {
    let document = described();
    let example = document["components"]["schemas"]["MessageRequest"]["example"].to_string();
    let read = crate::api::send::request::read(example.as_bytes()).unwrap();
    let crate::api::send::request::Submitted::One(message) = read else { panic!("not one message") };
    assert!(message.check().is_ok());
}

#[test]
fn required_fields_are_told_apart_from_the_others() {
    let document = described();
    let schema = &document["components"]["schemas"]["MessageRequest"];
    assert_eq!(schema["required"], serde_json::json!(["from", "to", "subject"]), "{schema}");
    let body = &document["paths"]["/v1/messages"]["post"]["requestBody"];
    assert_eq!(body["required"], true);
    let key = &document["paths"]["/v1/messages"]["post"]["parameters"][0];
    assert_eq!((&key["name"], &key["required"]), (&"Idempotency-Key".into(), &false.into()));
}
