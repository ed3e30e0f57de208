//! The shared pace of requests to Belvo.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use domain::{Spacing, Timestamp};
use futures::future::join_all;
use shared::{
    aws::SdkConfig,
    store::{Admission, Control, Pace},
};
use test_harness::Stack;

use crate::databases::{Tables, both};

/// As shipped: six at once, and one every 2,143 ms.
const CALLS: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(5);
const SPAN_MS: u64 = 30_000;

fn start() -> Timestamp {
    Timestamp::parse("2026-03-15T00:00:00Z").unwrap()
}

fn after_ms(at: Timestamp, millis: u64) -> Timestamp {
    Timestamp::of_unix_millis(at.unix_millis() + i64::try_from(millis).unwrap()).unwrap()
}

/// The pace of a table that no other test has, and no function.
async fn own_pace(tables: &Tables) -> Pace {
    let name = format!("pace-{}", uuid::Uuid::new_v4());
    let attribute = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash);
    let table = tables
        .client
        .create_table()
        .table_name(&name)
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest);
    table.send().await.unwrap();
    let aws: SdkConfig = Stack::of_this_run().aws_at(&tables.endpoint);
    Control::open(&aws, name).pace
}

async fn admit(pace: &Pace, at: Timestamp) -> Admission {
    let spacing = Spacing::per_30_s(CALLS);
    pace.admit(spacing, PATIENCE, at).await.unwrap()
}

/// How long each of those waits that were admitted.
fn waits(admissions: &[Admission]) -> Vec<u64> {
    let mut waits: Vec<_> = admissions
        .iter()
        .filter_map(|admission| match admission {
            Admission::After(wait) => Some(u64::try_from(wait.as_millis()).unwrap()),
            Admission::Refused { .. } => None,
        })
        .collect();
    waits.sort_unstable();
    waits
}

#[tokio::test]
async fn of_many_at_once_a_third_goes_and_some_wait_and_the_others_are_told_when() {
    for tables in both().await {
        let pace = own_pace(&tables).await;
        let admissions = join_all((0..20).map(|_| admit(&pace, start())));
        let admissions = admissions.await;

        assert_eq!(
            waits(&admissions),
            [0, 0, 0, 0, 0, 0, 2_143, 4_286],
            "{}",
            tables.name
        );
        let retry_after = Duration::from_millis(3 * 2_143);
        let refused = Admission::Refused { retry_after };
        let refused = admissions.iter().filter(|one| **one == refused).count();
        assert_eq!(refused, 12);

        let later = after_ms(start(), 3 * 2_143);
        let at_once = Admission::After(Duration::ZERO);
        assert_eq!(admit(&pace, later).await, at_once);
    }
}

#[tokio::test]
async fn no_30_seconds_hold_more_than_the_share_however_many_share_it() {
    for tables in both().await {
        let pace = own_pace(&tables).await;
        let mut sent = Vec::new();
        for tick in 0..45 {
            let now = tick * 2_000;
            let at = after_ms(start(), now);
            let admissions = join_all((0..4).map(|_| admit(&pace, at))).await;
            sent.extend(waits(&admissions).iter().map(|wait| now + wait));
        }
        sent.sort_unstable();
        for (first, from) in sent.iter().enumerate() {
            let later = sent[first..].iter();
            let within = later.take_while(|at| **at < from + SPAN_MS).count();
            assert!(within <= CALLS as usize, "{}: {within}", tables.name);
        }
        assert!(sent.len() >= 40, "{}: {}", tables.name, sent.len());
    }
}

#[tokio::test]
async fn what_was_sent_long_ago_delays_nothing() {
    for tables in both().await {
        let pace = own_pace(&tables).await;
        for day in 0..3 {
            let at = start().plus_seconds(day * 24 * 60 * 60);
            let admissions = join_all((0..6).map(|_| admit(&pace, at))).await;
            assert_eq!(waits(&admissions), [0; 6], "{}", tables.name);
        }
    }
}
