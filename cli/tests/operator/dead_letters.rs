//! Dead letters of three causes, of which one is tried again and one is dropped.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_harness::{Stack, eventually};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::command::{command, json, kill};

/// Held by whoever reads the queue: of two at the same time, each hides letters from the other.
pub(crate) static QUEUE: Mutex<()> = Mutex::const_new(());
/// Links, and the letters of each, which is fewer than the ten that SQS shows of a link.
const LINKS: usize = 125;
const OF_A_LINK: usize = 4;
const CAUSES: usize = 3;

/// Letters by cause, as the ids by which the log knows them.
struct Given {
    run: Uuid,
    ids: [BTreeSet<String>; CAUSES],
}

impl Given {
    async fn up(stack: &Stack) -> Self {
        let mut given = Self {
            run: Uuid::new_v4(),
            ids: Default::default(),
        };
        for link in 0..LINKS {
            let id = Uuid::new_v4().to_string();
            for letter in 0..OF_A_LINK {
                let cause = (link * OF_A_LINK + letter) % CAUSES;
                let request = Uuid::new_v4().simple().to_string();
                stack.dead_letter(&id, &request, &given.cause(cause)).await;
                given.ids[cause].insert(request);
            }
        }
        given
    }

    /// The reason of the letters of a cause, which no other run has.
    fn cause(&self, number: usize) -> String {
        format!("cause {number} of {}", self.run)
    }

    async fn listed(&self, number: usize) -> u64 {
        let list = [
            "dead-letters",
            "list",
            "--reason",
            &self.cause(number),
            "--json",
        ];
        let ended = crate::command::run(&list).await;
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        report["count"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn one_cause_is_tried_again_through_a_crash_and_one_is_dropped_and_the_third_stays() {
    let _alone = QUEUE.lock().await;
    let stack = Stack::of_this_run();
    let given = Given::up(&stack).await;
    let counts = given.ids.clone().map(|ids| ids.len() as u64);

    let dry = [
        "dead-letters",
        "redrive",
        "--reason",
        &given.cause(1),
        "--dry-run",
    ];
    assert_eq!(json(&dry, 0).await["count"], counts[1]);

    redrive_through_a_crash(&stack, &given.cause(1), given.ids[1].len()).await;

    assert_eq!(given.listed(0).await, counts[0], "nothing else has moved");
    assert_eq!(given.listed(1).await, 0);
    assert_eq!(given.listed(2).await, counts[2], "nothing else has moved");
    eventually("all to be processed", || async {
        let processed = processed(&stack, &given.ids[1]).await;
        (processed.len() == given.ids[1].len()).then_some(())
    })
    .await;
    let times = processed(&stack, &given.ids[1]).await;
    assert!(
        times.values().all(|times| *times == 1),
        "none is processed twice: {times:?}"
    );
    for cause in [0, 2] {
        assert!(processed(&stack, &given.ids[cause]).await.is_empty());
    }

    let drop = ["dead-letters", "drop", "--reason", &given.cause(0), "--yes"];
    assert_eq!(json(&drop, 0).await["count"], counts[0]);
    assert_eq!(given.listed(0).await, 0);
    assert_eq!(given.listed(2).await, counts[2]);
    assert!(processed(&stack, &given.ids[0]).await.is_empty());

    show_one(&given.cause(2)).await;
    json(
        &["dead-letters", "drop", "--reason", &given.cause(2), "--yes"],
        0,
    )
    .await;
}

/// Kills the command when it has moved some of the letters, and goes on.
async fn redrive_through_a_crash(stack: &Stack, cause: &str, count: usize) {
    let before = waiting(stack).await;
    let state = tempfile::tempdir().unwrap();
    let arguments = ["dead-letters", "redrive", "--reason", cause, "--yes"];
    let child = command(&arguments, state.path()).spawn().unwrap();
    let moved = eventually("some to be moved", || async {
        let moved = before - waiting(stack).await;
        (moved >= count / 4).then_some(moved)
    })
    .await;
    kill(child).await;
    assert!(moved < count, "it was killed when all had moved");

    let rest = json(&arguments, 0).await["count"].as_u64().unwrap();
    assert!(
        rest > 0 && rest < count as u64,
        "{rest} of {count} were left"
    );
}

/// How many letters there are, also those that a reader has received.
async fn waiting(stack: &Stack) -> usize {
    let query = serde_json::json!({
        "QueueUrl": stack.dead_letter_queue_url,
        "AttributeNames": ["All"],
    });
    let answer = stack
        .local_aws("sqs", "AmazonSQS.GetQueueAttributes", &query)
        .await;
    let number = |name: &str| {
        let number = answer["Attributes"][name].as_str().unwrap();
        number.parse::<usize>().unwrap()
    };
    number("ApproximateNumberOfMessages") + number("ApproximateNumberOfMessagesNotVisible")
}

/// How often each of these was processed.
async fn processed(stack: &Stack, ids: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let logs = stack.function_logs().await;
    let mut times = BTreeMap::new();
    for line in logs
        .lines()
        .filter(|line| line.contains("given_up_by_a_test"))
    {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["fields"]["correlation.id"]
            .as_str()
            .unwrap_or_default();
        if ids.contains(id) {
            *times.entry(id.to_owned()).or_default() += 1;
        }
    }
    times
}

async fn show_one(cause: &str) {
    let list = json(&["dead-letters", "list", "--reason", cause], 3).await;
    let id = list["letters"][0]["id"].as_str().unwrap();
    let shown = json(&["dead-letters", "show", id], 0).await;
    assert_eq!(shown["cause"], cause);
    assert_eq!(shown["body"]["kind"], "webhook");
    let missing = Uuid::new_v4().to_string();
    let ended = crate::command::run(&["dead-letters", "show", &missing]).await;
    assert_eq!(ended.code, 4, "{ended:?}");
}
