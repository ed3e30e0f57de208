//! What a refresh costs because somebody may follow its link, and what it costs to follow it.

use std::time::Duration;

use domain::Limits;
use function_processes::events;
use serde_json::Value;

use crate::{
    aws::Asked,
    budget::{self, Budget, ROWS},
    collections::{NEW_ROWS, Step},
    world::World,
};

#[tokio::test]
async fn a_follower_asks_for_no_more_than_is_committed() {
    let world = World::plain().await.unwrap();
    let (collect, link) = (
        budget::collect(&world),
        world.belvo.link(ROWS).await.unwrap(),
    );
    collect.belvo.warm_up().await;
    let query = query::App {
        control: collect.control.clone(),
        transactions: collect.transactions.clone(),
        limits: Limits { long: 8, short: 8 },
    };
    happen(&world, &collect, Step::First, &link).await;
    let changes = follow(&query, "/links/{link}/changes", &link).await;
    let news = follow(&query, "/changes", "").await;

    let asked = happen(&world, &collect, Step::Refresh, &link).await;
    let bound = Budget::committed().followers;
    let of_the_log = asked.write_units_of_logs;
    assert!(of_the_log > 0.0, "the log is not written");
    assert!(of_the_log <= bound.write_units_of_the_log, "{of_the_log}");
    let of_the_news = asked.written("by_news");
    assert!(
        of_the_news <= bound.write_units_of_the_news,
        "{of_the_news}"
    );

    world.aws.take_asked();
    let answer = ask(&query, "/links/{link}/changes", &link, &changes).await;
    assert_eq!(
        answer["added"].as_array().unwrap().len(),
        NEW_ROWS,
        "{answer}"
    );
    let read = world.aws.take_asked().read();
    assert!(read <= bound.read_units_of_the_changes, "{read}");
    let answer = ask(&query, "/changes", "", &news).await;
    let links = answer["links"].as_array().unwrap();
    assert_eq!(links.len(), 1, "{answer}");
    let read = world.aws.take_asked().read();
    assert!(read <= bound.read_units_of_no_news, "{read}");
}

/// Lets a step of a link's life happen and be collected, and returns what that asked for.
async fn happen(world: &World, collect: &collect::App, step: Step, link: &str) -> Asked {
    let event = step.happen(world, link, ROWS).await.unwrap();
    world.aws.take_asked();
    let event = serde_json::from_slice(&event).unwrap();
    let response = collect::handle(collect, event, Duration::from_mins(5)).await;
    assert!(response.batch_item_failures.is_empty(), "{step:?}");
    world.aws.take_asked()
}

/// Asks until there is nothing more, and returns the cursor.
async fn follow(query: &query::App, route: &str, link: &str) -> String {
    let mut cursor = String::new();
    loop {
        let answer = ask(query, route, link, &cursor).await;
        answer["next_cursor"]
            .as_str()
            .unwrap()
            .clone_into(&mut cursor);
        if answer["has_more"] == false {
            return cursor;
        }
    }
}

async fn ask(query: &query::App, route: &str, link: &str, cursor: &str) -> Value {
    let event = events::get(route, link, cursor).to_string();
    let answer = query::handle(query, lambda_http::request::from_str(&event).unwrap()).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(answer.body().as_ref()).unwrap()
}
