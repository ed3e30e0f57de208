//! The model: where it begins, what may happen in which state, and what has to hold.

use domain::{Deadlines, Status};
use shared::queue::TaskKind;
use stateright::{Model, Property};

use crate::{
    actions::Action,
    world::{A_MINUTE_S, Asker, Caller, Mark, Phase, Webhook, World},
};

/// Receives after which a message is dead-lettered.
pub(crate) const ATTEMPTS: u8 = 2;
pub(crate) const DEADLINES: Deadlines = Deadlines {
    due_s: 1_800,
    expires_s: 3_600,
};

/// How long Belvo works on a retrieval, if it ends at all: its own limit is five minutes.
pub(crate) const BELVO_WORKS_S: i64 = 1_800;
/// Webhooks arrive until then.
pub(crate) const LAST_WEBHOOK_S: i64 = 3_600;
/// How often a link is read as a whole.
pub(crate) const SCRUB_S: i64 = 7_200;
/// By then everything has ended: twice the time after which a request expires has passed since the
/// last webhook, and a sweep since.
pub(crate) const HORIZON_S: i64 = LAST_WEBHOOK_S + 2 * 3_600 + 2 * 1_800;

/// The model of one link and one window.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle {
    /// Callers who ask for the same retrieval.
    pub(crate) callers: usize,
    /// The number of crashes, losses and repetitions, all together.
    pub(crate) faults: u8,
    /// The month's quota of retrievals.
    pub(crate) limit: u8,
    /// Whether Belvo may refresh the link on its own.
    pub(crate) refreshes: bool,
    /// Whether the link may be blocked.
    pub(crate) blocks: bool,
    /// What Belvo's webhooks declare.
    pub(crate) declares: Declares,
    /// Whether they name the request that they answer.
    pub(crate) named: bool,
    /// How often the link is read as a whole, in seconds, if it ever is.
    pub(crate) scrubbed_every_s: Option<i64>,
    /// Callers begin, users have to act and Belvo refreshes until then.
    pub(crate) last_start_s: i64,
    /// What every fetch runs into.
    pub(crate) fetches: Fetches,
    /// A rule that is broken on purpose.
    pub(crate) mutation: Mutation,
}

/// What becomes of every fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetches {
    /// It succeeds, unless a fault happens.
    Succeed,
    /// It fails, as if Belvo could no longer be reached.
    Fail,
    /// It crashes its process.
    Crash,
}

/// How many rows Belvo's webhooks declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declares {
    /// As many as its listing has.
    WhatItLists,
    /// Perhaps more than its listing has, then or ever.
    More,
}

/// A mistake, to show that the checker finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    None,
    ForgetsIntents,
    SendsAgainWhatIsUnknown,
    /// A webhook frees an equal retrieval while the first may still be answered.
    FreesWhileSending,
    IgnoresTheQuota,
    IgnoresBlocks,
    NeverSweeps,
    /// A sweep asks for a check forever, however often that brought nothing.
    NeverExpires,
    /// An intent is settled before its request is recorded.
    SettlesFirst,
    ForgetsAnEnd,
    /// A short fetch ends the request as collected.
    CallsShortCollected,
    /// It is repeated, and nothing says why.
    ForgetsShortness,
    /// A sweep never asks for a scrub.
    NeverScrubs,
    /// A sweep ends a request as incomplete although its rows have come meanwhile.
    EndsWhatIsOver,
    /// A webhook that names no request answers any that is open.
    AnswersAny,
    /// It is not remembered which request such a webhook has answered.
    ForgetsDeliveries,
    /// Receives count as attempts of messages that waited behind a failing one.
    CountsWaiting,
}

impl Default for Lifecycle {
    fn default() -> Self {
        // After the first intent may be sent again.
        let last_start_s = 1_861;
        let (callers, faults, limit, mutation) = (1, 0, 2, Mutation::None);
        let fetches = Fetches::Succeed;
        Self {
            callers,
            faults,
            limit,
            refreshes: false,
            blocks: false,
            declares: Declares::WhatItLists,
            named: true,
            scrubbed_every_s: None,
            last_start_s,
            fetches,
            mutation,
        }
    }
}

/// What has to be reachable, so that the other properties do not hold vacuously.
pub(crate) const SOMETIMES: [&str; 13] = [
    "answered without a name",
    "freed",
    "short",
    "incomplete",
    "issuing",
    "unknown",
    "issued",
    "notified",
    "collecting",
    "collected",
    "failed",
    "expired",
    "claimed",
];

impl Model for Lifecycle {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let is_scrubbed = self.mutation != Mutation::NeverScrubs;
        vec![World {
            scrub_at_s: self.scrubbed_every_s.filter(|_| is_scrubbed),
            ..World::new(self.callers, self.faults)
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.requesting(world, actions);
        self.at_belvo(world, actions);
        self.collecting(world, actions);
        if !world.sweeping.is_empty() {
            actions.extend([Action::Sweep, Action::CrashSweep]);
        } else if !world.swept && world.is_due() {
            actions.push(Action::BeginSweep);
        }
        if world.rests() && world.now_s < HORIZON_S {
            actions.push(Action::Elapse);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        self.take(world, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = never_wrong();
        properties.extend(right_in_the_end());
        properties.extend(reachable());
        properties
    }
}

/// The property that something never happens.
macro_rules! never {
    ($name:literal, $mark:ident) => {
        Property::always($name, |_, world: &World| {
            !world.marks.contains(&Mark::$mark)
        })
    };
}

/// What holds in every state.
fn never_wrong() -> Vec<Property<Lifecycle>> {
    vec![
        never!("a retrieval is sent once", SentTwice),
        never!("nothing is begun for a blocked link", SentWhileBlocked),
        Property::always(
            "nothing is sent beyond the quota",
            |model: &Lifecycle, world: &World| {
                let ours = world
                    .retrievals
                    .iter()
                    .filter(|retrieval| retrieval.asker == Asker::We)
                    .count();
                world.used <= model.limit && ours <= model.limit.into()
            },
        ),
        never!("a fact stays", FactChanged),
        never!("a webhook answers one request", AnsweredTwice),
        never!(
            "a webhook that may answer several requests answers none",
            Guessed
        ),
        never!("a message has all its attempts", GivenUpEarly),
        Property::always("an ended request stays ended", |_, world: &World| {
            world
                .ended
                .iter()
                .all(|id| world.records[id].status().is_terminal())
        }),
    ]
}

/// What holds once nothing more can happen.
fn right_in_the_end() -> Vec<Property<Lifecycle>> {
    vec![
        Property::always("everything ends", |_, world: &World| {
            let over = world.now_s >= HORIZON_S && world.rests();
            let has_ended = |id| {
                world
                    .records
                    .get(&id)
                    .is_some_and(|facts| facts.status().is_terminal())
            };
            let intent_over = world.intent.is_none_or(|intent| match intent.request {
                Some((id, _)) => has_ended(id),
                None => world
                    .intent()
                    .is_none_or(|intent| world.now() >= intent.until()),
            });
            !over
                || (world
                    .records
                    .values()
                    .all(|facts| facts.status().is_terminal())
                    && intent_over)
        }),
        Property::always(
            "rows that Belvo has are collected in the end",
            |model: &Lifecycle, world: &World| {
                let over = world.now_s >= HORIZON_S && world.rests();
                // One whose checks keep bringing nothing expires without another check.
                !over
                    || model.fetches != Fetches::Succeed
                    || world.marks.contains(&Mark::CheckLost)
                    || world.records.iter().all(|(id, facts)| {
                        let retrieval = &world.retrievals[*id];
                        let has_rows = retrieval.phase == Phase::HasRows && !retrieval.withheld;
                        !has_rows
                            || facts.status() == Status::Collected
                            || facts.gave_up
                            || world.marks.contains(&Mark::ListedLate)
                    })
            },
        ),
        Property::always(
            "a request that lacks rows is not called collected",
            |_, world: &World| {
                let over = world.now_s >= HORIZON_S && world.rests();
                !over
                    || world.marks.contains(&Mark::NewsLost)
                    || world.records.iter().all(|(id, facts)| {
                        let lacks = world.retrievals[*id].withheld && facts.notified_at.is_some();
                        !lacks || facts.status() != Status::Collected || facts.gave_up
                    })
            },
        ),
        Property::always(
            "a link that is read as a whole lacks nothing in the end",
            |model: &Lifecycle, world: &World| {
                let over = world.now_s >= HORIZON_S && world.rests();
                !over
                    || model.scrubbed_every_s.is_none()
                    || world
                        .with_rows()
                        .all(|id| world.retrievals[id].withheld || world.whole.contains(&id))
            },
        ),
    ]
}

/// What some state shows: [`SOMETIMES`].
fn reachable() -> Vec<Property<Lifecycle>> {
    fn is(world: &World, status: Status) -> bool {
        world.records.values().any(|facts| facts.status() == status)
    }
    fn intent_is(world: &World, status: Status) -> bool {
        let open = world.intent.filter(|intent| intent.request.is_none());
        open.is_some()
            && world
                .intent()
                .is_some_and(|intent| intent.status(world.now()) == status)
    }
    vec![
        Property::sometimes("issuing", |_, world: &World| {
            intent_is(world, Status::Issuing)
        }),
        Property::sometimes("unknown", |_, world: &World| {
            intent_is(world, Status::Unknown)
        }),
        Property::sometimes("short", |_, world: &World| is(world, Status::Short)),
        Property::sometimes("incomplete", |_, world: &World| {
            is(world, Status::Incomplete)
        }),
        Property::sometimes("issued", |_, world: &World| is(world, Status::Issued)),
        Property::sometimes("notified", |_, world: &World| is(world, Status::Notified)),
        Property::sometimes("collecting", |_, world: &World| {
            is(world, Status::Collecting)
        }),
        Property::sometimes("collected", |_, world: &World| is(world, Status::Collected)),
        Property::sometimes("failed", |_, world: &World| is(world, Status::Failed)),
        Property::sometimes("expired", |_, world: &World| is(world, Status::Expired)),
        Property::sometimes("freed", |_, world: &World| {
            world.marks.contains(&Mark::Freed)
        }),
        Property::sometimes("answered without a name", |_, world: &World| {
            !world.answered_by.is_empty()
        }),
        Property::sometimes("claimed", |_, world: &World| {
            world
                .intent
                .is_some_and(|intent| intent.request.is_some_and(|(_, claimed)| claimed))
        }),
    ]
}

impl Lifecycle {
    fn requesting(&self, world: &World, actions: &mut Vec<Action>) {
        for (number, caller) in world.callers.iter().enumerate() {
            match caller {
                Caller::Done => {}
                // Callers are alike: the second begins after the first.
                Caller::Idle
                    if world.now_s > self.last_start_s
                        || world.callers[..number].contains(&Caller::Idle) => {}
                Caller::Idle => actions.push(Action::Request(number)),
                Caller::Reserved => actions.extend([
                    Action::Request(number),
                    Action::Refuse(number),
                    Action::AnswerAtOnce(number),
                    Action::LoseAnswer(number),
                    Action::CrashRequest(number),
                ]),
                _ => actions.extend([Action::Request(number), Action::CrashRequest(number)]),
            }
        }
    }

    fn collecting(&self, world: &World, actions: &mut Vec<Action>) {
        let Some(message) = world.queue.first().filter(|message| !message.hidden) else {
            return;
        };
        if message.begun && message.fetches() {
            match self.fetches {
                Fetches::Succeed => {}
                Fetches::Fail => return actions.push(Action::FailCollect),
                Fetches::Crash => return actions.push(Action::CrashCollect),
            }
            if self.callers == 1 && message.task != TaskKind::Continue {
                actions.push(Action::Continue);
            }
        }
        actions.extend([Action::Collect, Action::FailCollect, Action::CrashCollect]);
        // The queue treats each of several requests as it treats one.
        if self.callers == 1 {
            actions.push(if message.begun {
                Action::CollectAgain
            } else {
                Action::Delay
            });
        }
    }

    fn at_belvo(&self, world: &World, actions: &mut Vec<Action>) {
        if world.now_s <= self.last_start_s {
            if self.blocks && !world.blocked {
                actions.push(Action::Block);
            }
            if self.refreshes && !world.marks.contains(&Mark::Refreshed) {
                actions.push(Action::Refresh);
            }
        }
        if world.now_s > LAST_WEBHOOK_S {
            return;
        }
        for (id, retrieval) in world.retrievals.iter().enumerate() {
            if retrieval.phase == Phase::Working && world.now_s <= retrieval.at_s + BELVO_WORKS_S {
                actions.extend([Action::HaveRows(id), Action::Fail(id)]);
                if self.declares == Declares::More {
                    actions.push(Action::HaveSomeRows(id));
                }
            }
            if retrieval.withheld {
                actions.push(Action::ListAll(id));
            }
        }
        let comes_again = |webhook: &&Webhook| {
            self.named
                || webhook
                    .first_s
                    .is_none_or(|first_s| world.now_s <= first_s + A_MINUTE_S)
        };
        for webhook in world.webhooks.iter().filter(comes_again) {
            actions.extend([
                Action::Deliver(*webhook),
                Action::DeliverTwice(*webhook),
                Action::Lose(*webhook),
            ]);
        }
    }
}
