//! The dead-letter queue, read without taking anything from it but what is to be taken.
//!
//! It is a FIFO queue with a group for each link: while a message of a group is received, SQS hides
//! the others of the group beyond those that the same call returned, which are ten at most. So
//! messages are received in rounds until none comes any more; the link with which a full round
//! ends is released, to be received once more from its beginning; what is to be taken is taken in
//! the same round, and everything else is released at the end, in whatever way that comes. A
//! process that is killed leaves what it has received hidden until its time is over; whoever reads
//! next waits for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry as Release,
        MessageSystemAttributeName as Attribute, MessageSystemAttributeNameForSends as InSend,
        MessageSystemAttributeValue,
    },
};
use domain::Timestamp;
use futures::future::try_join_all;
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use super::letter::{Filter, Letter};
use crate::{CliError, aws::said, error::OrFail, output::spinner, stack::Stack};

/// The most that one call of SQS takes or gives.
const BATCH: usize = 10;
/// For how long received messages are hidden: a part that does not depend on their number, and how
/// many are usually read in a second. What comes back earlier is received once more.
const HIDDEN_S: u64 = 10;
const READ_PER_SECOND: u64 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const MAY_TAKE: &str = "Use credentials that are allowed sqs:ReceiveMessage, sqs:DeleteMessage, \
                        sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on the dead-letter \
                        queue, and sqs:SendMessage on the queue.";

/// What becomes of the letters that a filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    /// They are looked at.
    Nothing,
    /// They are queued again, and then leave.
    Redrive,
    /// They leave.
    Drop,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Those that the filter took.
    pub(crate) taken: Vec<Letter>,
    /// How many it did not take.
    pub(crate) others: usize,
    /// About how many could not be seen, because those in front of them stay.
    pub(crate) unseen: u64,
}

pub(crate) struct DeadLetterQueue<'a> {
    stack: &'a Stack,
    sqs: Client,
    url: String,
    main_url: String,
    /// The receipt handles of what is received and stays, by link and letter.
    held: BTreeMap<String, BTreeMap<String, String>>,
}

impl<'a> DeadLetterQueue<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Result<Self, CliError> {
        Ok(Self {
            stack,
            sqs: Client::new(&stack.aws),
            url: stack.output("DeadLetterQueueUrl")?,
            main_url: stack.output("QueueUrl")?,
            held: BTreeMap::new(),
        })
    }

    /// Reads all that can be seen, and takes what the filter takes. What stays is visible again
    /// afterwards, also after Ctrl-C.
    pub(crate) async fn read(&mut self, filter: &Filter, taking: Taking) -> Result<Read, CliError> {
        let count = self.until_nobody_reads().await?;
        let progress = spinner(format!("Reading {count} dead letters"));
        let read = tokio::select! {
            read = self.rounds(filter, taking, count) => read,
            _ = ctrl_c() => Err(CliError::usage("interrupted", "Repeat the command to go on.")),
        };
        let released = self.release().await;
        progress.finish_and_clear();
        let read = read?;
        released?;
        Ok(read)
    }

    /// Waits until no other process has received any, which it may have been killed with, and
    /// returns about how many there are.
    async fn until_nobody_reads(&self) -> Result<u64, CliError> {
        let start = Instant::now();
        loop {
            let (visible, received) = self.stack.waiting("DeadLetterQueueUrl").await?;
            let count = visible + received;
            if received == 0 || start.elapsed() > 2 * hidden_for(count) {
                return Ok(count);
            }
            let waiting = spinner(format!("Waiting for {received} that another process reads"));
            sleep(BETWEEN_LOOKS).await;
            waiting.finish_and_clear();
        }
    }

    async fn rounds(
        &mut self,
        filter: &Filter,
        taking: Taking,
        count: u64,
    ) -> Result<Read, CliError> {
        let (mut read, mut seen) = (Read::default(), BTreeSet::new());
        let began = Timestamp::now();
        let mut without_news = 0;
        while without_news < rounds_without_news(count) {
            let letters = self.receive(hidden_for(count)).await?;
            if letters.is_empty() {
                break;
            }
            let is_new = letters.iter().any(|letter| !seen.contains(&letter.id));
            without_news = if is_new { 0 } else { without_news + 1 };
            let cut_off = perhaps_cut_off(&letters).map(str::to_owned);
            // What was queued again may be dead-lettered again: it is not taken twice.
            let is_meant = |letter: &Letter| {
                filter.takes(letter) && letter.dead_since.is_none_or(|at| at <= began)
            };
            let (taken, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(is_meant);
            self.hold(&others);
            self.take(&taken, taking).await?;

            let mut new = |letter: &Letter| seen.insert(letter.id.clone());
            read.others += others.iter().filter(|letter| new(letter)).count();
            read.taken
                .extend(taken.into_iter().filter(|letter| new(letter)));
            if let Some(link) = cut_off {
                self.release_link(&link).await?;
            }
        }
        read.unseen = count.saturating_sub(u64::try_from(seen.len()).unwrap_or(u64::MAX));
        Ok(read)
    }

    /// Keeps the receipts of letters that stay.
    fn hold(&mut self, letters: &[Letter]) {
        for letter in letters {
            let of_link = self.held.entry(letter.link.clone()).or_default();
            of_link.insert(letter.id.clone(), letter.receipt.clone());
        }
    }

    async fn receive(&self, hidden_for: Duration) -> Result<Vec<Letter>, CliError> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
            .visibility_timeout(i32::try_from(hidden_for.as_secs()).unwrap_or(i32::MAX))
            // SQS then looks everywhere, and not where it happens to.
            .wait_time_seconds(1)
            .message_system_attribute_names(Attribute::All)
            .message_attribute_names("All")
            .send()
            .await;
        let answer = answer
            .map_err(said)
            .or_fail("receive dead letters", MAY_TAKE)?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(Letter::of).collect())
    }

    /// Takes letters: each link's in their order, those of several links at the same time.
    async fn take(&mut self, letters: &[Letter], taking: Taking) -> Result<(), CliError> {
        if taking == Taking::Nothing {
            self.hold(letters);
            return Ok(());
        }
        let mut by_link: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
        for letter in letters {
            by_link.entry(&letter.link).or_default().push(letter);
        }
        let links = by_link.into_values().map(async |letters| {
            for letter in letters {
                if taking == Taking::Redrive {
                    self.queue_again(letter).await?;
                }
                self.delete(letter).await?;
            }
            Ok::<_, CliError>(())
        });
        try_join_all(links).await?;
        Ok(())
    }

    /// Queues a letter again as it was. The id follows from the letter's own: if this process ends
    /// before it has deleted the letter, and the next queues it once more within five minutes, SQS
    /// drops the second.
    async fn queue_again(&self, letter: &Letter) -> Result<(), CliError> {
        let mut message = self
            .sqs
            .send_message()
            .queue_url(&self.main_url)
            .message_body(&letter.body)
            .message_group_id(&letter.link)
            .message_deduplication_id(format!("redrive-{}", letter.id));
        if let Some(trace) = traced(letter) {
            message = message.message_system_attributes(InSend::AwsTraceHeader, trace);
        }
        let answer = message.send().await;
        let doing = format!("queue the dead letter {} again", letter.id);
        answer.map_err(said).or_fail(doing, MAY_TAKE)?;
        Ok(())
    }

    async fn delete(&self, letter: &Letter) -> Result<(), CliError> {
        let answer = self
            .sqs
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&letter.receipt)
            .send()
            .await;
        let doing = format!("delete the dead letter {}", letter.id);
        answer.map_err(said).or_fail(doing, MAY_TAKE)?;
        Ok(())
    }

    /// Makes everything that stays visible again.
    async fn release(&mut self) -> Result<(), CliError> {
        let held = std::mem::take(&mut self.held);
        let receipts: Vec<_> = held.into_values().flat_map(BTreeMap::into_values).collect();
        let batches = receipts
            .chunks(BATCH)
            .map(|batch| self.release_batch(batch));
        try_join_all(batches).await?;
        Ok(())
    }

    /// Makes what stays of a link visible again, so that it is received once more with what is
    /// behind it.
    async fn release_link(&mut self, link: &str) -> Result<(), CliError> {
        let held = self.held.remove(link).unwrap_or_default();
        let receipts: Vec<_> = held.into_values().collect();
        if receipts.is_empty() {
            return Ok(());
        }
        self.release_batch(&receipts).await
    }

    async fn release_batch(&self, receipts: &[String]) -> Result<(), CliError> {
        let entries = receipts.iter().enumerate().map(|(number, receipt)| {
            Release::builder()
                .id(number.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(0)
                .build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>();
        let answer = self
            .sqs
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.or_fail("release dead letters", "")?))
            .send()
            .await;
        // One that is visible already cannot be released, and need not be.
        answer
            .map_err(said)
            .or_fail("release dead letters", MAY_TAKE)?;
        Ok(())
    }
}

/// The link of which a full round may have only the first letters, so that those behind them are
/// hidden. Nothing can be done about a round of one link alone.
fn perhaps_cut_off(letters: &[Letter]) -> Option<&str> {
    let last = letters.last().filter(|_| letters.len() == BATCH)?;
    let is_alone = letters.iter().all(|letter| letter.link == last.link);
    (!is_alone).then_some(&last.link)
}

/// For how long what is received is hidden, so that all can be read before the first comes back.
fn hidden_for(count: u64) -> Duration {
    Duration::from_secs(HIDDEN_S + count / READ_PER_SECOND)
}

/// After how many rounds with nothing new reading ends. There are some when a link is released, and
/// when letters were hidden for too short a time: then all of them come once more.
fn rounds_without_news(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX) / BATCH + 10
}

/// The header with which a letter stays in its trace.
fn traced(letter: &Letter) -> Option<MessageSystemAttributeValue> {
    let header = letter.trace.as_ref()?;
    let value = MessageSystemAttributeValue::builder().data_type("String");
    value.string_value(header).build().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::letter::tests::letter, *};

    #[test]
    fn the_last_link_of_a_full_round_may_be_cut_off() {
        let round = |links: &[&str]| {
            let letters = links.iter().enumerate();
            let letters = letters.map(|(number, link)| letter(&number.to_string(), link, "c"));
            letters.collect::<Vec<_>>()
        };
        let mixed = round(&["a", "a", "a", "a", "a", "a", "a", "a", "b", "b"]);
        assert_eq!(perhaps_cut_off(&mixed), Some("b"));
        assert_eq!(perhaps_cut_off(&mixed[..9]), None);
        assert_eq!(perhaps_cut_off(&round(&["a"; 10])), None);
    }

    #[test]
    fn letters_are_hidden_for_as_long_as_it_takes_to_read_them() {
        assert_eq!(hidden_for(0), Duration::from_secs(10));
        assert_eq!(hidden_for(500), Duration::from_secs(20));
    }
}
