//! Events of a link.

use domain::{
    Connection, Consent, Days, Digest, LastCollection, LinkEvent, LinkId, LinkRecord, OnDeletion,
    Readable, Resource,
};
use publish::of_link;
use serde_json::{Value, json};
use shared::{api::ChangesPlace, store::read_opaque};

use crate::{at, on_the_bus, types};

const LINK: &str = "bcca0da9-a4c6-4830-9676-1d54682851d9";

fn unknown() -> LinkRecord {
    LinkRecord::new(LinkId::parse(LINK).unwrap())
}

fn connection(status: &str) -> Connection {
    Connection {
        status: Some(status.to_owned()),
        ..Connection::default()
    }
}

fn registered() -> LinkRecord {
    let registered = unknown().registered(connection("valid"), at(0), 60);
    registered.with_news_since(&unknown(), at(1))
}

/// A registered link with six entries in its log.
fn link() -> LinkRecord {
    registered().readable(&readable(6))
}

fn readable(log: u64) -> Readable {
    Readable::of(log, &[])
}

fn collection(hour: i64, changes: u64) -> LastCollection {
    LastCollection {
        at: at(hour),
        days: Days::ALL,
        account: None,
        verdict: "complete".to_owned(),
        rows: 40,
        added: 3 * changes,
        modified: 2 * changes,
        removed: changes,
    }
}

/// A collection has ended that changed rows, with the log at this entry.
fn found(link: LinkRecord, resource: Resource, hour: i64, log: u64) -> LinkRecord {
    link.found(resource, collection(hour, 1), &readable(log))
}

/// One has ended that changed nothing.
fn unchanged(link: LinkRecord, resource: Resource, hour: i64, now: &Readable) -> LinkRecord {
    link.found(resource, collection(hour, 0), now)
}

fn invoices() -> Resource {
    Resource::by_name("invoices").unwrap()
}

fn reported(link: LinkRecord, webhook_type: &str, code: &str, hour: i64) -> LinkRecord {
    let event = LinkEvent {
        webhook_type: webhook_type.to_owned(),
        code: code.to_owned(),
        at: at(hour),
    };
    let due_date = (webhook_type == "CONSENT").then(|| "2026-03-08T10:45:58.000Z".to_owned());
    let consent = Consent {
        due_date,
        ..Consent::default()
    };
    link.apply_event(event, consent)
}

/// What is published when a record is written over another, as the store does.
fn published(before: &LinkRecord, after: LinkRecord) -> Vec<Value> {
    let after = after.with_news_since(before, at(9));
    on_the_bus(of_link(Some(before), &after))
}

#[test]
fn each_change_of_a_link_has_its_event() {
    let blocked = || reported(link(), "LINK", "token_required", 2);
    let deleting = || link().deletion_requested(OnDeletion::Erase, at(2));
    let transactions = |log| found(link(), Resource::TRANSACTIONS, 2, log);
    let account = Readable::of(6, &[Digest::of("an account")]);
    for (before, after, expected) in vec![
        (unknown(), registered(), "link.connected"),
        (link(), blocked(), "link.blocked"),
        (
            blocked(),
            blocked().refreshed(connection("valid"), at(3)),
            "link.unblocked",
        ),
        (link(), deleting(), "link.blocked"),
        (deleting(), deleting().deleted(at(3)), "link.blocked"),
        (
            deleting().deleted(at(3)),
            deleting()
                .deleted(at(3))
                .erased(at(4))
                .readable(&readable(7)),
            "link.erased",
        ),
        (link(), transactions(8), "transactions.changed"),
        (
            transactions(8),
            found(transactions(8), invoices(), 2, 9),
            "resources.changed",
        ),
        (
            link(),
            unchanged(link(), Resource::TRANSACTIONS, 2, &account),
            "accounts.changed",
        ),
        (
            link(),
            reported(link(), "CONSENT", "openfinance_consent_about_to_expire", 2),
            "consent.expiring",
        ),
        (
            link(),
            reported(link(), "CONSENT", "another_code", 2),
            "link.changed",
        ),
        (link(), link().readable(&readable(7)), "link.changed"),
    ] {
        assert_eq!(types(&published(&before, after)), [expected]);
    }
}

#[test]
fn what_followers_cannot_see_is_not_published() {
    let collected = unchanged(link(), Resource::TRANSACTIONS, 2, &readable(6));
    for after in [
        link(),
        link().seen(at(2)),
        link().refreshed(connection("valid"), at(2)),
        collected,
        reported(link(), "LINK", "another_code", 2),
    ] {
        assert_eq!(published(&link(), after), Vec::<Value>::new());
    }
}

#[test]
fn an_event_of_rows_counts_them_and_leads_to_what_came_after_the_news_before() {
    let link = || found(link(), Resource::TRANSACTIONS, 1, 6);
    let after = found(link(), Resource::TRANSACTIONS, 2, 9);
    let events = published(&link(), after);
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    let counts = json!({"added": 3, "modified": 2, "removed": 1});
    assert_eq!(event["counts"], counts);
    let cursor = read_opaque::<ChangesPlace>(event["cursor"].as_str().unwrap());
    assert_eq!(cursor, Ok(ChangesPlace::after(6)));
    let sequence = at(9).unix_millis();
    assert_eq!(event["sequence"], sequence);
    assert_eq!(
        event["id"],
        format!("{LINK}/{sequence}/transactions.changed")
    );
    assert_eq!(event["at"], json!(at(9)));
}

#[test]
fn rows_are_published_when_their_own_collection_ends() {
    let link = found(link(), Resource::TRANSACTIONS, 1, 6);
    // One of many rows is under way when another resource is collected and has nothing new.
    let between = unchanged(link.clone(), invoices(), 2, &readable(8));
    let between = between.with_news_since(&link, at(9));
    let events = on_the_bus(of_link(Some(&link), &between));
    assert_eq!(types(&events), ["link.changed"]);

    let ended = found(between.clone(), Resource::TRANSACTIONS, 3, 8);
    let events = published(&between, ended);
    assert_eq!(types(&events), ["transactions.changed"]);
    let cursor = read_opaque::<ChangesPlace>(events[0]["cursor"].as_str().unwrap());
    assert_eq!(
        cursor,
        Ok(ChangesPlace::after(6)),
        "it leads to all of them"
    );
}

#[test]
fn a_block_is_told_with_its_reason_and_again_only_for_another_one() {
    let blocked = reported(link(), "LINK", "token_required", 2);
    let told = |event: &Value| (event["reason"].clone(), event["since"].clone());
    let events = published(&link(), blocked.clone());
    assert_eq!(told(&events[0]), (json!("token_required"), json!(at(2))));

    let other = reported(blocked.clone(), "LINK", "invalid_credentials", 3);
    let events = published(&blocked, other);
    assert_eq!(
        told(&events[0]),
        (json!("invalid_credentials"), json!(at(3)))
    );

    let same = reported(blocked.clone(), "LINK", "token_required", 3);
    assert_eq!(types(&published(&blocked, same)), ["link.changed"]);
}

#[test]
fn each_warning_of_a_consent_is_told_once_whether_or_not_it_is_news() {
    let code = "openfinance_consent_about_to_expire";
    let first = reported(link(), "CONSENT", code, 2).with_news_since(&link(), at(3));
    let again = reported(first.clone(), "CONSENT", code, 4).with_news_since(&first, at(5));
    assert_eq!(first.sequence, again.sequence);

    let (one, other) = (
        on_the_bus(of_link(Some(&link()), &first)),
        on_the_bus(of_link(Some(&first), &again)),
    );
    assert_eq!(types(&one), ["consent.expiring"]);
    assert_eq!(types(&other), ["consent.expiring"]);
    assert_eq!(one[0]["due_date"], "2026-03-08T10:45:58.000Z");
    assert_eq!(one[0]["id"], format!("{LINK}/{}/consent.expiring", at(2)));
    assert_eq!(other[0]["id"], format!("{LINK}/{}/consent.expiring", at(4)));
    let repeated = on_the_bus(of_link(Some(&first), &again));
    assert_eq!(repeated, other);
}

#[test]
fn a_first_record_is_told_as_a_change_of_nothing() {
    let events = on_the_bus(of_link(None, &registered()));
    assert_eq!(types(&events), ["link.connected"]);
    let collected = found(unknown(), Resource::TRANSACTIONS, 2, 4);
    let collected = collected.with_news_since(&unknown(), at(3));
    let events = on_the_bus(of_link(None, &collected));
    assert_eq!(types(&events), ["transactions.changed"]);
}

#[test]
fn nothing_about_a_person_is_published_of_a_link() {
    let personal = "Fulano de Tal";
    let connection = || Connection {
        institution: Some(personal.to_owned()),
        external_id: Some(personal.to_owned()),
        customer: Some(personal.to_owned()),
        fetch_resources: vec![personal.to_owned()],
        status: Some(personal.to_owned()),
        ..Connection::default()
    };
    let mut named = link().refreshed(connection(), at(2));
    named.consent.id = Some(personal.to_owned());
    named.consent.due_date = Some(personal.to_owned());
    named.accounts_digest = Some(personal.to_owned());
    let code = "openfinance_consent_about_to_expire";
    let mut warned = named.clone();
    warned.last_event = Some(LinkEvent {
        webhook_type: "CONSENT".to_owned(),
        code: code.to_owned(),
        at: at(3),
    });
    for (before, after, expected) in [
        (
            unknown(),
            registered().refreshed(connection(), at(2)),
            "link.connected",
        ),
        (link(), named.clone(), "accounts.changed"),
        (
            named.clone(),
            named.clone().consent_ended(at(3)),
            "link.blocked",
        ),
        (
            named.clone(),
            found(named.clone(), Resource::TRANSACTIONS, 3, 8),
            "transactions.changed",
        ),
        (named.clone(), warned, "consent.expiring"),
    ] {
        let events = published(&before, after);
        assert_eq!(types(&events), [expected]);
        assert!(!json!(events).to_string().contains(personal), "{events:?}");
    }
}
