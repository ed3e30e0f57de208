//! What an erasure takes beside the rows of its link.

use domain::{
    Account, Changes, Collection, Failure, Filter, LinkId, Observation, RequestId, Resource,
    Retrieval, Row, RowId, RowRef, Timestamp,
};
use serde_json::json;

use crate::{
    databases::{Tables, both},
    webhooks,
};

fn at(day: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-03-{day:02}T00:00:00Z")).unwrap()
}

fn seen(day: u32) -> Observation {
    Observation {
        at: at(day),
        request: None,
    }
}

/// The same account of an institution, as each link has it.
fn account(identification: &str) -> Account {
    let account = json!({
        "id": uuid::Uuid::new_v4().to_string(),
        "institution": {"name": "a bank"},
        "internal_identification": identification,
    });
    let row = json!({"id": "row", "account": account});
    test_harness::taken_apart(&row).1.unwrap()
}

fn row(amount: u32) -> Row {
    let row = json!({"id": "row", "value_date": "2026-01-01", "amount": amount});
    test_harness::taken_apart(&row).0
}

async fn store(tables: &Tables, link: &LinkId, account: &Account, day: u32) {
    let new = Changes {
        new: vec![row(1).into()],
        ..Changes::default()
    };
    tables.rows.put(link, &new, &seen(day)).await.unwrap();
    let accounts = &tables.accounts;
    let (account_list, seen) = (std::slice::from_ref(account), seen(day));
    let stored = accounts.put(link, account_list, &seen);
    stored.await.unwrap();
    accounts.hold(link, account, at(day)).await.unwrap();
}

/// What the link's row is marked as a duplicate of, as it is now and as it was.
async fn marks(tables: &Tables, link: &LinkId, id: &RowId) -> Vec<Option<RowRef>> {
    let versions = test_harness::versions(&tables.rows, link, id).await;
    let marks = versions.into_iter().map(|version| version.duplicate_of);
    marks.collect()
}

#[tokio::test]
async fn a_row_of_another_link_no_longer_names_one_that_was_erased() {
    for tables in both().await {
        let identification = uuid::Uuid::new_v4().to_string();
        let links = [tables.link.clone(), webhooks::link(), webhooks::link()];
        for (day, link) in (1..).zip(&links) {
            store(&tables, link, &account(&identification), day).await;
        }
        let id = RowId::parse("row").unwrap();
        let [first, second] = [0, 1].map(|number| RowRef {
            link: links[number].clone(),
            id: id.clone(),
        });
        tables.rows.mark(&links[1], &id, &first).await.unwrap();
        tables.rows.mark(&links[2], &id, &second).await.unwrap();
        let changed = Changes {
            changed: vec![row(2).into()],
            ..Changes::default()
        };
        let written = tables.rows.put(&links[1], &changed, &seen(9)).await;
        written.unwrap();
        assert_eq!(
            marks(&tables, &links[1], &id).await,
            [Some(first.clone()), Some(first)]
        );

        let (rows, accounts) = tables.transactions.holdings(&links[0]).await.unwrap();
        assert_eq!((rows, accounts), (1, 1), "{}", tables.name);
        tables.transactions.erase(&links[0]).await.unwrap();

        assert_eq!(
            marks(&tables, &links[1], &id).await,
            [None, None],
            "{}",
            tables.name
        );
        assert_eq!(
            marks(&tables, &links[2], &id).await,
            [Some(second)],
            "another's stays"
        );
        let filter = Filter::default();
        let listed = tables.rows.list(&links[1], &filter, None, 10).await;
        assert_eq!(listed.unwrap().0.len(), 1, "the row itself stays");
    }
}

fn collection() -> Collection {
    let collection = json!({
        "started_at": at(1), "finished_at": at(1), "pages": 1, "rows": 9, "counted": 9, "new": 9,
        "changed": 0, "revived": 0, "deleted": 0, "unchanged": 0, "accounts": 1,
        "left_out": [{"id": "a-row", "reason": "refused"}],
    });
    serde_json::from_value(collection).unwrap()
}

#[tokio::test]
async fn requests_lose_what_may_quote_the_rows_and_expire() {
    for mut tables in both().await {
        tables.control = tables.control.keeping_erased_requests_for(7);
        let (requests, ids) = (
            &tables.control.requests,
            [(); 3].map(|()| RequestId::random()),
        );
        let retrieval = Retrieval::of(tables.link.clone(), Resource::TRANSACTIONS);
        for id in &ids {
            let issued = requests.issued(id, &retrieval, at(1), at(1));
            issued.await.unwrap();
        }
        let failure = Failure {
            code: "login_error".to_owned(),
            message: "the password of Maria Plantada is wrong".to_owned(),
        };
        let failed = requests.failed(&ids[0], &retrieval, &failure, (at(1), true));
        failed.await.unwrap();
        requests.collected(&ids[1], &collection()).await.unwrap();
        assert_eq!(requests.count(&tables.link).await.unwrap(), 3);

        for day in [2, 3] {
            requests.erase(&tables.link, at(day)).await.unwrap();
        }

        let mut records = Vec::new();
        for id in &ids {
            records.push(requests.get(id).await.unwrap().unwrap());
        }
        let in_a_week = at(2).plus_seconds(7 * 86_400).unix_seconds();
        let expire = records.iter().map(|record| record.expires_at);
        assert!(
            expire.eq([Some(in_a_week); 3]),
            "{}: {records:?}",
            tables.name
        );
        let failure = records[0].failure.as_ref().unwrap();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("login_error", "")
        );
        let found = records[1].collection.as_ref().unwrap();
        assert_eq!((found.left_out.len(), found.tally.rows), (0, 9));
    }
}

#[tokio::test]
async fn the_webhooks_of_a_link_are_deleted_and_no_others() {
    for tables in both().await {
        let ids = [webhooks::id(), webhooks::id()];
        for id in &ids {
            webhooks::archive(&tables, id, 1).await;
        }
        let (archive, link) = (&tables.control.webhooks, &tables.link);
        archive.erase(&webhooks::link()).await.unwrap();
        assert_eq!(archive.count(link).await.unwrap(), 2, "{}", tables.name);
        archive.erase(link).await.unwrap();
        assert_eq!(archive.count(link).await.unwrap(), 0, "{}", tables.name);
        for id in &ids {
            assert_eq!(archive.get(id).await.unwrap(), None, "{}", tables.name);
        }
    }
}
