//! Whether the peers do what our functions do, as far as they are compared. Nobody's speed counts
//! before.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use function_processes::{
    Function,
    events::{self, AUTHORIZATION},
};
use serde_json::{Value, json};

use crate::{
    program::{Maker, Programs},
    setup::Setup,
    world::World,
};

/// Rows of the listing that is compared: more than one page, not the end of one.
const ROWS: usize = 1_250;

/// What a collection stored, by sort key.
type Items = BTreeMap<String, Value>;

/// Compares the functions of these makers with ours.
pub(crate) async fn check(setup: Setup<'_>) -> anyhow::Result<()> {
    let Setup {
        programs,
        makers,
        world,
    } = setup;
    let link = world.belvo.link(ROWS).await?;
    let ours = stored(programs, world, Maker::Ours, &link).await?;
    for maker in makers {
        let name = maker.name();
        takes_webhooks(programs, world, *maker)
            .await
            .with_context(|| format!("webhook of {name}"))?;
        asks_for_retrievals(programs, world, *maker)
            .await
            .with_context(|| format!("request of {name}"))?;
        let theirs = stored(programs, world, *maker, &link)
            .await
            .with_context(|| format!("collect of {name}"))?;
        are_equal(&ours, &theirs).with_context(|| format!("items of {name}"))?;

        let items = ours.len();
        eprintln!(
            "  {name}: same answers to webhooks, same requests to Belvo, {items} equal items"
        );
    }
    Ok(())
}

fn are_equal(ours: &Items, theirs: &Items) -> anyhow::Result<()> {
    for (key, item) in ours {
        let stored = theirs.get(key);
        ensure!(stored == Some(item), "{stored:?} instead of {item}");
    }
    let (ours, theirs) = (ours.len(), theirs.len());
    ensure!(theirs == ours, "{theirs} items instead of {ours}");
    Ok(())
}

/// Authenticated and valid webhooks go into the queue, in an envelope that `collect` reads; others
/// are refused.
async fn takes_webhooks(programs: &Programs, world: &World, maker: Maker) -> anyhow::Result<()> {
    let mut function =
        Function::start(&programs.function(maker, "webhook"), &world.environment()).await?;
    let link = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec";
    let webhook = events::webhook(link);
    let mut without_link = webhook.clone();
    let fields = without_link.as_object_mut().context("an object")?;
    fields.remove("link_id");
    let (good, without_link) = (webhook.to_string(), without_link.to_string());

    for (body, authorization, status) in [
        (good.as_str(), "Bearer of something else", 401),
        (good.as_str(), "", 401),
        ("{", AUTHORIZATION, 400),
        (without_link.as_str(), AUTHORIZATION, 400),
        (good.as_str(), AUTHORIZATION, 202),
    ] {
        let delivery = events::delivery(body, authorization);
        let answer = function.invoke(delivery).await?.answer;
        ensure!(answer["statusCode"] == status, "{answer}, not {status}");
        ensure!(
            (status == 202) == world.aws.last_message().is_some(),
            "only what is acknowledged is in the queue"
        );
    }

    let message = world.aws.take_message().context("a message")?;
    is_delivery(&message, link, &webhook)?;
    function.stop().await
}

/// Whether a message of the queue is one that `collect` reads.
fn is_delivery(message: &Value, link: &str, webhook: &Value) -> anyhow::Result<()> {
    ensure!(
        message["MessageGroupId"] == link && message["MessageDeduplicationId"].is_string(),
        "{message}"
    );
    let body = message["MessageBody"].as_str().unwrap_or_default();
    let envelope: Value = serde_json::from_str(body)?;
    let task = &envelope["task"];
    ensure!(
        envelope["kind"] == "webhook" && task["webhook"] == *webhook,
        "{envelope}"
    );
    for name in ["delivery_id", "correlation_id", "received_at"] {
        ensure!(task[name].is_string(), "{name} of {envelope}");
    }
    Ok(())
}

/// A request is one POST to Belvo and one record.
async fn asks_for_retrievals(
    programs: &Programs,
    world: &World,
    maker: Maker,
) -> anyhow::Result<()> {
    let mut function =
        Function::start(&programs.function(maker, "request"), &world.environment()).await?;
    let link = world.belvo.link(1).await?;
    let before = world.belvo.retrievals().await?;
    let answer = function.invoke(events::request(&link)).await?.answer;
    ensure!(answer["statusCode"] == 202, "{answer}");
    ensure!(
        world.belvo.retrievals().await? == before + 1,
        "not one retrieval"
    );
    let answer: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
    let id = answer["request_id"]
        .as_str()
        .context("a request id")?
        .replace('-', "");
    let key = json!({"pk": {"S": format!("request#{id}")}});
    let record = world.aws.item(&world.aws.requests_table, &key)?;
    ensure!(record["link"] == json!({ "S": link }), "{record}");
    function.stop().await
}

/// What a maker's function stores of a link, by key; nothing of it stays.
async fn stored(
    programs: &Programs,
    world: &World,
    maker: Maker,
    link: &str,
) -> anyhow::Result<Items> {
    let mut function =
        Function::start(&programs.function(maker, "collect"), &world.environment()).await?;
    let answer = function.invoke(events::batch(link)).await?.answer;
    ensure!(answer["batchItemFailures"] == json!([]), "{answer}");
    function.stop().await?;
    let mut stored = BTreeMap::new();
    for mut item in world.aws.take_partition(link)? {
        let key = item["_item"]["S"]
            .as_str()
            .context("a sort key")?
            .to_owned();
        // Ours lists rows by items of its own, and the peers by an attribute and an index. Only
        // ours keeps a log of what changes.
        if key.starts_with("I#") || key.starts_with('C') {
            continue;
        }
        let fields = item.as_object_mut().context("an item")?;
        // When, and by which of the requests, differs; the fingerprint is for the comparison that
        // only ours makes.
        for own in ["_stored_at", "_request", "_digest", "_by_date"] {
            fields.remove(own);
        }
        stored.insert(key, plain(item));
    }
    ensure!(stored.len() > ROWS, "{} items", stored.len());
    Ok(stored)
}

/// Numbers as numbers: `1.50` is `1.5`.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| {
                match (
                    name.as_str(),
                    field.as_str().and_then(|text| text.parse::<f64>().ok()),
                ) {
                    ("N", Some(number)) => (name, json!(number.to_string())),
                    _ => (name, plain(field)),
                }
            })
            .collect(),
        Value::Array(elements) => elements.into_iter().map(plain).collect(),
        other => other,
    }
}
