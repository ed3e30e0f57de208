//! The documented schemas of events.

use std::collections::BTreeSet;

use domain::{BlockReason, RESOURCES, Resource};
use serde_json::{Value, json};
use test_harness::EventSchemas;

#[test]
fn each_schema_has_an_example_that_it_accepts() {
    let schemas = EventSchemas::documented();
    for (name, document) in schemas.documents() {
        assert_eq!(document["title"], name);
        let examples = document["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            assert_eq!(example["type"], name);
            assert_eq!(schemas.check(example), Ok(()));
        }
    }
}

#[test]
fn a_schema_accepts_no_further_field_and_no_missing_one() {
    let schemas = EventSchemas::documented();
    for (name, document) in schemas.documents() {
        let example = &document["examples"][0];
        let mut further = vec![with(example, "name", json!("Fulano de Tal"))];
        if example["counts"].is_object() {
            let counts = with(&example["counts"], "amount", json!(9));
            further.push(with(example, "counts", counts));
        }
        for event in further {
            assert!(schemas.check(&event).is_err(), "{event}");
        }
        for field in document["required"].as_array().unwrap() {
            let mut missing = example.clone();
            missing
                .as_object_mut()
                .unwrap()
                .remove(field.as_str().unwrap());
            assert!(schemas.check(&missing).is_err(), "{name} without {field}");
        }
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

#[test]
fn a_schema_names_every_resource_and_every_reason() {
    let schemas = EventSchemas::documented();
    let named = |name: &str, field: &str| {
        let (_, document) = schemas.documents().find(|(of, _)| *of == name).unwrap();
        let values = document["properties"][field]["enum"].as_array().unwrap();
        let names = values
            .iter()
            .map(|value| value.as_str().unwrap().to_owned());
        names.collect::<BTreeSet<_>>()
    };
    let mut resources: BTreeSet<_> = RESOURCES.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(named("request.collected", "resource"), resources);
    resources.remove(Resource::TRANSACTIONS.name());
    assert_eq!(named("resources.changed", "resource"), resources);

    let reasons = [
        BlockReason::InvalidCredentials,
        BlockReason::TokenRequired,
        BlockReason::Unconfirmed,
        BlockReason::ConsentExpired,
        BlockReason::Deleting,
        BlockReason::Deleted,
    ];
    let reasons = reasons.map(|reason| json!(reason).as_str().unwrap().to_owned());
    assert_eq!(named("link.blocked", "reason"), BTreeSet::from(reasons));
}

#[test]
fn the_page_on_events_lists_every_type() {
    let page = include_str!("../../../docs/EVENTS.md");
    for (name, _) in EventSchemas::documented().documents() {
        assert!(
            page.contains(&format!("[`{name}`](events/{name}.json)")),
            "{name}"
        );
    }
}
