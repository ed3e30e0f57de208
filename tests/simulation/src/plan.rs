//! What happens in a run: everything follows from its seed, and each step for itself, so that steps
//! can be left out while the others stay what they are.

use std::time::Duration;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::faults::{Fault, Faults};

/// Steps of a run, those that connect the first links aside.
const FEWEST_STEPS: usize = 4;
const MOST_STEPS: usize = 13;
/// Over how much time the steps are spread, at most.
const LONGEST: Duration = Duration::from_mins(20);

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
    pub(crate) steps: Vec<Step>,
}

/// Something that a user, Belvo or an operator does.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Names it where steps are left out.
    pub(crate) number: usize,
    /// After the beginning.
    pub(crate) at: Duration,
    pub(crate) action: Action,
    /// Decides on which link, and everything else about it.
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A user connects a bank, and the link is registered.
    Connect,
    /// The same user connects the same bank again.
    Reconnect,
    /// Somebody asks for a retrieval.
    Ask,
    /// Somebody asks with one key twice at once, and then once more.
    AskAgain,
    /// Somebody asks for what Belvo has, which spends no retrieval.
    Collect,
    /// The bank adds, changes and deletes rows.
    Bank,
    /// Belvo misbehaves from now on, once or twice.
    Trouble,
    /// Belvo announces rows.
    Notify,
    /// A message that no function wrote is in the queue.
    Poison,
    /// Somebody registers a link, asks for what Belvo has of it and Belvo announces rows, at once.
    Together,
    /// An operator processes a webhook again.
    Replay,
    /// An operator moves the dead letters back.
    Redrive,
    /// Another value authenticates webhooks.
    RotateAuthorization,
    /// Belvo's keys have a new version.
    RotateKeys,
    /// Somebody deletes a link, with its rows or without.
    Delete,
    /// Other settings are deployed.
    Deploy,
    /// All wall clocks are set.
    SetClock,
}

/// How often each action is chosen, in proportion.
const WEIGHTS: [(Action, u32); 17] = [
    (Action::Connect, 2),
    (Action::Reconnect, 2),
    (Action::Ask, 10),
    (Action::AskAgain, 3),
    (Action::Collect, 5),
    (Action::Bank, 16),
    (Action::Trouble, 12),
    (Action::Notify, 14),
    (Action::Poison, 1),
    (Action::Together, 4),
    (Action::Replay, 3),
    (Action::Redrive, 1),
    (Action::RotateAuthorization, 2),
    (Action::RotateKeys, 1),
    (Action::Delete, 2),
    (Action::Deploy, 2),
    (Action::SetClock, 2),
];

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let faults = Faults::random(&mut dice);
        let count = dice.random_range(FEWEST_STEPS..=MOST_STEPS);
        let span = dice.random_range(Duration::from_mins(1)..LONGEST);
        let mut steps: Vec<_> = (0..count).map(|_| random_step(&mut dice, span)).collect();
        let first = Step {
            number: 0,
            at: Duration::ZERO,
            action: Action::Connect,
            seed: dice.random(),
        };
        steps.push(first);
        steps.sort_by_key(|step| step.at);
        for (number, step) in steps.iter_mut().enumerate() {
            step.number = number;
        }
        Self {
            seed,
            faults,
            steps,
        }
    }

    /// The same with these steps only, if any are named, and without these faults.
    pub(crate) fn reduced(mut self, steps: &[usize], without: &[Fault]) -> Self {
        if !steps.is_empty() {
            self.steps.retain(|step| steps.contains(&step.number));
        }
        for fault in without {
            self.faults = self.faults.without(*fault).unwrap_or(self.faults);
        }
        self
    }

    /// Every plan that has one kind of fault or one step less.
    pub(crate) fn smaller(&self) -> impl Iterator<Item = Self> {
        let faults = Fault::ALL.iter().filter_map(|fault| {
            let faults = self.faults.without(*fault)?;
            Some(Self {
                faults,
                ..self.clone()
            })
        });
        // The last ones first: what happens after the failure matters least. One is left.
        let steps = (0..self.steps.len())
            .rev()
            .filter(|_| self.steps.len() > 1)
            .map(|left_out| {
                let mut smaller = self.clone();
                smaller.steps.remove(left_out);
                smaller
            });
        faults.chain(steps)
    }

    /// The command that repeats the run.
    pub(crate) fn command(&self) -> String {
        let whole = Self::of(self.seed);
        let mut command = vec![format!("make simulate SEED={}", self.seed)];
        if self.steps.len() < whole.steps.len() {
            let numbers = self.steps.iter().map(|step| step.number.to_string());
            let numbers: Vec<_> = numbers.collect();
            command.push(format!("STEPS={}", numbers.join(",")));
        }
        let names = whole.faults.named().into_iter().map(|(fault, _)| fault);
        let without = names.filter(|fault| self.faults.per_mille(*fault) == 0);
        let without: Vec<_> = without.map(|fault| format!("{fault:?}")).collect();
        if !without.is_empty() {
            command.push(format!("WITHOUT={}", without.join(",")));
        }
        command.join(" ")
    }
}

fn random_step(dice: &mut ChaCha8Rng, span: Duration) -> Step {
    let action = WEIGHTS.choose_weighted(dice, |(_, weight)| *weight);
    Step {
        number: 0,
        at: dice.random_range(Duration::ZERO..span),
        action: action.map_or(Action::Notify, |(action, _)| *action),
        seed: dice.random(),
    }
}
