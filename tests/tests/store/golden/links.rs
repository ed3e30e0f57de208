//! Items of links.

use std::collections::BTreeMap;

use domain::{
    AccountId, AskedCollection, Block, BlockReason, Blocked, Connection, Consent, Days, Deletion,
    Erased, LastCollection, LinkDue, LinkEvent, LinkFilter, LinkId, LinkRecord, NewsPlace,
    OnDeletion, Sequence,
};

use time::macros::date;

use super::{Store, at, link, request};

/// The golden items of [`whole`], [`erased`], [`unconfirmed`], [`collected`] and [`held`].
const NAMES: [&str; 5] = [
    "link",
    "link-erased",
    "link-unconfirmed",
    "link-collected",
    "link-held",
];

/// Later than any test is run, so that the present does not replace it.
const NEWS: Sequence = Sequence::of(4_102_444_800_000);

fn connection(status: &str) -> Connection {
    Connection {
        institution: Some("ofmockbank_br_retail".to_owned()),
        access_mode: Some("recurrent".to_owned()),
        refresh_rate: Some("24h".to_owned()),
        status: Some(status.to_owned()),
        external_id: Some("an id of the caller".to_owned()),
        customer: Some("a user of a bank".to_owned()),
        fetch_resources: vec!["ACCOUNTS".to_owned(), "TRANSACTIONS".to_owned()],
        created_at: Some(at(-10)),
    }
}

fn blocked(reason: BlockReason) -> Block {
    let since = at(3);
    Block { reason, since }
}

fn another_link(id: &str) -> LinkRecord {
    LinkRecord::new(LinkId::parse(id).unwrap())
}

/// With all that can be known of a link, and a deletion that was asked for.
fn whole() -> LinkRecord {
    LinkRecord {
        connection: connection("token_required"),
        registered_at: Some(at(0)),
        requested_at: Some(at(-1)),
        read_at: Some(at(1)),
        last_seen_at: Some(at(2)),
        checked_at: Some(at(4)),
        last_event: Some(LinkEvent {
            webhook_type: "LINK".to_owned(),
            code: "token_required".to_owned(),
            at: at(3),
        }),
        login_block: Some(blocked(BlockReason::TokenRequired)),
        consent: Consent {
            id: Some("a consent".to_owned()),
            due_date: Some("2027-03-01".to_owned()),
            ended_at: Some(at(5)),
        },
        deletion: Some(Deletion {
            requested_at: Some(at(6)),
            request_id: Some(request()),
            ..Deletion::of(OnDeletion::Keep)
        }),
        sequence: NEWS,
        ..LinkRecord::new(link())
    }
}

fn erased() -> LinkRecord {
    LinkRecord {
        login_block: Some(blocked(BlockReason::InvalidCredentials)),
        deletion: Some(Deletion {
            requested_at: Some(at(6)),
            deleted_at: Some(at(7)),
            erased: Some(Erased {
                rows: 120,
                accounts: 3,
                webhooks: 9,
                requests: 2,
            }),
            erased_at: Some(at(8)),
            ..Deletion::of(OnDeletion::Erase)
        }),
        sequence: NEWS,
        ..another_link("c40cbdd8-9b2c-4b04-9d3b-2b8a4f0d9c11")
    }
}

fn unconfirmed() -> LinkRecord {
    LinkRecord {
        connection: connection("unconfirmed"),
        registered_at: Some(at(9)),
        login_block: Some(blocked(BlockReason::Unconfirmed)),
        sequence: NEWS,
        ..another_link("d1f0a6b7-52b7-4c39-8a6e-6f1c2f6f7a90")
    }
}

/// Unregistered, and known only because its rows were collected.
fn collected() -> LinkRecord {
    let resource = || "transactions".to_owned();
    let last = LastCollection {
        at: at(1),
        days: Days::since(date!(2026 - 02 - 01)),
        account: Some(AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").unwrap()),
        verdict: "complete".to_owned(),
        rows: 40,
        added: 3,
        modified: 2,
        removed: 1,
    };
    let asked = AskedCollection {
        asked_at: at(2),
        ended_at: at(3),
        failure: Some("gave_up".to_owned()),
    };
    LinkRecord {
        last_seen_at: Some(at(0)),
        scrub_at: BTreeMap::from([(resource(), at(60))]),
        collected: BTreeMap::from([(resource(), last)]),
        log: 7,
        asked: BTreeMap::from([(resource(), asked)]),
        collected_to: BTreeMap::from([(resource(), 6)]),
        accounts_digest: Some("0f1e2d3c4b5a69788796a5b4".to_owned()),
        sequence: NEWS,
        ..another_link("e7a2c9f4-6d3b-4f1e-8b52-0c9d7a1e5b63")
    }
}

/// Known only because its rows were announced.
fn held() -> LinkRecord {
    let held_at = ("transactions".to_owned(), at(0));
    LinkRecord {
        held_at: BTreeMap::from([held_at]),
        ..another_link("f3b8d0e5-7e4c-4a2f-9c63-1d0e8b2f6c74")
    }
}

#[tokio::test]
async fn links_are_stored_as_before() {
    let store = Store::empty().await;
    for record in [whole(), erased(), unconfirmed(), collected(), held()] {
        let links = &store.control.links;
        let changed = links.change(&record.id, |_| record.clone()).await;
        changed.unwrap();
    }
    store.assert_holds(&NAMES);
}

#[tokio::test]
async fn stored_links_are_read() {
    let store = Store::holding(&NAMES).await;
    let links = &store.control.links;
    for record in [whole(), erased(), unconfirmed(), collected(), held()] {
        assert_eq!(links.get(&record.id).await.unwrap(), Some(record));
    }
    let all = LinkFilter::default();
    let registered = links.registered(&all, None, 10).await.unwrap();
    assert_eq!(registered, (vec![unconfirmed(), whole()], None));
    for (blocked, external_id) in [
        (Some(Blocked::Yes), None),
        (None, Some("an id of the caller")),
    ] {
        let filter = LinkFilter {
            blocked,
            external_id: external_id.map(str::to_owned),
            ..LinkFilter::default()
        };
        let mut found = links.registered(&filter, None, 10).await.unwrap().0;
        found.sort_by_key(|record| record.registered_at);
        assert_eq!(found, [whole(), unconfirmed()], "{filter:?}");
    }
    let (news, has_more) = links.news(&NewsPlace::default(), 10).await.unwrap();
    let news: Vec<_> = news
        .into_iter()
        .map(|one| (one.link, one.sequence))
        .collect();
    let of = |record: LinkRecord| (Some(record.id), NEWS);
    let all = [whole(), erased(), unconfirmed(), collected()];
    assert_eq!((news, has_more), (all.map(of).to_vec(), false));
    let deletions = links.due(LinkDue::Deletion, at(10_000), 10).await.unwrap();
    assert_eq!(deletions, (vec![whole()], 0));
    let readings = links.due(LinkDue::Reading, at(10_000), 10).await.unwrap();
    assert_eq!(readings, (vec![collected(), unconfirmed()], 0));
}

#[tokio::test]
async fn a_stored_link_is_written_over() {
    let store = Store::holding(&NAMES).await;
    let (links, id) = (&store.control.links, link());
    let deleted = links.change(&id, |known| known.deleted(at(7))).await;
    assert_eq!(links.get(&id).await.unwrap(), Some(deleted.unwrap()));
}
