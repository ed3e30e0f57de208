//! What a refresh costs because somebody may follow its link, and what it costs to follow it.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Limits;
use serde::Deserialize;
use serde_json::Value;
use shared::aws::SdkConfig;

use crate::{
    aws::Asked,
    budget::{self, Budget, ROWS},
    collections::{NEW_ROWS, Step},
    events,
    world::World,
};

/// The most of a refresh that a service learns of by following all links.
#[derive(Deserialize)]
pub(crate) struct Bound {
    /// Of the link's change log.
    write_units_of_the_log: f64,
    /// Of the index of news.
    write_units_of_the_news: f64,
    /// Of reading the link's changes.
    read_units_of_the_changes: f64,
    /// Of asking for news when there are none.
    read_units_of_no_news: f64,
}

#[tokio::test]
async fn a_follower_asks_for_no_more_than_is_committed() {
    let world = World::plain().await.unwrap();
    let (collect, link) = (
        budget::collect(&world),
        world.belvo.link(ROWS).await.unwrap(),
    );
    collect.belvo.warm_up().await;
    let aws = budget::aws(&world);
    let query = query::App {
        control: collect.control.clone(),
        transactions: collect.transactions.clone(),
        limits: Limits { long: 8, short: 8 },
    };
    happen(&world, &collect, Step::First, &link).await;
    let (changes, _) = follow(&query, "/links/{link}/changes", &link).await;
    let (news, _) = follow(&query, "/changes", "").await;
    let log_before = log(&aws, &world, &link).await;

    let (asked, bound) = (
        happen(&world, &collect, Step::Refresh, &link).await,
        Budget::committed(),
    );
    let bound = bound.followers;
    let entries = log(&aws, &world, &link).await - log_before;
    // Each entry, which is small, and the head before and after its rows.
    let of_the_log = f64::from(u32::try_from(3 * entries).unwrap());
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
    let told = answer["links"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{answer}");
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

/// Asks until there is nothing more, and returns the cursor and the last answer.
async fn follow(query: &query::App, route: &str, link: &str) -> (String, Value) {
    let mut cursor = String::new();
    loop {
        let answer = ask(query, route, link, &cursor).await;
        answer["next_cursor"]
            .as_str()
            .unwrap()
            .clone_into(&mut cursor);
        if answer["has_more"] == false {
            return (cursor, answer);
        }
    }
}

async fn ask(query: &query::App, route: &str, link: &str, cursor: &str) -> Value {
    let event = events::get(route, link, cursor).to_string();
    let answer = query::handle(query, lambda_http::request::from_str(&event).unwrap()).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(answer.body().as_ref()).unwrap()
}

/// The entries of a link's change log, each of which takes one write unit but for that of the first
/// collection.
async fn log(aws: &SdkConfig, world: &World, link: &str) -> usize {
    let entries = aws_sdk_dynamodb::Client::new(aws)
        .query()
        .table_name(&world.aws.transactions_table)
        .key_condition_expression("#link = :link AND begins_with(#item, :entry)")
        .expression_attribute_names("#link", "_link")
        .expression_attribute_names("#item", "_item")
        .expression_attribute_values(":link", AttributeValue::S(link.to_owned()))
        .expression_attribute_values(":entry", AttributeValue::S("C#".to_owned()))
        .send()
        .await
        .unwrap();
    entries.items().len()
}
