//! Whether the peers do what our functions do, as far as they are compared. Nobody's speed counts
//! before.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    aws::AUTHORIZATION,
    events,
    function::Function,
    program::{Maker, Programs},
    world::World,
};

/// Rows of the listing that is compared: more than one page, not the end of one.
const ROWS: usize = 1_250;

/// Compares the functions of these makers with ours.
pub(crate) async fn check(
    programs: &Programs,
    world: &World,
    makers: &[Maker],
) -> anyhow::Result<()> {
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
        for (key, item) in &ours {
            ensure!(
                theirs.get(key) == Some(item),
                "{name} stored {:?} instead of {item}",
                theirs.get(key)
            );
        }
        ensure!(
            theirs.len() == ours.len(),
            "{name} stored {} items instead of {}",
            theirs.len(),
            ours.len()
        );
        eprintln!(
            "  {name}: takes and refuses webhooks as ours, asks Belvo as ours, stores {} equal items",
            ours.len()
        );
    }
    Ok(())
}

/// Authenticated and valid webhooks go into the queue, in an envelope that `collect` reads; others
/// are refused.
async fn takes_webhooks(programs: &Programs, world: &World, maker: Maker) -> anyhow::Result<()> {
    let mut function =
        Function::start(&programs.function(maker, "webhook"), &world.environment()).await?;
    let link = "57a2fbe1-84ac-4ebd-9893-7dd181a3caec";
    let webhook = events::webhook(link);
    let without_link = {
        let mut webhook = webhook.clone();
        webhook
            .as_object_mut()
            .context("an object")?
            .remove("link_id");
        webhook.to_string()
    };
    let good = webhook.to_string();
    for (body, authorization, status) in [
        (good.as_str(), "Bearer of something else", 401),
        (good.as_str(), "", 401),
        ("{", AUTHORIZATION, 400),
        (without_link.as_str(), AUTHORIZATION, 400),
        (good.as_str(), AUTHORIZATION, 202),
    ] {
        let answer = function
            .invoke(events::delivery(body, authorization))
            .await?
            .answer;
        ensure!(
            answer["statusCode"] == status,
            "{answer} instead of {status}"
        );
        ensure!(
            (status == 202) == world.aws.last_message().is_some(),
            "only what is acknowledged is in the queue"
        );
    }
    let message = world.aws.take_message().context("a message")?;
    ensure!(
        message["MessageGroupId"] == link && message["MessageDeduplicationId"].is_string(),
        "{message}"
    );
    let envelope: Value =
        serde_json::from_str(message["MessageBody"].as_str().unwrap_or_default())?;
    ensure!(
        envelope["kind"] == "webhook" && envelope["task"]["webhook"] == webhook,
        "{envelope}"
    );
    for name in ["delivery_id", "correlation_id", "received_at"] {
        ensure!(envelope["task"][name].is_string(), "{name} of {envelope}");
    }
    function.stop().await
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
) -> anyhow::Result<BTreeMap<String, Value>> {
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
        let fields = item.as_object_mut().context("an item")?;
        // When, and by which of the requests, differs; the fingerprint is for the comparison that
        // only ours makes.
        for own in ["_stored_at", "_request", "_digest"] {
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
