//! What may happen next, and what then is. Each step is one write, or one answer, so that a crash may come between any two.

use shared::domain::{Before, Facts, LookAfter, Outcome, Step, Sweep};

use crate::{
    model::{ATTEMPTS, BELVO_WORKS_S, DEADLINES, HORIZON_S, LAST_NEWS_S, Lifecycle, Mutation},
    world::{About, Caller, Id, Mark, Message, Phase, Retrieval, StoredIntent, Webhook, World},
};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// The request function does its next step for a caller.
    Request(usize),
    /// It crashes, or its next call is never answered and never arrives.
    CrashRequest(usize),
    /// Belvo refuses the POST.
    Refuse(usize),
    /// Belvo accepts the POST, and the answer is lost.
    LoseAnswer(usize),
    /// Belvo has the rows of a retrieval, and sends its webhook.
    HaveRows(Id),
    /// Belvo fails at a retrieval, and sends its webhook.
    Fail(Id),
    /// Belvo refreshes the link by itself.
    Refresh,
    /// The link's user has to act.
    Block,
    /// A webhook is acknowledged and queued.
    Deliver(Webhook),
    /// The same, but Belvo does not hear it, and delivers again.
    DeliverTwice(Webhook),
    /// A webhook is lost for good.
    Lose(Webhook),
    /// collect does its next step on the first message.
    Collect,
    /// collect leaves the rest of a collection to a continuation.
    HandOn,
    /// collect fails at the first message, with a reason; it is given up if it was the last attempt.
    FailCollect,
    /// collect crashes; SQS gives the message up, without a reason, if it was the last attempt.
    CrashCollect,
    /// The sweep of this instant runs.
    Sweep,
    /// It crashes after the first write.
    CrashSweep,
    /// Time goes on.
    Elapse,
}

impl Lifecycle {
    /// Takes an action; `None` if it cannot happen.
    pub(crate) fn take(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        if matches!(
            action,
            Action::CrashRequest(_)
                | Action::LoseAnswer(_)
                | Action::DeliverTwice(_)
                | Action::Lose(_)
                | Action::FailCollect
                | Action::CrashCollect
                | Action::CrashSweep
        ) {
            world.faults_left = world.faults_left.checked_sub(1)?;
        }
        match action {
            Action::Request(caller) => self.request(&mut world, caller),
            Action::CrashRequest(caller) => world.callers[caller] = Caller::Done,
            Action::Refuse(caller) => world.callers[caller] = Caller::Refused,
            Action::LoseAnswer(caller) => {
                accept(&mut world);
                world.callers[caller] = Caller::Done;
            }
            Action::HaveRows(id) => finish(&mut world, id, Phase::HasRows),
            Action::Fail(id) => finish(&mut world, id, Phase::Failed),
            Action::Refresh => {
                world.marks.insert(Mark::Refreshed);
                world.retrievals.push(Retrieval { at_s: world.now_s, phase: Phase::Working });
                let id = world.retrievals.len() - 1;
                finish(&mut world, id, Phase::HasRows);
            }
            Action::Block => world.blocked = true,
            Action::Deliver(webhook) => {
                world.webhooks.remove(&webhook);
                enqueue(&mut world, About::Webhook(webhook));
            }
            Action::DeliverTwice(webhook) => enqueue(&mut world, About::Webhook(webhook)),
            Action::Lose(webhook) => {
                world.webhooks.remove(&webhook);
            }
            Action::Collect => self.collect(&mut world),
            Action::HandOn => hand_on(&mut world),
            Action::FailCollect => fail_collect(&mut world),
            Action::CrashCollect => come_back(&mut world),
            Action::Sweep => self.sweep(&mut world, false),
            Action::CrashSweep => self.sweep(&mut world, true),
            Action::Elapse => world.elapse(LAST_NEWS_S, HORIZON_S),
        }
        world.note_ended();
        Some(world)
    }

    fn request(&self, world: &mut World, caller: usize) {
        world.callers[caller] = match world.callers[caller] {
            Caller::Idle if world.blocked && self.mutation != Mutation::IgnoresBlocks => Caller::Done,
            Caller::Idle => {
                if world.blocked {
                    world.marks.insert(Mark::SentWhileBlocked);
                }
                Caller::Admitted
            }
            Caller::Admitted if self.may_take(world) => {
                world.intent = Some(StoredIntent { since_s: world.now_s, request: None });
                Caller::Intended
            }
            Caller::Intended if world.used < self.limit || self.mutation == Mutation::IgnoresTheQuota => {
                world.used += 1;
                Caller::Reserved
            }
            Caller::Intended => Caller::Withdrawing,
            Caller::Reserved => Caller::Accepted(accept(world)),
            Caller::Refused => {
                world.used -= 1;
                Caller::Withdrawing
            }
            Caller::Withdrawing => {
                let now_s = world.now_s;
                world.intent.take_if(|intent| intent.since_s == now_s && intent.request.is_none());
                Caller::Done
            }
            Caller::Accepted(id) => {
                let due_at = world.now().plus_seconds(DEADLINES.due_s.into());
                take_step(world, id, Step::Issued { due_at });
                Caller::Recorded(id)
            }
            Caller::Recorded(id) => {
                if let Some(intent) = &mut world.intent {
                    intent.request = Some((id, false));
                }
                Caller::Done
            }
            Caller::Admitted | Caller::Done => Caller::Done,
        };
    }

    fn may_take(&self, world: &World) -> bool {
        let Some(intent) = world.intent() else { return true };
        match intent.before(world.now()) {
            Before::Over => true,
            Before::Unknown(_) if self.mutation == Mutation::SendsAgainWhatIsUnknown => true,
            // A webhook's claim is taken for Belvo's own word.
            Before::Unknown(_) if self.mutation == Mutation::BelievesClaims => {
                world.intent.is_some_and(|intent| intent.request.is_some())
            }
            Before::InFlight | Before::Sending | Before::Unknown(_) => self.mutation == Mutation::ForgetsIntents,
        }
    }

    fn collect(&self, world: &mut World) {
        let Some(message) = world.queue.first().copied() else { return };
        match (message.about, message.begun) {
            (About::Webhook(webhook), false) => {
                let due_at = world.now().plus_seconds(DEADLINES.due_s.into());
                take_step(world, webhook.id, Step::Notified { due_at });
                if self.mutation == Mutation::ForgetsAnEnd {
                    let facts = world.records[&webhook.id];
                    let forgotten = Facts { failed_at: None, collected_at: None, expired_at: None, ..facts };
                    world.records.insert(webhook.id, forgotten);
                }
                if world.records[&webhook.id].issued_at.is_none() {
                    claim(world, webhook.id);
                }
                world.queue[0].begun = true;
            }
            (About::Webhook(Webhook { id, failed: true }), true) => {
                take_step(world, id, Step::Failed { gave_up: false });
                world.queue.remove(0);
            }
            (About::Webhook(Webhook { id, failed: false }), true) | (About::Continuation(id), _) => {
                conclude(world, id, false);
                world.queue.remove(0);
            }
            (About::Overdue(id, next), false) => match world.records[&id].look_after(next) {
                LookAfter::Fetch => world.queue[0].begun = true,
                LookAfter::Forget => {
                    take_step(world, id, Step::Postponed(None));
                    world.queue.remove(0);
                }
                LookAfter::Superseded => {
                    world.queue.remove(0);
                }
            },
            (About::Overdue(id, _), true) => {
                conclude(world, id, true);
                world.queue.remove(0);
            }
        }
    }

    fn sweep(&self, world: &mut World, crashes: bool) {
        world.swept = true;
        if self.mutation == Mutation::NeverSweeps {
            return;
        }
        let now = world.now();
        let overdue: Vec<Id> =
            world.records.iter().filter(|(_, facts)| facts.due_at <= Some(now)).map(|(id, _)| *id).collect();
        for id in overdue {
            if world.records[&id].due_at.is_none() {
                continue;
            }
            match world.records[&id].sweep(now, DEADLINES) {
                Sweep::LookAfter(next) => {
                    take_step(world, id, Step::Postponed(Some(next)));
                    if crashes {
                        world.marks.insert(Mark::LookLost);
                        return;
                    }
                    enqueue(world, About::Overdue(id, next));
                }
                Sweep::Expire => take_step(world, id, Step::Expired),
                Sweep::Forget => take_step(world, id, Step::Postponed(None)),
            }
        }
    }
}

/// Belvo takes a POST.
fn accept(world: &mut World) -> Id {
    let still_at_it = |(id, earlier): (Id, &Retrieval)| {
        let ended = world.records.get(&id).is_some_and(|facts| facts.status().is_terminal());
        !ended && world.now_s < earlier.at_s + BELVO_WORKS_S && earlier.phase == Phase::Working
    };
    if world.retrievals.iter().enumerate().any(still_at_it) {
        world.marks.insert(Mark::SentTwice);
    }
    world.retrievals.push(Retrieval { at_s: world.now_s, phase: Phase::Working });
    world.retrievals.len() - 1
}

fn finish(world: &mut World, id: Id, phase: Phase) {
    world.retrievals[id].phase = phase;
    world.webhooks.insert(Webhook { id, failed: phase == Phase::Failed });
}

fn enqueue(world: &mut World, about: About) {
    world.queue.push(Message { about, receives: 0, begun: false });
}

fn take_step(world: &mut World, id: Id, step: Step) {
    let now = world.now();
    world.records.entry(id).or_default().take(step, now);
}

/// A webhook of a request that nobody here knows settles an intent that is unknown.
fn claim(world: &mut World, id: Id) {
    let may = world.intent().is_some_and(|intent| intent.may_be_claimed(world.now()));
    if let Some(intent) = world.intent.as_mut().filter(|_| may) {
        intent.request = Some((id, true));
    }
}

/// The rows are fetched and stored, and the request ends or waits.
fn conclude(world: &mut World, id: Id, overdue: bool) {
    let found = world.found();
    let outcome = world.records[&id].outcome(found, overdue, world.now(), DEADLINES);
    let rows: Vec<Id> = world.with_rows().collect();
    world.stored.extend(rows);
    let step = match outcome {
        Outcome::Collected => Step::Collected,
        Outcome::Wait(due_at) => Step::Postponed(Some(due_at)),
        Outcome::Expired => Step::Expired,
    };
    take_step(world, id, step);
}

fn hand_on(world: &mut World) {
    if let Some(Message { about: About::Webhook(Webhook { id, .. }), .. }) = world.queue.first().copied() {
        take_step(world, id, Step::HandedOn);
        world.queue.remove(0);
        enqueue(world, About::Continuation(id));
    }
}

fn fail_collect(world: &mut World) {
    let Some(message) = world.queue.first().copied() else { return };
    if message.receives + 1 >= ATTEMPTS {
        let (About::Webhook(Webhook { id, .. }) | About::Overdue(id, _) | About::Continuation(id)) = message.about;
        take_step(world, id, Step::Failed { gave_up: true });
    }
    come_back(world);
}

/// The first message comes back, from its beginning, unless that was its last attempt.
fn come_back(world: &mut World) {
    if let Some(message) = world.queue.first_mut() {
        message.receives += 1;
        message.begun = false;
        if message.receives >= ATTEMPTS {
            if matches!(message.about, About::Overdue(..)) {
                world.marks.insert(Mark::LookLost);
            }
            world.queue.remove(0);
        }
    }
}
