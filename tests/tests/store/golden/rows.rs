//! Items of rows: the latest version, earlier ones, and our marks on them.

use domain::{
    Changes, Days, Filter, LinkId, Listed, Observation, RequestId, Resource, Row, RowId, RowRef,
    Version,
};
use serde_json::{Value, json};
use shared::store::Rows;

use super::{Store, at, link, request, seen};

/// A transaction with a value of each JSON type.
pub(super) fn transaction(status: &str) -> Row {
    let row = json!({
        "id": "0d3ffb69-f83b-456e-ad8e-208d0998d71d",
        "account": {"id": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e", "name": "Conta corrente"},
        "collected_at": "2026-01-16T08:45:50.406032Z",
        "value_date": "2026-01-15",
        "amount": 54.9,
        "status": status,
        "type": "OUTFLOW",
        "description": "",
        "merchant": {"name": "Padaria São João", "logo": null},
        "gig_payroll_information": null,
        "is_new": true,
        "tags": ["food", 1, {"deep": false}],
    });
    test_harness::taken_apart(&row).0
}

/// A transaction that is kept as JSON text: one of its fields has a name like ours.
fn odd_transaction() -> Row {
    let mut row = test_harness::json_of(&transaction("PROCESSED"));
    row["_link"] = Value::from("a field of Belvo's");
    test_harness::taken_apart(&row).0
}

fn employment() -> Row {
    let row = json!({"id": "7b0f", "start_date": "2020-05-04", "end_date": null});
    test_harness::taken_apart(&row).0
}

fn employments() -> Resource {
    Resource::by_name("employments").unwrap()
}

fn transactions(store: &Store) -> Rows {
    store.transactions.rows(Resource::TRANSACTIONS)
}

pub(super) fn new(row: Row) -> Changes {
    Changes {
        new: vec![row.into()],
        ..Changes::default()
    }
}

fn changed(row: Row) -> Changes {
    Changes {
        changed: vec![row.into()],
        ..Changes::default()
    }
}

/// The items of a row as JSON text, and of a row of another resource.
const ODD: [&str; 4] = [
    "leaf-of-json",
    "row-as-json",
    "leaf-of-employments",
    "row-of-employments",
];

/// Another retrieval than [`request`].
fn later_request() -> RequestId {
    RequestId::parse("b5d0106ac9cc43d5b36199fe831f6bbe").unwrap()
}

pub(super) fn seen_later(minute: i64) -> Observation {
    Observation {
        request: Some(later_request()),
        ..seen(minute)
    }
}

fn original() -> RowRef {
    RowRef {
        link: LinkId::parse("16f68516-bcbc-4cf7-b815-c500d4204e28").unwrap(),
        id: RowId::parse("b3fe1ca5-5c0e-4a3f-8b3d-1f0e2a4f6c7d").unwrap(),
    }
}

/// The latest version, as [`request`] brought it at noon.
fn version(row: Row) -> Version {
    Version {
        row,
        from: at(0),
        request: Some(request()),
        until: None,
        deleted: false,
        deleted_by: None,
        duplicate_of: None,
    }
}

async fn listed(store: &Store, resource: Resource) -> Vec<Listed> {
    let rows = store.transactions.rows(resource);
    let listed = rows.list(&link(), &Filter::default(), None, 10).await;
    listed.unwrap().0
}

#[tokio::test]
async fn a_row_and_its_earlier_version_are_stored_as_before() {
    let store = Store::empty().await;
    let (rows, link) = (transactions(&store), link());
    let (before, now) = (
        new(transaction("PENDING")),
        changed(transaction("PROCESSED")),
    );
    rows.put(&link, &before, &seen(0)).await.unwrap();
    rows.put(&link, &now, &seen_later(60)).await.unwrap();
    store.assert_holds_beside_the_log(&["leaf", "row", "row-version"]);
}

#[tokio::test]
async fn a_stored_row_and_its_earlier_version_are_read() {
    let store = Store::holding(&["leaf", "row", "row-version"]).await;
    let (rows, row) = (transactions(&store), transaction("PROCESSED"));
    let versions = test_harness::versions(&rows, &link(), row.id()).await;
    let expected = [
        Version {
            until: Some(at(60)),
            ..version(transaction("PENDING"))
        },
        Version {
            from: at(60),
            request: Some(later_request()),
            ..version(row.clone())
        },
    ];
    assert_eq!(versions, expected);

    let stored = rows.known(&link(), Days::ALL, None).await.unwrap();
    let known = &stored[row.id()];
    let (digest, collected_at) = (known.digest, known.collected_at);
    assert_eq!((digest, collected_at), (row.digest(), row.collected_at()));
}

#[tokio::test]
async fn a_tombstone_is_stored_as_before() {
    let store = Store::empty().await;
    let (rows, row) = (transactions(&store), transaction("PROCESSED"));
    let gone = [row.id().clone()];
    rows.put(&link(), &new(row), &seen(0)).await.unwrap();
    let marked = rows
        .tombstone(&link(), Days::ALL, &gone, &seen_later(60))
        .await;
    marked.unwrap();
    store.assert_holds_beside_the_log(&["leaf-of-tombstone", "row-tombstone"]);
}

#[tokio::test]
async fn a_stored_tombstone_is_read() {
    let store = Store::holding(&["leaf-of-tombstone", "row-tombstone"]).await;
    let (rows, row) = (transactions(&store), transaction("PROCESSED"));
    let id = row.id().clone();
    let expected = Version {
        until: Some(at(60)),
        deleted: true,
        deleted_by: Some(later_request()),
        ..version(row)
    };
    assert_eq!(
        test_harness::versions(&rows, &link(), &id).await,
        [expected]
    );

    let known = rows.known(&link(), Days::ALL, None).await.unwrap();
    assert!(known[&id].deleted);
    assert_eq!(listed(&store, Resource::TRANSACTIONS).await, []);
}

#[tokio::test]
async fn a_duplicate_is_stored_as_before() {
    let store = Store::empty().await;
    let (rows, row) = (transactions(&store), transaction("PROCESSED"));
    let id = row.id().clone();
    rows.put(&link(), &new(row), &seen(0)).await.unwrap();
    rows.mark(&link(), &id, &original()).await.unwrap();
    store.assert_holds_beside_the_log(&["leaf", "row-duplicate"]);
}

#[tokio::test]
async fn a_stored_duplicate_is_read() {
    let store = Store::holding(&["leaf", "row-duplicate"]).await;
    let expected = Listed {
        row: transaction("PROCESSED"),
        duplicate_of: Some(original()),
    };
    assert_eq!(listed(&store, Resource::TRANSACTIONS).await, [expected]);
}

#[tokio::test]
async fn rows_as_json_text_and_of_another_resource_are_stored_as_before() {
    let store = Store::empty().await;
    for (resource, row) in [
        (Resource::TRANSACTIONS, odd_transaction()),
        (employments(), employment()),
    ] {
        let rows = store.transactions.rows(resource);
        rows.put(&link(), &new(row), &seen(0)).await.unwrap();
    }
    store.assert_holds_beside_the_log(&ODD);
}

#[tokio::test]
async fn stored_rows_as_json_text_and_of_another_resource_are_read() {
    let store = Store::holding(&ODD).await;
    for (resource, row) in [
        (Resource::TRANSACTIONS, odd_transaction()),
        (employments(), employment()),
    ] {
        let expected = Listed {
            row,
            duplicate_of: None,
        };
        assert_eq!(listed(&store, resource).await, [expected]);
    }
}
