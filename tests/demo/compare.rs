//! What Belvo has against what is stored, document by document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_harness::{Difference, differences};

/// How what is stored differs from what Belvo has. Nothing is listed when they are equal.
pub(crate) struct Comparison {
    /// How many documents Belvo has.
    pub(crate) at_belvo: usize,
    /// How many documents are stored, each id counted once.
    pub(crate) stored: usize,
    /// What only Belvo has, in its order.
    pub(crate) missing: Vec<Value>,
    /// What Belvo does not have.
    pub(crate) extra: Vec<Value>,
    /// Ids that were read back more than once.
    pub(crate) repeated: Vec<String>,
    /// What is stored with other fields, as Belvo has it, and where it differs.
    pub(crate) different: Vec<(Value, Vec<Difference>)>,
}

impl Comparison {
    /// Compares documents that have an `id`.
    pub(crate) fn of(at_belvo: &[Value], stored: &[Value]) -> Self {
        let by_id: BTreeMap<_, _> = stored.iter().map(|one| (id(one), one)).collect();
        let known: BTreeSet<_> = at_belvo.iter().map(id).collect();
        let mut missing = Vec::new();
        let mut different = Vec::new();
        for document in at_belvo {
            let Some(found) = by_id.get(id(document)) else {
                missing.push(document.clone());
                continue;
            };
            let differences = differences(document, found);
            if !differences.is_empty() {
                different.push((document.clone(), differences));
            }
        }
        let is_extra = |(id, _): &(&&str, &&Value)| !known.contains(**id);
        let extra = by_id.iter().filter(is_extra);
        Self {
            at_belvo: at_belvo.len(),
            stored: by_id.len(),
            missing,
            extra: extra.map(|(_, document)| (*document).clone()).collect(),
            repeated: repeated(stored),
            different,
        }
    }

    /// Whether every document is stored once, as Belvo has it, and no other is.
    pub(crate) fn is_equal(&self) -> bool {
        let lists = [self.missing.len(), self.extra.len(), self.repeated.len()];
        lists.iter().all(|list| *list == 0) && self.different.is_empty()
    }
}

/// The ids that occur more than once.
fn repeated(documents: &[Value]) -> Vec<String> {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for document in documents {
        *times.entry(id(document)).or_default() += 1;
    }
    let repeated = times.into_iter().filter(|(_, times)| *times > 1);
    repeated.map(|(id, _)| id.to_owned()).collect()
}

/// The id of a document.
pub(crate) fn id(document: &Value) -> &str {
    document["id"].as_str().expect("a document with an id")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_does_not_matter() {
        let [one, two] = [json!({"id": "1"}), json!({"id": "2"})];
        assert!(Comparison::of(&[one.clone(), two.clone()], &[two, one]).is_equal());
    }

    #[test]
    fn a_document_that_is_not_stored_is_missing() {
        let [one, two] = [json!({"id": "1"}), json!({"id": "2"})];
        let found = Comparison::of(&[one.clone(), two.clone()], &[one]);
        assert_eq!(found.missing, [two]);
        assert_eq!((found.at_belvo, found.stored), (2, 1));
        assert!(!found.is_equal());
    }

    #[test]
    fn a_document_that_belvo_does_not_have_is_extra() {
        let found = Comparison::of(&[], &[json!({"id": "1"})]);
        assert_eq!(found.extra, [json!({"id": "1"})]);
        assert!(!found.is_equal());
    }

    #[test]
    fn a_document_that_is_read_back_twice_is_repeated() {
        let [one, again] = [json!({"id": "1"}), json!({"id": "1"})];
        let found = Comparison::of(&[json!({"id": "1"})], &[one, again]);
        assert!(!found.is_equal());
        assert_eq!((found.repeated, found.stored), (vec!["1".to_owned()], 1));
    }

    #[test]
    fn a_document_with_another_field_is_different() {
        let truth = [json!({"id": "1", "amount": 1})];
        let stored = [json!({"id": "1", "amount": 2})];
        let found = Comparison::of(&truth, &stored);
        assert!(!found.is_equal());
        let [(document, differences)] = found.different.as_slice() else {
            panic!("one document differs")
        };
        assert_eq!(document, &truth[0]);
        assert_eq!(differences[0].to_string(), "amount: 1 against 2");
    }

    #[test]
    fn a_number_in_another_spelling_is_equal() {
        let read = |text| serde_json::from_str::<Value>(text).unwrap();
        let (sent, stored) = (r#"{"id": "1", "a": 10.50}"#, r#"{"id": "1", "a": 10.5}"#);
        assert!(Comparison::of(&[read(sent)], &[read(stored)]).is_equal());
    }
}
