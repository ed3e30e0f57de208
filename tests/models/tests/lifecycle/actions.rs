//! What may happen next, and the state that follows. Each step is one write, or one answer, so that
//! a crash may come between any two.

use domain::{
    Candidate, Conflict, Facts, FetchResult, Outcome, OverdueCheck, Resource, SENDING_S, Status,
    Step, SweepDecision, Timestamp, UnnamedWebhook,
};
use shared::queue::TaskKind;

use crate::{
    model::{
        ATTEMPTS, BELVO_WORKS_S, DEADLINES, Fetches, HORIZON_S, LAST_WEBHOOK_S, Lifecycle, Mutation,
    },
    world::{
        Asker, Caller, Id, Mark, Message, Phase, Retrieval, Said, StoredIntent, Webhook, World,
        instant,
    },
};

/// The ids of the deliveries of the webhook about each retrieval.
const DELIVERIES: [&str; 4] = ["first", "second", "third", "fourth"];

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// The request function does its next step for a caller.
    Request(usize),
    /// It crashes, or its next call is never answered and never arrives.
    CrashRequest(usize),
    /// Belvo refuses the POST.
    Refuse(usize),
    /// Belvo answers the POST with the data.
    AnswerAtOnce(usize),
    /// Belvo accepts the POST, and the answer is lost.
    LoseAnswer(usize),
    /// Belvo has the rows of a retrieval, and sends its webhook.
    HaveRows(Id),
    /// The same, but its listing does not have all the rows that the webhook declares.
    HaveSomeRows(Id),
    /// The listing has the others, too.
    ListAll(Id),
    /// Belvo fails at a retrieval, and sends its webhook.
    Fail(Id),
    /// Belvo refreshes the link on its own.
    Refresh,
    /// The link's user has to act.
    Block,
    /// A webhook is acknowledged and queued.
    Deliver(Webhook),
    /// The same, but the acknowledgement is lost, and Belvo delivers again.
    DeliverTwice(Webhook),
    /// A webhook is lost for good.
    Lose(Webhook),
    /// collect does its next step on the first message.
    Collect,
    /// It does the last step, and crashes before the message is deleted.
    CollectAgain,
    /// The first message waits while time passes.
    Delay,
    /// collect leaves the rest of a collection to another invocation.
    Continue,
    /// collect fails at the first message, with a reason; the message is dead-lettered if that was
    /// its last attempt.
    FailCollect,
    /// collect crashes; SQS dead-letters the message, without a reason, if that was its last
    /// attempt.
    CrashCollect,
    /// The sweep of this instant reads what is due.
    BeginSweep,
    /// It does its next step.
    Sweep,
    /// It crashes after that step's write.
    CrashSweep,
    /// Time passes.
    Elapse,
}

impl Lifecycle {
    /// Takes an action; `None` if it cannot happen.
    pub(crate) fn take(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        let fetches = world
            .queue
            .first()
            .is_some_and(|message| message.begun && message.fetches());
        let is_fault = match action {
            // What happens to every fetch is not one of the counted faults.
            Action::FailCollect | Action::CrashCollect => {
                !fetches || self.fetches == Fetches::Succeed
            }
            Action::CrashRequest(_)
            | Action::LoseAnswer(_)
            | Action::DeliverTwice(_)
            | Action::Lose(_)
            | Action::CollectAgain
            | Action::Delay
            | Action::CrashSweep => true,
            _ => false,
        };
        if is_fault {
            world.faults_left = world.faults_left.checked_sub(1)?;
        }
        match action {
            Action::Request(caller) => self.request(&mut world, caller),
            Action::CrashRequest(caller) => world.callers[caller] = Caller::Done,
            Action::Refuse(caller) => world.callers[caller] = Caller::Refused,
            Action::AnswerAtOnce(caller) => {
                let id = accept(&mut world);
                world.retrievals[id].phase = Phase::HasRows;
                world.retrievals[id].at_once = true;
                world.callers[caller] = Caller::Accepted(id);
            }
            Action::LoseAnswer(caller) => {
                accept(&mut world);
                world.callers[caller] = Caller::Unanswered;
            }
            Action::HaveRows(id) => finish(&mut world, id, Phase::HasRows),
            Action::HaveSomeRows(id) => {
                world.retrievals[id].withheld = true;
                finish(&mut world, id, Phase::HasRows);
            }
            Action::ListAll(id) => list_all(&mut world, id),
            Action::Fail(id) => finish(&mut world, id, Phase::Failed),
            Action::Refresh => {
                world.marks.insert(Mark::Refreshed);
                world.retrievals.push(Retrieval {
                    asker: Asker::Belvo,
                    at_s: world.now_s,
                    phase: Phase::Working,
                    at_once: false,
                    withheld: false,
                    freed: false,
                });
                let id = world.retrievals.len() - 1;
                finish(&mut world, id, Phase::HasRows);
            }
            Action::Block => world.blocked = true,
            Action::Deliver(webhook) => {
                world.webhooks.remove(&webhook);
                receive(&mut world, webhook);
            }
            Action::DeliverTwice(webhook) => {
                world.webhooks.remove(&webhook);
                let first_s = webhook.first_s.or(Some(world.now_s));
                world.webhooks.insert(Webhook { first_s, ..webhook });
                receive(&mut world, webhook);
            }
            Action::Lose(webhook) => {
                world.webhooks.remove(&webhook);
            }
            Action::Collect => self.collect(&mut world),
            Action::CollectAgain => self.collect_again(&mut world)?,
            Action::Delay => {
                let message = world.queue.first_mut()?;
                message.hidden = true;
                if message.task == TaskKind::CheckOverdue {
                    world.marks.insert(Mark::CheckLost);
                }
            }
            Action::Continue => continue_later(&mut world, self.named),
            Action::FailCollect => self.fail_collect(&mut world, is_fault),
            Action::CrashCollect => retry(&mut world, is_fault),
            Action::BeginSweep => self.begin_sweep(&mut world),
            Action::Sweep => sweep(&mut world, self.mutation, false),
            Action::CrashSweep => sweep(&mut world, self.mutation, true),
            Action::Elapse => world.elapse(LAST_WEBHOOK_S, HORIZON_S),
        }
        world.note_ended();
        Some(world)
    }

    fn request(&self, world: &mut World, caller: usize) {
        world.callers[caller] = match world.callers[caller] {
            Caller::Idle if world.blocked && self.mutation != Mutation::IgnoresBlocks => {
                Caller::Done
            }
            Caller::Idle => {
                if world.blocked {
                    world.marks.insert(Mark::SentWhileBlocked);
                }
                Caller::Admitted
            }
            Caller::Admitted if self.mutation == Mutation::ForgetsIntents => take_intent(world),
            Caller::Admitted => match world.intent {
                None => take_intent(world),
                Some(seen) if self.may_replace(world) => Caller::Replacing(seen),
                Some(_) => Caller::Done,
            },
            // The condition of the store's write.
            Caller::Replacing(seen)
                if world.intent.is_some_and(|intent| is_still(intent, seen)) =>
            {
                take_intent(world)
            }
            Caller::Replacing(_) => Caller::Admitted,
            Caller::Intended
                if world.used < self.limit || self.mutation == Mutation::IgnoresTheQuota =>
            {
                world.used += 1;
                Caller::Reserved
            }
            Caller::Intended => Caller::Withdrawing,
            Caller::Reserved => Caller::Accepted(accept(world)),
            Caller::Unanswered => {
                let now_s = world.now_s;
                if let Some(intent) = world.intent.as_mut() {
                    intent.unanswered |= intent.since_s == now_s;
                }
                Caller::Done
            }
            Caller::Refused => {
                world.used -= 1;
                Caller::Withdrawing
            }
            Caller::Withdrawing => {
                let now_s = world.now_s;
                let is_unsettled = |intent: &mut StoredIntent| {
                    intent.since_s == now_s && intent.request.is_none_or(|(_, claimed)| claimed)
                };
                world.intent.take_if(is_unsettled);
                Caller::Done
            }
            Caller::Accepted(id) if self.mutation == Mutation::SettlesFirst => {
                settle(world, id);
                Caller::Recorded(id)
            }
            Caller::Accepted(id) => {
                let due_at = world.now().plus_seconds(DEADLINES.due_s.into());
                take_step(world, id, Step::Issued { due_at });
                Caller::Recorded(id)
            }
            Caller::Recorded(id) => {
                settle(world, id);
                if world.retrievals[id].at_once {
                    Caller::Ready(id)
                } else {
                    Caller::Done
                }
            }
            Caller::Ready(id) => {
                let message = Message::new(TaskKind::DataReady, id, world.now());
                world.queue.push(message);
                Caller::Done
            }
            Caller::Done => Caller::Done,
        };
    }

    fn may_replace(&self, world: &World) -> bool {
        let Some(intent) = world.intent() else {
            return true;
        };
        match intent.conflict(world.now()) {
            Conflict::None => true,
            Conflict::Unknown { .. } if self.mutation == Mutation::SendsAgainWhatIsUnknown => true,
            Conflict::Sending if self.mutation == Mutation::FreesWhileSending => {
                let claimed = world.intent.and_then(|intent| intent.request);
                claimed.is_some_and(|(id, _)| world.records[&id].status().is_terminal())
            }
            Conflict::InFlight | Conflict::Sending | Conflict::Unknown { .. } => false,
        }
    }

    fn collect(&self, world: &mut World) {
        let Some(message) = world.queue.first().copied() else {
            return;
        };
        let Message { id, at, .. } = message;
        if !message.begun {
            return match message.task {
                TaskKind::Webhook if self.named => self.begin_webhook(world, id, at),
                TaskKind::Webhook => self.begin_unnamed(world, message),
                TaskKind::DataReady => {
                    let due_at = at.plus_seconds(DEADLINES.due_s.into());
                    begin_reported(world, id, Step::Ready { due_at }, at);
                }
                TaskKind::Continue => world.queue[0].begun = true,
                TaskKind::CheckOverdue => begin_check(world, id, at),
                // Reads the link's rows, and ends no request.
                TaskKind::CheckLink | TaskKind::Collect => {
                    world.store_listed();
                    world.queue.remove(0);
                }
                // About a link, or about all of them: no part of a request's life.
                TaskKind::LinkGone | TaskKind::Sweep => {
                    world.queue.remove(0);
                }
            };
        }

        match message.request(self.named) {
            // A webhook that answers no request: its rows are stored all the same.
            None => world.store_listed(),
            Some(id) if message.said == Said::Failed => {
                take_step(world, id, Step::Failed { gave_up: false });
            }
            Some(id) => self.conclude(world, id, message.said),
        }
        world.queue.remove(0);
    }

    /// The first step of a webhook that names no request.
    fn begin_unnamed(&self, world: &mut World, message: Message) {
        // It is logged, and says nothing about a request.
        if message.said == Said::Failed {
            world.queue.remove(0);
            return;
        }
        let (webhook, at) = (message.id, message.at);
        let answered = self.answered(world, webhook, at);
        if let Some(id) = answered {
            let others = world.answered_by.iter();
            let mut before = others.filter(|(_, by)| **by == webhook);
            if before.any(|(record, _)| *record != id) {
                world.marks.insert(Mark::AnsweredTwice);
            }
            let due_at = at.plus_seconds(DEADLINES.due_s.into());
            take_step_at(world, id, Step::Notified { due_at }, at);
            world.answered_by.entry(id).or_insert(webhook);
        }
        world.queue[0].answers = answered;
        world.queue[0].begun = true;
    }

    /// Which request a webhook answers that names none.
    fn answered(&self, world: &mut World, webhook: Id, received_at: Timestamp) -> Option<Id> {
        let forgets = self.mutation == Mutation::ForgetsDeliveries;
        let unnamed = UnnamedWebhook {
            resource: Resource::TRANSACTIONS,
            delivery_id: DELIVERIES[webhook],
            received_at,
        };
        let records: Vec<_> = world.records.iter().collect();
        let answered = unnamed.answered(&records, |(id, facts)| Candidate {
            resource: Resource::TRANSACTIONS,
            facts: **facts,
            answered_by: world
                .answered_by
                .get(id)
                .filter(|_| !forgets)
                .map(|by| DELIVERIES[*by]),
        });
        // It may be about a retrieval whose answer we do not have.
        let intent = world.intent();
        let another = intent.is_some_and(|intent| intent.may_be_claimed(received_at));
        let is_answer = |(_, facts): &&(&Id, &Facts)| facts.notified_at.is_some() || !another;
        let answered = answered.filter(is_answer).map(|(id, _)| **id);
        let is_open = |facts: &&Facts| {
            facts.status() == Status::Issued && facts.issued_at <= Some(received_at)
        };
        let open = world.records.values().filter(is_open).count();
        let guesses = self.mutation == Mutation::AnswersAny && answered.is_none();
        let answered = answered.or_else(|| {
            let mut records = world.records.iter().filter(|_| guesses);
            records.find(|(_, facts)| is_open(facts)).map(|(id, _)| *id)
        });
        let is_first = answered.is_some_and(|id| world.records[&id].notified_at.is_none());
        if is_first && open + usize::from(another) > 1 {
            world.marks.insert(Mark::Guessed);
        }
        answered
    }

    /// The rows are fetched and stored, and the request ends or waits.
    fn conclude(&self, world: &mut World, id: Id, said: Said) {
        let (found, unannounced) = (world.found(id), said == Said::Nothing);
        let outcome = world.records[&id].outcome(found, unannounced, world.now(), DEADLINES);
        world.store_listed();
        let step = match outcome {
            Outcome::Short { .. } if self.mutation == Mutation::CallsShortCollected => {
                Step::Collected
            }
            Outcome::Short { next, .. } if self.mutation == Mutation::ForgetsShortness => {
                Step::Postponed { due_at: next }
            }
            Outcome::Collected => Step::Collected,
            Outcome::Short { next, is_first } => Step::Short {
                due_at: next,
                is_first,
            },
            Outcome::Incomplete => Step::Incomplete,
            Outcome::Wait { next } => Step::Postponed { due_at: next },
            Outcome::Expired => Step::Expired,
        };
        take_step(world, id, step);
        let is_first = matches!(outcome, Outcome::Short { is_first: true, .. });
        if is_first && matches!(step, Step::Short { .. }) {
            let again = Message::new(TaskKind::Continue, id, instant(0));
            let answers = Some(id);
            world.queue.push(Message {
                answers,
                said,
                ..again
            });
        }
    }

    fn begin_webhook(&self, world: &mut World, id: Id, received_at: Timestamp) {
        let due_at = received_at.plus_seconds(DEADLINES.due_s.into());
        begin_reported(world, id, Step::Notified { due_at }, received_at);
        if self.mutation == Mutation::ForgetsAnEnd {
            let facts = world.records[&id];
            let forgotten = Facts {
                failed_at: None,
                collected_at: None,
                expired_at: None,
                ..facts
            };
            world.records.insert(id, forgotten);
        }
    }

    /// Does a message's last step and leaves the message where it was.
    fn collect_again(&self, world: &mut World) -> Option<()> {
        let (message, messages) = (*world.queue.first()?, world.queue.len());
        self.collect(world);
        let was_last = world.queue.len() < messages;
        if was_last && message.receives + 1 < ATTEMPTS {
            world.queue.insert(
                0,
                Message {
                    receives: message.receives + 1,
                    attempts: message.attempts + 1,
                    begun: false,
                    ..message
                },
            );
        }
        was_last.then_some(())
    }

    fn fail_collect(&self, world: &mut World, is_fault: bool) {
        let Some((message, behind)) = world.queue.split_first_mut() else {
            return;
        };
        // They were received with it, and are queued anew.
        for waiting in behind {
            waiting.receives = match self.mutation {
                Mutation::CountsWaiting => (waiting.receives + 1).min(ATTEMPTS - 1),
                _ => 0,
            };
        }
        let message = *message;
        if message.receives + 1 >= ATTEMPTS {
            if message.attempts + 1 < ATTEMPTS {
                world.marks.insert(Mark::GivenUpEarly);
            }
            let is_of_request = message.task != TaskKind::CheckLink;
            let id = message.request(self.named).filter(|_| is_of_request);
            if let Some(id) = id {
                take_step(world, id, Step::Failed { gave_up: true });
            }
        }
        retry(world, is_fault);
    }

    fn begin_sweep(&self, world: &mut World) {
        world.swept = true;
        if self.mutation == Mutation::NeverSweeps {
            return;
        }
        let now = world.now();
        let overdue = world
            .records
            .iter()
            .filter(|(_, facts)| facts.due_at.is_some_and(|due_at| due_at <= now));
        let decided = overdue.map(|(id, facts)| match facts.sweep(now, DEADLINES) {
            SweepDecision::Expire if self.mutation == Mutation::NeverExpires => {
                let next = now.plus_seconds(DEADLINES.due_s.into());
                (*id, SweepDecision::Check { next })
            }
            decision => (*id, decision),
        });
        world.sweeping = decided.collect();
        if world.scrub_at_s.is_some_and(|at_s| at_s <= world.now_s) {
            let scrub = Message::new(TaskKind::CheckLink, 0, now);
            world.queue.push(scrub);
            world.scrub_at_s = self.scrubbed_every_s.map(|every_s| world.now_s + every_s);
        }
    }
}

fn sweep(world: &mut World, mutation: Mutation, crashes: bool) {
    let (id, decision) = world.sweeping.remove(0);
    // The condition of the store's write.
    let is_over = decision == SweepDecision::EndIncomplete
        && !world.records[&id].is_short()
        && mutation != Mutation::EndsWhatIsOver;
    let step = match decision {
        SweepDecision::Check { next } => Step::Postponed { due_at: next },
        SweepDecision::Expire => Step::Expired,
        SweepDecision::EndIncomplete => Step::Incomplete,
        SweepDecision::Forget => Step::NoLongerDue,
    };
    if !is_over {
        take_step(world, id, step);
    }
    if crashes {
        world.sweeping.clear();
        world.marks.insert(Mark::CheckLost);
    } else if let SweepDecision::Check { next } = decision {
        world
            .queue
            .push(Message::new(TaskKind::CheckOverdue, id, next));
    }
}

fn take_intent(world: &mut World) -> Caller {
    free(world);
    world.intent = Some(StoredIntent {
        since_s: world.now_s,
        unanswered: false,
        request: None,
    });
    Caller::Intended
}

/// Notes that an equal retrieval may be sent because a webhook ended what was probably the first,
/// whose sending had ended without an answer.
fn free(world: &mut World) {
    let Some(intent) = world.intent else { return };
    let is_claimed = matches!(intent.request, Some((_, true)));
    if !is_claimed || !(intent.unanswered || world.now_s >= intent.since_s + SENDING_S) {
        return;
    }
    let sent = |retrieval: &&mut Retrieval| {
        retrieval.asker == Asker::We && retrieval.at_s == intent.since_s
    };
    for retrieval in world.retrievals.iter_mut().filter(sent) {
        retrieval.freed = true;
        world.marks.insert(Mark::Freed);
    }
}

fn is_still(intent: StoredIntent, seen: StoredIntent) -> bool {
    match (intent.request, seen.request) {
        (Some((id, _)), Some((seen, _))) => id == seen,
        (None, None) => intent.since_s == seen.since_s,
        _ => false,
    }
}

fn settle(world: &mut World, id: Id) {
    if let Some(intent) = &mut world.intent {
        intent.request = Some((id, false));
    }
}

/// Belvo accepts a POST.
fn accept(world: &mut World) -> Id {
    let still_working = |(id, earlier): (Id, &Retrieval)| {
        let ended = world
            .records
            .get(&id)
            .is_some_and(|facts| facts.status().is_terminal());
        !ended
            && !earlier.freed
            && world.now_s < earlier.at_s + BELVO_WORKS_S
            && earlier.phase == Phase::Working
    };
    if world.retrievals.iter().enumerate().any(still_working) {
        world.marks.insert(Mark::SentTwice);
    }
    world.retrievals.push(Retrieval {
        asker: Asker::We,
        at_s: world.now_s,
        phase: Phase::Working,
        at_once: false,
        withheld: false,
        freed: false,
    });
    world.retrievals.len() - 1
}

fn list_all(world: &mut World, id: Id) {
    world.retrievals[id].withheld = false;
    let is_looked_for = |facts: &Facts| !facts.status().is_terminal() || facts.is_short();
    if !world.records.get(&id).is_none_or(is_looked_for) {
        world.marks.insert(Mark::ListedLate);
    }
}

fn finish(world: &mut World, id: Id, phase: Phase) {
    world.retrievals[id].phase = phase;
    world.webhooks.insert(Webhook {
        id,
        failed: phase == Phase::Failed,
        first_s: None,
    });
}

fn receive(world: &mut World, webhook: Webhook) {
    let message = Message::new(TaskKind::Webhook, webhook.id, world.now());
    let said = if webhook.failed {
        Said::Failed
    } else {
        Said::HasRows
    };
    world.queue.push(Message { said, ..message });
}

/// Belvo said that it has the rows, or that it has failed.
fn begin_reported(world: &mut World, id: Id, step: Step, at: Timestamp) {
    take_step_at(world, id, step, at);
    if world.records[&id].issued_at.is_none() {
        claim(world, id, at);
    }
    world.queue[0].begun = true;
}

fn begin_check(world: &mut World, id: Id, next: Timestamp) {
    match world.records[&id].overdue_check(next) {
        OverdueCheck::Fetch => {
            world.queue[0].begun = true;
            return;
        }
        OverdueCheck::Forget => take_step(world, id, Step::NoLongerDue),
        OverdueCheck::Superseded => {}
    }
    world.queue.remove(0);
}

fn take_step(world: &mut World, id: Id, step: Step) {
    let now = world.now();
    take_step_at(world, id, step, now);
}

fn take_step_at(world: &mut World, id: Id, step: Step, at: Timestamp) {
    let facts = world.records.entry(id).or_default();
    let before = *facts;
    facts.take(step, at);
    let stays = |fact: fn(&Facts) -> Option<Timestamp>| {
        fact(&before).is_none() || fact(&before) == fact(facts)
    };
    let all_stay = stays(|facts| facts.issued_at)
        && stays(|facts| facts.notified_at)
        && stays(|facts| facts.ready_at)
        && stays(|facts| facts.collecting_at)
        && stays(|facts| facts.collected_at)
        && stays(|facts| facts.failed_at)
        && stays(|facts| facts.expired_at);
    // What says that rows are missing goes only when none is.
    let is_whole = step == Step::Collected;
    let is_kept =
        |fact: fn(&Facts) -> Option<Timestamp>| fact(&before).is_none() || fact(facts).is_some();
    let shortness_stays =
        is_whole || is_kept(|facts| facts.short_at) && is_kept(|facts| facts.incomplete_at);
    if !all_stay || !shortness_stays {
        world.marks.insert(Mark::FactChanged);
    }
}

/// A webhook of a request that is unknown here settles an intent of unknown outcome.
fn claim(world: &mut World, id: Id, received_at: Timestamp) {
    let may = world
        .intent()
        .is_some_and(|intent| intent.may_be_claimed(received_at));
    if let Some(intent) = world.intent.as_mut().filter(|_| may) {
        intent.request = Some((id, true));
    }
}

fn continue_later(world: &mut World, named: bool) {
    let Some(message) = world.queue.first().copied() else {
        return;
    };
    let Message { said, .. } = message;
    let request = message.request(named);
    if let Some(id) = request {
        let so_far = FetchResult {
            missing: 0,
            ..world.found(id)
        };
        let unannounced = said == Said::Nothing;
        let outcome = world.records[&id].outcome(so_far, unannounced, world.now(), DEADLINES);
        if outcome == Outcome::Collected {
            take_step(world, id, Step::Continued);
        }
    }
    world.queue.remove(0);
    world.queue.push(Message {
        answers: request,
        said,
        ..Message::new(TaskKind::Continue, message.id, instant(0))
    });
}

/// The first message is retried from its beginning, unless that was its last attempt; after what
/// will happen again, time has passed.
fn retry(world: &mut World, is_fault: bool) {
    if let Some(message) = world.queue.first_mut() {
        message.receives += 1;
        message.attempts += 1;
        message.begun = false;
        message.hidden = !is_fault;
        if message.receives >= ATTEMPTS {
            let lost = match message.task {
                TaskKind::Webhook | TaskKind::DataReady => &[Mark::NewsLost][..],
                TaskKind::Continue => &[Mark::NewsLost, Mark::CheckLost],
                _ => &[Mark::CheckLost],
            };
            world.marks.extend(lost);
            world.queue.remove(0);
        }
    }
}
