//! The model: one link of two rows.

use domain::{LogHead, Unread};
use stateright::{Model, Property};

/// The rows of the link.
const ROWS: [usize; 2] = [0, 1];
/// How often Belvo's rows change, and how often the writer crashes.
const CHANGES: u8 = 2;
const CRASHES: u8 = 2;

/// Which version of each row there is, if there is any.
type Versions = [Option<u8>; 2];

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Feed {
    pub(crate) mistake: Mistake,
}

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mistake {
    #[default]
    None,
    /// Rows are written before the entry that names them.
    RowsBeforeTheEntry,
    /// The log may be read to its end before the rows are written.
    EndsBeforeTheRows,
    /// It may be before the rows are listed.
    EndsBeforeTheListing,
    /// What a crash left of the log is never read.
    NeverSettles,
    /// It is read, and what was stored without being listed stays unlisted.
    SettlesWithoutListing,
    /// A reader without a cursor lists the rows before it reads where the log is.
    ListsBeforeTheHead,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// What Belvo has, and the version of the next change.
    belvo: Versions,
    next: u8,
    changes_left: u8,
    crashes_left: u8,
    /// The rows that are stored and not deleted.
    stored: Versions,
    /// Whether the index has an entry of a row, and whether the entry has the digest of the version
    /// that is stored.
    listed: [bool; 2],
    known: [bool; 2],
    head: LogHead,
    /// The rows that each entry names; of one that was never written, none.
    entries: Vec<Option<[bool; 2]>>,
    writer: Writer,
    reader: Reader,
    copy: Versions,
    has_read_all: bool,
}

/// The next write of a collection. Each stage is one write, or one for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    /// What an earlier collection left unlisted is listed.
    List(usize),
    Settle,
    Compare,
    Head([bool; 2]),
    Entry([bool; 2]),
    /// The index says that what Belvo returns differs.
    Announce([bool; 2]),
    Row([bool; 2], usize),
    Index([bool; 2]),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    /// It has no cursor.
    Begin,
    /// It lists the rows from this one on; the log goes on after `log`.
    Snapshot { log: Option<u64>, row: usize },
    /// It has read the entries up to `after`.
    Log { after: u64 },
    /// It has seen that it may read the next entry.
    Entry { after: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Belvo changes a row, or deletes it.
    Change(usize),
    Delete(usize),
    /// The writer does its next write.
    Write,
    Crash,
    /// The reader reads once.
    Read,
}

impl Model for Feed {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            belvo: [Some(0), None],
            next: 1,
            changes_left: CHANGES,
            crashes_left: CRASHES,
            stored: [None, None],
            listed: [false; 2],
            known: [false; 2],
            head: LogHead::default(),
            entries: Vec::new(),
            writer: Writer::Idle,
            reader: Reader::Begin,
            copy: [None, None],
            has_read_all: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.changes_left > 0 {
            actions.extend(ROWS.map(Action::Change));
            actions.extend(ROWS.map(Action::Delete));
        }
        if world.writer != Writer::Idle || !world.is_collected() {
            actions.push(Action::Write);
        }
        if world.writer != Writer::Idle && world.crashes_left > 0 {
            actions.push(Action::Crash);
        }
        if !world.has_read_all || world.may_read_on() {
            actions.push(Action::Read);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Change(row) => {
                world.belvo[row] = Some(world.next);
                world.next += 1;
                world.changes_left -= 1;
            }
            Action::Delete(row) => {
                world.belvo[row].take()?;
                world.changes_left -= 1;
            }
            Action::Write => world.writer = self.write(&mut world),
            Action::Crash => {
                world.crashes_left -= 1;
                world.writer = Writer::Idle;
            }
            Action::Read => self.read(&mut world),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is missed", |_, world: &World| {
                !world.is_quiet() || world.copy == world.listing()
            }),
            Property::sometimes("a reader has everything", |_, world: &World| {
                world.is_quiet() && world.copy == world.belvo && world.belvo != [None, None]
            }),
        ]
    }
}

impl Feed {
    /// Does the writer's next write, and returns what comes after it.
    fn write(self, world: &mut World) -> Writer {
        let early = self.mistake == Mistake::RowsBeforeTheEntry;
        match world.writer {
            Writer::Idle if self.mistake == Mistake::NeverSettles => Writer::Compare,
            Writer::Idle if world.head.is_interrupted() => Writer::List(0),
            Writer::Idle => Writer::Compare,
            Writer::List(row) => {
                let named = world.entries.get(world.number()).copied().flatten();
                let is_named = named.is_some_and(|rows| rows[row]);
                if is_named && self.mistake != Mistake::SettlesWithoutListing {
                    world.listed[row] |= world.stored[row].is_some();
                }
                ROWS.get(row + 1)
                    .map_or(Writer::Settle, |row| Writer::List(*row))
            }
            Writer::Settle => {
                world.head = world.head.ended();
                Writer::Compare
            }
            Writer::Compare => {
                let differs = ROWS.map(|row| {
                    // A row that is stored and not listed is found by its id only if Belvo has it.
                    let is_known = world.known[row] || world.belvo[row].is_none();
                    let is_here = world.listed[row] || world.belvo[row].is_some();
                    is_here && (world.belvo[row] != world.stored[row] || !is_known)
                });
                match differs {
                    [false, false] => Writer::Idle,
                    _ if early => Writer::Announce(differs),
                    _ => Writer::Head(differs),
                }
            }
            Writer::Head(rows) => {
                world.head = world.head.begun();
                world.entries.resize(world.number(), None);
                world.entries.push(None);
                Writer::Entry(rows)
            }
            Writer::Entry(rows) => {
                let number = world.number();
                world.entries[number] = Some(rows);
                match self.mistake {
                    Mistake::EndsBeforeTheRows => world.head = world.head.ended(),
                    Mistake::RowsBeforeTheEntry => return Writer::Index(rows),
                    _ => {}
                }
                Writer::Announce(rows)
            }
            Writer::Announce(rows) => {
                for row in ROWS {
                    world.known[row] &= !rows[row];
                }
                Writer::Row(rows, 0)
            }
            Writer::Row(rows, row) => {
                if rows[row] {
                    world.stored[row] = world.belvo[row];
                }
                match ROWS.get(row + 1) {
                    Some(next) => Writer::Row(rows, *next),
                    None if early => Writer::Head(rows),
                    None => {
                        if self.mistake == Mistake::EndsBeforeTheListing {
                            world.head = world.head.ended();
                        }
                        Writer::Index(rows)
                    }
                }
            }
            Writer::Index(rows) => {
                for row in ROWS.into_iter().filter(|row| rows[*row]) {
                    world.listed[row] |= world.stored[row].is_some();
                    world.known[row] = true;
                }
                Writer::End
            }
            Writer::End => {
                world.head = world.head.ended();
                Writer::Idle
            }
        }
    }

    fn read(self, world: &mut World) {
        world.has_read_all = false;
        world.reader = match world.reader {
            Reader::Begin if self.mistake == Mistake::ListsBeforeTheHead => {
                Reader::Snapshot { log: None, row: 0 }
            }
            Reader::Begin => Reader::Snapshot {
                log: Some(world.head.done),
                row: 0,
            },
            Reader::Snapshot { log, row } => {
                world.copy[row] = world.listing()[row];
                match ROWS.get(row + 1) {
                    Some(row) => Reader::Snapshot { log, row: *row },
                    None => Reader::Log {
                        after: log.unwrap_or(world.head.done),
                    },
                }
            }
            Reader::Log { after } => match world.head.since(after) {
                Unread::Entries { .. } => Reader::Entry { after },
                Unread::Nothing => {
                    world.has_read_all = true;
                    Reader::Log { after }
                }
                Unread::Expired => {
                    world.copy = [None, None];
                    Reader::Begin
                }
            },
            Reader::Entry { after } => {
                let place = usize::try_from(after).unwrap();
                for row in ROWS {
                    if world.entries[place].is_some_and(|rows| rows[row]) {
                        world.copy[row] = world.stored[row];
                    }
                }
                Reader::Log { after: after + 1 }
            }
        };
    }
}

impl World {
    /// The place of the last entry.
    fn number(&self) -> usize {
        usize::try_from(self.head.last).unwrap().saturating_sub(1)
    }

    fn listing(&self) -> Versions {
        ROWS.map(|row| self.stored[row].filter(|_| self.listed[row]))
    }

    /// Whether the store has what Belvo has, and nothing is left to settle.
    fn is_collected(&self) -> bool {
        let is_stored =
            |row: &usize| self.belvo[*row].is_none() || (self.listed[*row] && self.known[*row]);
        let is_settled = !self.head.is_interrupted();
        is_settled && self.listing() == self.belvo && ROWS.iter().all(is_stored)
    }

    fn may_read_on(&self) -> bool {
        match self.reader {
            Reader::Log { after } => self.head.since(after) != Unread::Nothing,
            _ => true,
        }
    }

    /// Whether nothing is left to change, to write or to read.
    fn is_quiet(&self) -> bool {
        self.changes_left == 0
            && self.writer == Writer::Idle
            && self.is_collected()
            && self.has_read_all
            && !self.may_read_on()
    }
}
