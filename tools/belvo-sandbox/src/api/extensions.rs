//! What travels with a call between the gate and the handlers.

use std::sync::Arc;

use crate::rules::{Action, Effect};

/// What the rules do to this call, for the handler to carry out.
#[derive(Clone)]
pub(crate) struct Effects(Arc<[Effect]>);

/// The request id that a handler issued, for the journal.
#[derive(Clone)]
pub(crate) struct Issued(pub(crate) String);

impl Effects {
    pub(crate) fn new(effects: Vec<Effect>) -> Self {
        Self(effects.into())
    }

    /// Whether one of the actions is the wanted one.
    pub(crate) fn has(&self, is_wanted: impl Fn(&Action) -> bool) -> bool {
        self.actions().any(is_wanted)
    }

    /// What is sent instead of the proper answer.
    pub(crate) fn replacement(&self) -> Option<&Effect> {
        self.0.iter().find(|effect| effect.action.replaces_answer())
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.0.iter().map(|effect| &effect.action)
    }
}
