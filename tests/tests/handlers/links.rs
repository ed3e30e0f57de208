//! Links: registered, blocked, unblocked, stale, deleted.

use domain::{BlockReason, LinkFilter, LinkId, LinkRecord, OnDeletion, Timestamp};
use lambda_http::http::Method;
use serde_json::json;

use crate::{
    service::{LIMITS, Service, event},
    surroundings::kind,
    worker::webhook,
};

#[tokio::test]
async fn a_link_is_registered_only_under_the_external_id_that_belvo_has() {
    let service = Service::new().await;
    let link = service.connect("mine").await;

    let (status, problem) = service.register(&link, "theirs").await;
    assert_eq!(
        (status, problem["field"].as_str()),
        (422, Some("external_id"))
    );
    let unknown = service
        .register(&uuid::Uuid::new_v4().to_string(), "mine")
        .await;
    assert_eq!(
        unknown.1["detail"], problem["detail"],
        "a caller cannot probe which links exist"
    );

    let (status, view) = service.register(&link, "mine").await;
    assert_eq!(
        (status, &view["link"], &view["status"]),
        (201, &json!(link), &json!("valid"))
    );
    assert_eq!(
        service.register(&link, "mine").await.0,
        200,
        "the callback may come twice"
    );
    let (links, next) = service
        .request
        .control
        .links
        .registered(&LinkFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!((links.len(), next), (1, None));
}

#[tokio::test]
async fn the_initial_retrieval_of_a_link_is_counted_once() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.register(&link, "mine").await;
    let holder = service.record(&link).await.quota_holder();
    let quotas = service
        .request
        .control
        .quotas
        .left(&holder, LIMITS, Timestamp::now())
        .await
        .unwrap();
    assert_eq!(
        quotas.iter().map(|quota| quota.used).collect::<Vec<_>>(),
        [1, 0]
    );
}

#[tokio::test]
async fn links_of_one_customer_share_their_retrievals() {
    let service = Service::new().await;
    let first = service.registered().await;
    let sandbox = &service.worker.here.sandbox;
    let second = sandbox.reconnect(&first).await.unwrap();
    let second = second.as_str();
    assert_eq!(service.register(second, "mine").await.0, 201);
    for (day, link) in [
        (1, first.as_str()),
        (2, second),
        (3, &first),
        (4, second),
        (5, &first),
        (6, second),
    ] {
        let date_to = format!("2026-01-{day:02}");
        let body = json!({"link": link, "date_from": "2026-01-01", "date_to": date_to});
        assert_eq!(
            service
                .call(Method::POST, "/requests", "", "", body)
                .await
                .0,
            202
        );
    }
    let (status, problem) = service.retrieve(&first).await;
    assert_eq!(
        (status, &problem["quota"]["left"], &problem["quota"]["used"]),
        (429, &json!(0), &json!(8))
    );
}

#[tokio::test]
async fn a_blocked_link_sends_no_retrieval_and_names_the_remedy() {
    let service = Service::new().await;
    let cases = [
        ("LINK", "invalid_credentials", "invalid_credentials"),
        ("LINK", "token_required", "token_required"),
    ];
    for (webhook_type, code, reason) in cases {
        let link = service.registered().await;
        service.process(event(&link, webhook_type, code)).await;

        let (status, problem) = service.retrieve(&link).await;

        assert_eq!(
            (status, problem["blocked"]["reason"].as_str()),
            (409, Some(reason)),
            "{problem}"
        );
        assert!(
            problem["blocked"]["remedy"]
                .as_str()
                .unwrap()
                .contains("/connect/token"),
            "{problem}"
        );
    }
    assert_eq!(service.posts().await, 0);
}

#[tokio::test]
async fn a_link_repaired_by_its_user_is_unblocked() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(event(&link, "LINK", "invalid_credentials"))
        .await;
    assert_eq!(service.retrieve(&link).await.0, 409);

    let (status, view) = service.register(&link, "mine").await;

    assert_eq!((status, view.get("blocked")), (200, None));
    assert_eq!(service.retrieve(&link).await.0, 202);
}

#[tokio::test]
async fn rows_unblock_a_link_that_belvo_calls_valid() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(event(&link, "LINK", "token_required"))
        .await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    assert_eq!(service.record(&link).await.block(), None);
    assert_eq!(service.rows(&link).await, 40);
}

#[tokio::test]
async fn a_refusal_about_the_link_blocks_further_retrievals() {
    let service = Service::new().await;
    let link = service.connect("mine").await;
    let refusal = json!({"on": "post", "times": 1, "action": {"error": {"code": "invalid_link"}}});
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    assert_eq!(service.retrieve(&link).await.0, 422);
    assert_eq!(
        service.retrieve(&link).await.1["blocked"]["reason"],
        "invalid_credentials"
    );
    assert_eq!(service.posts().await, 1);
}

#[tokio::test]
async fn a_failed_retrieval_whose_webhook_blames_the_link_blocks_it() {
    let service = Service::new().await;
    let link = service.registered().await;
    let mut failed = webhook(
        &link,
        "historical_update",
        Some("b5d0106ac9cc43d5b36199fe831f6bbf"),
    );
    failed["data"] = json!({"errors": [{"code": "token_required", "message": "m"}]});
    service.process(failed).await;
    assert_eq!(
        service.record(&link).await.block().unwrap().reason,
        BlockReason::TokenRequired
    );
}

#[tokio::test]
async fn a_stale_link_is_checked_after_two_refresh_periods() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.stale_for(&link, 47).await;
    service.worker.sweep().await;
    assert!(service.worker.waiting().await.is_empty());

    service.stale_for(&link, 49).await;
    service.worker.sweep().await;
    service.worker.process_everything().await;

    assert_eq!(
        service.rows(&link).await,
        40,
        "rows without a webhook are collected"
    );
    assert_eq!(service.posts().await, 0, "and cost no retrieval");
    service.worker.sweep().await;
    assert!(
        service.worker.waiting().await.is_empty(),
        "it is not checked again at once"
    );
}

#[tokio::test]
async fn a_stale_link_that_belvo_calls_invalid_is_blocked() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .worker
        .here
        .sandbox
        .patch_link(&link, json!({"status": "invalid"}))
        .await
        .unwrap();
    service.stale_for(&link, 49).await;
    service.worker.sweep().await;
    service.worker.process_everything().await;
    assert_eq!(
        service.record(&link).await.block().unwrap().reason,
        BlockReason::InvalidCredentials
    );
}

#[tokio::test]
async fn a_link_that_was_seen_recently_is_not_stale() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.stale_for(&link, 49).await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    service.worker.sweep().await;
    assert!(service.worker.waiting().await.is_empty());
}

#[tokio::test]
async fn a_deletion_must_say_what_becomes_of_the_rows() {
    let service = Service::new().await;
    let link = service.registered().await;
    for query in ["", "rows=burn"] {
        let (status, problem) = service.delete(&link, query).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some("rows")));
    }
    assert_eq!(service.record(&link).await.deletion, None);
}

#[tokio::test]
async fn rows_are_erased_or_kept_once_belvo_confirms_the_deletion() {
    for (query, left) in [("rows=erase", 0), ("rows=keep", 40)] {
        let service = Service::new().await;
        let link = service.registered().await;
        let other = service.registered().await;
        for link in [&link, &other] {
            service
                .process(webhook(link, "historical_update", None))
                .await;
        }

        let (status, answer) = service.delete(&link, query).await;
        assert_eq!(
            (status, answer["status"].as_str()),
            (202, Some("deleting")),
            "{answer}"
        );
        assert_eq!(
            service.retrieve(&link).await.1["blocked"]["reason"],
            "deleting"
        );
        assert_eq!(service.rows(&link).await, 40, "Belvo has not confirmed it");

        service.worker.here.until_gone(&link).await;
        service.process(event(&link, "LINK", "link_deleted")).await;

        let record = service.record(&link).await;
        assert_eq!(
            (service.rows(&link).await, record.is_deleted()),
            (left, true),
            "{query}"
        );
        assert_eq!(
            record.connection.external_id.is_none(),
            left == 0,
            "the user's identity is erased with the rows"
        );
        assert_eq!(service.rows(&other).await, 40);
        assert_eq!(
            service.retrieve(&link).await.1["blocked"]["reason"],
            "deleted"
        );
    }
}

#[tokio::test]
async fn a_forged_link_deleted_webhook_erases_nothing() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    let requested =
        |known: LinkRecord| known.deletion_requested(OnDeletion::Erase, Timestamp::now());
    service
        .request
        .control
        .links
        .change(&LinkId::parse(&link).unwrap(), requested)
        .await
        .unwrap();
    service.process(event(&link, "LINK", "link_deleted")).await;
    let record = service.record(&link).await;
    assert_eq!(
        (service.rows(&link).await, record.is_deleted()),
        (40, false)
    );
}

#[tokio::test]
async fn a_deletion_whose_webhook_is_lost_is_finished_by_a_sweep() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    let id = LinkId::parse(&link).unwrap();
    let an_hour_ago = |mut known: LinkRecord| {
        known.deletion.as_mut().unwrap().requested_at = Some(Timestamp::now().plus_seconds(-3_600));
        known
    };
    service
        .request
        .control
        .links
        .change(&id, an_hour_ago)
        .await
        .unwrap();

    service.worker.sweep().await;
    service.worker.process_everything().await;

    assert_eq!(service.rows(&link).await, 0);
    assert!(
        service
            .record(&link)
            .await
            .deletion
            .unwrap()
            .erased_at
            .is_some()
    );
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_finished_by_a_sweep() {
    let service = Service::new().await;
    let link = service.registered().await;
    let rows = webhook(&link, "historical_update", None);
    service.process(rows).await;
    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    // The link was found gone, and then the process ended before it erased the rows.
    let an_hour_ago = Timestamp::now().plus_seconds(-3_600);
    let interrupted = |known: LinkRecord| {
        let mut known = known.deleted(an_hour_ago);
        known.deletion.as_mut().unwrap().requested_at = Some(an_hour_ago);
        known
    };
    let (id, links) = (
        LinkId::parse(&link).unwrap(),
        &service.request.control.links,
    );
    links.change(&id, interrupted).await.unwrap();

    service.worker.sweep().await;
    service.worker.process_everything().await;

    assert_eq!(service.rows(&link).await, 0);
}

#[tokio::test]
async fn rows_that_were_kept_can_be_erased_later() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    service.delete(&link, "rows=keep").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;
    assert_eq!(service.delete(&link, "rows=erase").await.0, 202);
    service.worker.process_everything().await;
    assert_eq!(service.rows(&link).await, 0);
}

#[tokio::test]
async fn a_deletion_that_belvo_refuses_leaves_the_link_as_it_was() {
    let service = Service::new().await;
    let link = service.registered().await;
    let refusal = json!({
        "on": "links",
        "times": 1,
        "action": {"error": {"code": "permission_denied", "status": 403}},
    });
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    assert_eq!(service.delete(&link, "rows=erase").await.0, 503);
    assert_eq!(service.record(&link).await.deletion, None);
    assert_eq!(service.retrieve(&link).await.0, 202);
}

#[tokio::test]
async fn a_webhook_that_arrives_after_its_link_was_deleted_stores_nothing() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;
    let gets = service.worker.here.sandbox.counters().await.unwrap()["gets"].clone();
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    assert_eq!(
        (
            service.rows(&link).await,
            &service.worker.here.sandbox.counters().await.unwrap()["gets"]
        ),
        (0, &gets)
    );
}

#[tokio::test]
async fn a_webhook_about_the_accounts_of_a_deleted_link_stores_nothing() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;

    service
        .process(event(&link, "ACCOUNTS", "historical_update"))
        .await;

    let counters = service.worker.here.sandbox.counters().await.unwrap();
    assert_eq!(
        (service.items_about(&link).await, &counters["account_gets"]),
        (0, &json!(0))
    );
    assert!(service.worker.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_request_fails_when_its_link_is_deleted() {
    let service = Service::new().await;
    let link = service.registered().await;
    let id = uuid::Uuid::new_v4().simple().to_string();
    service.worker.issue(&link, &id, 3_600).await;
    service.delete(&link, "rows=keep").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;

    service.worker.sweep().await;
    service.worker.process_everything().await;

    assert_eq!(
        service.worker.record(&id).await.failure.unwrap().code,
        "link_deleted"
    );
}

#[tokio::test]
async fn a_deletion_that_never_reached_belvo_is_repeated_by_a_sweep() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    let lost = json!({"on": "links", "times": 1, "action": {"disconnect": true}});
    service.worker.here.sandbox.rule(lost).await.unwrap();
    assert_eq!(service.delete(&link, "rows=erase").await.0, 503);
    let an_hour_ago = |mut known: LinkRecord| {
        known.deletion.as_mut().unwrap().requested_at = Some(Timestamp::now().plus_seconds(-3_600));
        known
    };
    let id = LinkId::parse(&link).unwrap();
    service
        .request
        .control
        .links
        .change(&id, an_hour_ago)
        .await
        .unwrap();

    service.worker.sweep().await;
    service.worker.process_everything().await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;

    assert_eq!(service.rows(&link).await, 0);
}

#[tokio::test]
async fn a_refused_second_deletion_does_not_change_the_first_intent() {
    let service = Service::new().await;
    let link = service.registered().await;
    let lost = json!({"on": "links", "times": 1, "action": {"disconnect": true, "after": true}});
    service.worker.here.sandbox.rule(lost).await.unwrap();
    service.delete(&link, "rows=erase").await;
    let refusal = json!({
        "on": "links",
        "times": 1,
        "action": {"error": {"code": "permission_denied", "status": 403}},
    });
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    service.delete(&link, "rows=keep").await;
    assert_eq!(
        service.record(&link).await.deletion.unwrap().rows,
        OnDeletion::Erase
    );
}

#[tokio::test]
async fn a_link_wrongly_marked_deleted_is_restored_by_its_webhook() {
    let service = Service::new().await;
    let link = service.registered().await;
    let gone = |known: LinkRecord| known.deleted(Timestamp::now());
    service
        .request
        .control
        .links
        .change(&LinkId::parse(&link).unwrap(), gone)
        .await
        .unwrap();
    assert_eq!(
        service.retrieve(&link).await.1["blocked"]["reason"],
        "deleted"
    );

    service
        .process(webhook(&link, "historical_update", None))
        .await;

    assert_eq!(
        (
            service.record(&link).await.block(),
            service.rows(&link).await
        ),
        (None, 40)
    );
}

#[tokio::test]
async fn a_webhook_does_not_touch_another_links_request() {
    let service = Service::new().await;
    let (ours, theirs) = (service.registered().await, service.registered().await);
    let id = uuid::Uuid::new_v4().simple().to_string();
    service.worker.issue(&ours, &id, 10).await;
    let mut failed = webhook(&theirs, "historical_update", Some(&id));
    failed["data"] = json!({"error_code": "login_error", "error_message": "no"});
    service.process(failed).await;
    service
        .process(webhook(&theirs, "historical_update", Some(&id)))
        .await;
    let record = service.worker.record(&id).await;
    assert_eq!(
        (record.status(), record.facts().notified_at),
        (domain::Status::Issued, None)
    );
    assert_eq!(
        service.rows(&theirs).await,
        40,
        "its rows are fetched anyway"
    );
}

#[tokio::test]
async fn all_data_of_a_person_is_erased() {
    let service = Service::new().await;
    let link = service.registered().await;
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    let row = service
        .worker
        .here
        .sandbox
        .rows(&link)
        .await
        .unwrap()
        .remove(0);
    let fields = json!({"description": "another one"});
    service
        .worker
        .here
        .sandbox
        .patch_row(&link, row["id"].as_str().unwrap(), fields)
        .await
        .unwrap();
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    assert!(
        service.items_about(&link).await > 40,
        "rows, a version, accounts, balances, holders"
    );

    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;

    assert_eq!(service.items_about(&link).await, 0);
}

#[tokio::test]
async fn rows_queued_in_the_batch_that_deletes_their_link_are_not_stored() {
    let service = Service::new().await;
    let link = service.registered().await;
    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    let (rows, end) = (
        webhook(&link, "historical_update", None),
        event(&link, "LINK", "link_deleted"),
    );
    service.worker.enqueue(&rows).await;
    service.process(end).await;
    assert_eq!(service.items_about(&link).await, 0);
    assert_eq!(
        service.worker.here.sandbox.counters().await.unwrap()["gets"],
        0,
        "nothing was fetched"
    );
}

#[tokio::test]
async fn a_refused_widget_token_does_not_echo_the_users_identity() {
    let service = Service::new().await;
    let message = "52998224725 is not valid";
    let refusal = json!({
        "on": "token",
        "action": {"error": {"code": "validation_error", "message": message}},
    });
    service.worker.here.sandbox.rule(refusal).await.unwrap();
    let body = json!({
        "identification": {"type": "CPF", "number": "52998224725", "name": "Planted Name"},
        "callback_urls": {"success": "app://s", "exit": "app://e", "event": "app://v"}
    });
    let (status, problem) = service
        .call(Method::POST, "/connect/token", "", "", body)
        .await;
    assert_eq!(
        (status, problem["belvo_code"].as_str()),
        (422, Some("validation_error"))
    );
    assert!(!problem.to_string().contains("52998224725"), "{problem}");
}

#[tokio::test]
async fn a_link_that_nobody_registered_is_touched_only_if_it_is_meant() {
    let service = Service::new().await;
    let link = service.connect("theirs").await;
    let update = |unregistered: Option<&str>| {
        let callbacks = json!({"success": "app://s", "exit": "app://e", "event": "app://v"});
        let body = json!({"link": link, "callback_urls": callbacks, "unregistered": unregistered});
        service.call(Method::POST, "/connect/token", "", "", body)
    };

    for (status, problem) in [
        update(None).await,
        update(Some("refuse")).await,
        service.delete(&link, "rows=erase").await,
    ] {
        assert_eq!((status, kind(&problem)), (404, Some("not-found")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("unregistered set to `allow`"), "{detail}");
    }
    assert_eq!(
        service.worker.here.sandbox.counters().await.unwrap()["tokens"],
        0
    );
    let links = &service.request.control.links;
    let record = links.get(&LinkId::parse(&link).unwrap()).await.unwrap();
    assert_eq!(record, None, "nothing was asked of Belvo");

    let misspelt = service.delete(&link, "rows=erase&unregistered=yes").await;
    assert_eq!(misspelt.1["field"], "unregistered");

    assert_eq!(update(Some("allow")).await.0, 201);
    let meant = service.delete(&link, "rows=erase&unregistered=allow").await;
    assert_eq!(meant.0, 202);
    assert_eq!(
        service.delete(&link, "rows=erase").await.0,
        202,
        "asked for once"
    );
}

#[tokio::test]
async fn a_registered_link_is_repaired_without_more_ado() {
    let service = Service::new().await;
    let link = service.registered().await;
    let callbacks = json!({"success": "app://s", "exit": "app://e", "event": "app://v"});
    let body = json!({"link": link, "callback_urls": callbacks});
    let token = service
        .call(Method::POST, "/connect/token", "", "", body)
        .await;
    assert_eq!((token.0, &token.1["link"]), (201, &json!(link)));
}
