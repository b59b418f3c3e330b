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
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status == "204" {
                assert!(response["content"].is_null(), "{method} {path}");
                continue;
            }
            let kinds: Vec<&String> = response["content"].as_object().unwrap().keys().collect();
            let expected = match (path.as_str(), status.starts_with('2')) {
                (_, false) => "application/problem+json",
                ("/v1/consents/export", true) => "application/zip",
                ("/v1/suppressions/export", true) => "text/csv",
                (path, true) if path.ends_with("/page") => "text/html",
                (_, true) => "application/json",
            };
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

/// Documents in the words of `duties`: their lists and texts are bounded by their route's body alone.
const DOCUMENTS: [&str; 3] = ["AgreementRequest.content", "InstructionRequest.content", "FormRequest.notices[]"];

/// Every place below `schema` that has no bound.
fn unbounded(schemas: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        // A type of ours is named for itself, so that a place reads like the code.
        let place = if name.starts_with("Text") { place } else { name };
        return unbounded(schemas, &schemas[name], place, found);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        for one in schema[several].as_array().into_iter().flatten() {
            unbounded(schemas, one, place, found);
        }
    }
    let is = |kind: &str| match &schema["type"] {
        Value::String(said) => said == kind,
        Value::Array(several) => several.iter().any(|said| said == kind),
        _ => false,
    };
    if is("string") && schema["enum"].is_null() && schema["maxLength"].is_null() {
        found.push(place.to_owned());
    }
    if is("integer") && schema["maximum"].is_null() {
        found.push(place.to_owned());
    }
    if is("array") {
        if schema["maxItems"].is_null() {
            found.push(format!("{place}[..]"));
        }
        unbounded(schemas, &schema["items"], &format!("{place}[]"), found);
    }
    if is("object") {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(schemas, below, &format!("{place}.{name}"), found);
        }
        let closed = schema["additionalProperties"] == false;
        if !closed && schema["maxProperties"].is_null() && !DOCUMENTS.contains(&place) {
            found.push(place.to_owned());
        }
        if schema["additionalProperties"].is_object() {
            unbounded(schemas, &schema["additionalProperties"], &format!("{place}.*"), found);
        }
    }
}

#[test]
fn art32_1_b_every_string_number_list_and_object_that_a_request_may_hold_has_its_bound() {
    let document = described();
    let schemas = &document["components"]["schemas"];
    let (mut found, mut bodies) = (Vec::new(), 0);
    for (path, _, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            bodies += 1;
            unbounded(schemas, schema, &path, &mut found);
        }
    }
    assert!(bodies >= 15, "{bodies}");
    assert!(found.is_empty(), "without a bound: {found:#?}");
    // Twin: what has none is found.
    let open = serde_json::json!({"type": "object", "additionalProperties": false, "properties": {
        "list": {"type": "array", "items": {"type": "string"}}, "map": {"type": ["object", "null"]},
        "number": {"type": "integer", "format": "int64"}}});
    unbounded(schemas, &open, "x", &mut found);
    found.sort();
    assert_eq!(found, ["x.list[..]", "x.list[]", "x.map", "x.number"]);
}
