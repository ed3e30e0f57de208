//! Each cause, from the facts that show it.

use domain::{LinkId, RowId, Timestamp};
use serde_json::{Value, json};
use time::{Date, macros::date};

use super::{
    cause::{Answer, Cause, answer},
    facts::{Elsewhere, Facts, RowsOfDay},
};
use crate::{
    api::{History, Link},
    commands::request::tests::request,
};

const LINK: &str = "16f68516-bcbc-4cf7-b815-c500d4204e28";
const OTHER: &str = "26f68516-bcbc-4cf7-b815-c500d4204e28";
const DAY: Date = date!(2026 - 01 - 15);

/// A link whose January was collected, and that lists nothing of the day.
fn facts() -> Facts {
    let mut facts = bare();
    facts.requests = vec![collected(&json!({}))];
    facts
}

/// A registered link of which nothing was requested.
fn bare() -> Facts {
    Facts {
        link: LinkId::parse(LINK).unwrap(),
        day: Some(DAY),
        id: None,
        record: Some(link(&json!({}))),
        history: None,
        listed: Some(RowsOfDay::default()),
        requests: Vec::new(),
        unconfirmed: Vec::new(),
        elsewhere: Vec::new(),
    }
}

fn link(fields: &Value) -> Link {
    let mut link = json!({"link": LINK, "stale": false, "external_id": "user-1"});
    for (name, value) in fields.as_object().unwrap() {
        link[name] = value.clone();
    }
    serde_json::from_value(link).unwrap()
}

/// A request of January that is collected.
fn collected(fields: &Value) -> crate::api::Request {
    let mut all = json!({
        "date_from": "2026-01-01", "date_to": "2026-01-31", "status": "collected",
        "collected_at": "2026-02-01T00:00:00.000Z", "verdict": "complete",
        "collection": {"started_at": "2026-02-01T00:00:00.000Z",
            "finished_at": "2026-02-01T00:00:01.000Z",
            "days": {"from": "2026-01-01", "to": "2026-01-31"}, "pages": 1, "rows": 40,
            "counted": 40, "new": 40, "changed": 0, "unchanged": 0, "revived": 0, "deleted": 0,
            "unstored": 0, "undated": 0, "proven": true, "accounts": 1},
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    request(&all)
}

fn history(fields: &Value) -> History {
    let mut version = json!({"observed_at": "2026-02-01T00:00:00.000Z", "deleted": false,
        "observed_by": "first", "transaction": {"value_date": "2026-01-15"}});
    for (name, value) in fields.as_object().unwrap() {
        version[name] = value.clone();
    }
    serde_json::from_value(json!({"id": "row", "same_as": null, "versions": [version]})).unwrap()
}

fn of_row(mut facts: Facts) -> Facts {
    facts.id = Some(RowId::parse("row").unwrap());
    facts
}

fn assert_is(facts: &Facts, cause: Cause, shown: &[&str]) -> Answer {
    let answer = answer(facts);
    assert_eq!(answer.cause, cause, "{answer:?}");
    let text = answer
        .evidence
        .iter()
        .map(ToString::to_string)
        .chain(answer.next.clone());
    let text = text.collect::<Vec<_>>().join("\n");
    for part in shown {
        assert!(text.contains(part), "{part} in {text}");
    }
    answer
}

#[test]
fn a_row_that_is_stored_is_there_after_all() {
    let mut facts = of_row(facts());
    facts.history = Some(history(&json!({})));
    assert_is(
        &facts,
        Cause::ThereAfterAll,
        &["2026-01-15", "by the request first"],
    );
}

#[test]
fn a_row_that_duplicates_another_links_is_there_and_says_so() {
    let mut facts = of_row(facts());
    let mut history = history(&json!({}));
    history.same_as = serde_json::from_value(json!({"link": OTHER, "id": "original"})).unwrap();
    facts.history = Some(history);
    assert_is(
        &facts,
        Cause::ThereAfterAll,
        &["duplicate of the row original", OTHER],
    );
}

#[test]
fn a_row_of_a_day_with_rows_may_be_one_of_them() {
    let mut facts = facts();
    facts.listed = Some(RowsOfDay {
        count: 7,
        original: None,
    });
    let shown = ["7 rows of that day are stored", "complete", "--id"];
    assert_is(&facts, Cause::AmongThoseOfTheDay, &shown);
    let left_out = json!({"transactions": [{"id": "other", "reason": "refused"}]});
    facts.record = Some(link(&json!({"left_out": left_out})));
    assert_is(&facts, Cause::AmongThoseOfTheDay, &["could not be stored"]);
}

#[test]
fn a_row_that_belvo_no_longer_has_was_deleted_since_then_and_by_that_request() {
    let mut facts = of_row(facts());
    let gone = json!({"deleted": true, "until": "2026-02-09T10:00:00.000Z",
        "deleted_by": "second"});
    facts.history = Some(history(&gone));
    let shown = ["2026-02-09 10:00:00Z", "by the request second"];
    assert_is(&facts, Cause::DeletedByBelvo, &shown);
}

#[test]
fn a_row_that_could_not_be_stored_was_left_out_by_name() {
    let mut facts = of_row(facts());
    let left_out = json!({"transactions": [{"id": "row", "reason": "refused"}]});
    facts.record = Some(link(&json!({"left_out": left_out})));
    assert_is(&facts, Cause::LeftOut, &["row: refused"]);
}

#[test]
fn a_day_whose_link_has_rows_that_could_not_be_stored_may_have_had_one_of_them() {
    let mut facts = facts();
    let left_out = json!({"transactions": [{"reason": "no_id"}]});
    facts.record = Some(link(&json!({"left_out": left_out})));
    assert_is(
        &facts,
        Cause::LeftOut,
        &["a row without a usable id: no_id"],
    );
}

#[test]
fn a_row_that_was_left_out_explains_no_day_that_nobody_read() {
    let mut facts = facts();
    let left_out = json!({"transactions": [{"reason": "no_id"}]});
    facts.record = Some(link(&json!({"left_out": left_out})));
    facts.day = Some(date!(2025 - 11 - 15));
    assert_is(&facts, Cause::OutsideEveryWindow, &[]);
}

#[test]
fn a_row_may_be_stored_under_another_link_of_the_user() {
    let mut facts = of_row(facts());
    facts.elsewhere = vec![Elsewhere {
        link: LinkId::parse(OTHER).unwrap(),
        history: Some(history(&json!({}))),
        rows_of_day: 1,
    }];
    let shown = [OTHER, "belvo-ingest why-missing 26f68516"];
    assert_is(&facts, Cause::UnderAnotherLink, &shown);
}

#[test]
fn a_day_may_be_stored_under_another_link_of_the_user() {
    let mut facts = facts();
    facts.elsewhere = vec![Elsewhere {
        link: LinkId::parse(OTHER).unwrap(),
        history: None,
        rows_of_day: 3,
    }];
    assert_is(
        &facts,
        Cause::UnderAnotherLink,
        &["3 rows of that day", OTHER],
    );
}

#[test]
fn an_unknown_link_was_never_asked_for() {
    let mut facts = bare();
    facts.record = None;
    let answer = assert_is(&facts, Cause::NeverAskedFor, &["belvo-ingest backfill"]);
    assert_eq!(answer.next.len(), 1, "it cannot be collected");
}

#[test]
fn a_link_without_a_request_was_never_asked_for() {
    assert_is(
        &bare(),
        Cause::NeverAskedFor,
        &["there is no request", "belvo-ingest collect"],
    );
}

#[test]
fn a_request_about_the_day_that_has_not_ended_may_still_bring_it() {
    let mut facts = facts();
    let open = json!({"id": "open", "date_from": "2026-01-10", "date_to": "2026-01-20",
        "due_at": "2026-03-01T00:30:00.000Z"});
    facts.requests.insert(0, request(&open));
    let shown = [
        "issued",
        "by the request open",
        "checked",
        "belvo-ingest tail open",
    ];
    assert_is(&facts, Cause::UnderWay, &shown);
}

#[test]
fn a_request_about_other_days_brings_nothing() {
    let mut facts = facts();
    let open = json!({"id": "open", "date_from": "2026-02-10", "date_to": "2026-02-20"});
    facts.requests.insert(0, request(&open));
    assert_is(&facts, Cause::NotAtBelvo, &[]);
}

#[test]
fn a_retrieval_whose_answer_was_lost_may_still_bring_it() {
    let mut facts = bare();
    facts.unconfirmed = vec![
        serde_json::from_value(json!({"resource": "transactions",
        "date_from": "2026-01-01", "date_to": "2026-01-31", "since": "2026-03-01T00:00:00.000Z",
        "status": "unknown", "until": "2026-03-01T00:30:00.000Z"}))
        .unwrap(),
    ];
    assert_is(&facts, Cause::UnderWay, &["whose answer was lost"]);
}

#[test]
fn a_short_reading_shows_what_belvo_counts() {
    let mut facts = facts();
    let short = json!({"status": "short", "verdict": "short by 3", "due_at":
        "2026-03-02T00:00:00.000Z", "compared": [{"what": "rows_of_pages", "belvo": 40,
        "ours": 37, "verdict": "short by 3"}]});
    facts.requests = vec![collected(&short)];
    let shown = [
        "rows_of_pages: Belvo 40, here 37",
        "fetched again by itself",
    ];
    assert_is(&facts, Cause::Short, &shown);
}

#[test]
fn a_short_reading_that_a_complete_one_followed_explains_nothing() {
    let mut facts = facts();
    let short = json!({"id": "short", "status": "incomplete", "verdict": "short by 3"});
    let mut short = collected(&short);
    short.collection.as_mut().unwrap().finished_at =
        Timestamp::parse("2026-01-20T00:00:00Z").unwrap();
    facts.requests.push(short);
    assert_is(&facts, Cause::NotAtBelvo, &["complete"]);
}

#[test]
fn a_blocked_link_that_was_not_read_since_shows_the_remedy() {
    let mut facts = bare();
    facts.record = Some(link(&json!({"blocked": {"reason": "token_required",
        "since": "2026-01-10T00:00:00.000Z", "remedy": "Let the user log in again."}})));
    let shown = ["token_required", "2026-01-10", "Let the user log in again."];
    assert_is(&facts, Cause::Blocked, &shown);
}

#[test]
fn a_request_that_failed_explains_a_day_that_no_other_reading_had() {
    let mut facts = bare();
    let failed = json!({"date_from": "2026-01-01", "date_to": "2026-01-31", "status": "failed",
        "failed_at": "2026-02-01T00:00:00.000Z",
        "failure": {"code": "login_error", "message": "wrong"}});
    facts.requests = vec![request(&failed)];
    assert_is(
        &facts,
        Cause::Failed,
        &["login_error: wrong", "belvo-ingest backfill"],
    );
}

#[test]
fn what_kept_a_day_from_being_read_again_explains_it_better_than_an_older_reading() {
    let mut facts = facts();
    let failed = |at: &str| {
        request(
            &json!({"id": "late", "date_from": "2026-01-01", "date_to": "2026-01-31",
            "status": "failed", "failed_at": at,
            "failure": {"code": "login_error", "message": "wrong"}}),
        )
    };
    facts.requests.push(failed("2026-01-20T00:00:00.000Z"));
    assert_is(&facts, Cause::NotAtBelvo, &[]);
    facts.requests.pop();
    facts.requests.insert(0, failed("2026-02-09T00:00:00.000Z"));
    assert_is(&facts, Cause::Failed, &["login_error: wrong", "late"]);
    facts.requests.remove(0);
    let expired = |issued_at: &str| {
        request(
            &json!({"id": "late", "date_from": "2026-01-01", "date_to": "2026-01-31",
            "status": "expired", "issued_at": issued_at,
            "expired_at": "2026-02-09T00:00:00.000Z"}),
        )
    };
    // What has expired was answered by the reading if that came after it was sent.
    facts
        .requests
        .insert(0, expired("2026-01-31T00:00:00.000Z"));
    assert_is(&facts, Cause::NotAtBelvo, &[]);
    facts.requests[0] = expired("2026-02-08T00:00:00.000Z");
    assert_is(&facts, Cause::Failed, &["no webhook came"]);
    facts.requests.remove(0);
    let blocked = |since: &str| {
        link(&json!({"blocked": {"reason": "token_required", "since": since, "remedy": "r"}}))
    };
    facts.record = Some(blocked("2026-01-20T00:00:00.000Z"));
    assert_is(&facts, Cause::NotAtBelvo, &[]);
    facts.record = Some(blocked("2026-02-09T00:00:00.000Z"));
    assert_is(&facts, Cause::Blocked, &["token_required"]);
}

#[test]
fn a_day_that_was_in_no_window_is_outside_every_window() {
    let mut facts = facts();
    facts.day = Some(date!(2025 - 11 - 15));
    let shown = [
        "asked for 2026-01-01 to 2026-01-31",
        "--from 2025-11-15 --to 2025-11-15",
    ];
    assert_is(&facts, Cause::OutsideEveryWindow, &shown);
}

#[test]
fn a_day_that_came_after_the_last_reading_is_outside_every_window() {
    let mut facts = bare();
    facts.record = Some(link(&json!({"collected": {"transactions": {
        "at": "2026-01-10T00:00:00.000Z", "verdict": "complete", "rows": 4, "added": 4,
        "modified": 0, "removed": 0}}})));
    assert_is(
        &facts,
        Cause::OutsideEveryWindow,
        &["last read: all days", "2026-01-10"],
    );
    facts.day = Some(date!(2026 - 01 - 09));
    assert_is(&facts, Cause::NotAtBelvo, &["read all days: complete"]);
}

#[test]
fn a_day_that_was_read_whole_and_has_no_row_was_not_at_belvo() {
    let shown = [
        "read 2026-01-01 to 2026-01-31: complete",
        "belvo-ingest backfill",
    ];
    assert_is(&facts(), Cause::NotAtBelvo, &shown);
}
