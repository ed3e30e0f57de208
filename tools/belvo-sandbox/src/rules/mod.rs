//! Misbehaviour on demand. A rule says where (`on`, `link`, `page`), how often (`times`) and what
//! ([`Action`]) goes wrong.
//!
//! When several rules match, each kind of action happens once, oldest rule first. Of the actions
//! that replace the answer only the oldest happens: one-time rules take effect one call after the
//! other. A rule is used up only when it takes effect.

mod action;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use self::action::{Action, Effect, On};

/// All rules, oldest first.
#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    last_id: u64,
}

struct Rule {
    id: u64,
    on: On,
    link: Option<String>,
    page: Option<u64>,
    /// How many matching calls still pass before the rule takes effect.
    skip: u64,
    /// How often the rule still takes effect; `None` is without end.
    times: Option<u64>,
    effect: Effect,
    /// The rule as it was posted.
    source: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSpec {
    on: On,
    link: Option<String>,
    page: Option<u64>,
    #[serde(default)]
    skip: u64,
    times: Option<u64>,
    action: Map<String, Value>,
}

impl Rules {
    /// Adds a rule in the form of the control API and returns its id, or says what is wrong with
    /// it.
    pub(crate) fn add(&mut self, source: Value) -> Result<u64, String> {
        let spec: RuleSpec =
            serde_json::from_value(source.clone()).map_err(|error| error.to_string())?;
        let effect = Effect::parse(spec.action)?;
        if !effect.action.exists_for(spec.on) {
            return Err("this `on` does not have this action".to_owned());
        }

        self.last_id += 1;
        self.rules.push(Rule {
            id: self.last_id,
            on: spec.on,
            link: spec.link.map(|link| link.to_lowercase()),
            page: spec.page,
            skip: spec.skip,
            times: spec.times,
            effect,
            source,
        });
        Ok(self.last_id)
    }

    /// Removes one rule, or all of them if no id is given; returns whether there was one.
    pub(crate) fn remove(&mut self, id: Option<u64>) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| id.is_some_and(|id| rule.id != id));
        self.rules.len() < before
    }

    /// Every rule, with what is left of it.
    pub(crate) fn list(&self) -> Value {
        self.rules.iter().map(Rule::report).collect()
    }

    /// What happens to this call or webhook. Counts down the rules that it concerns.
    pub(crate) fn fire(&mut self, on: On, link: Option<&str>, page: u64) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Vec::new();
        for rule in &mut self.rules {
            let action = &rule.effect.action;
            let is_excluded = effects
                .iter()
                .any(|earlier| earlier.action.excludes(action));
            if is_excluded || !rule.concerns(on, link, page) {
                continue;
            }

            if rule.skip > 0 {
                rule.skip -= 1;
            } else {
                rule.times = rule.times.map(|times| times - 1);
                effects.push(rule.effect.clone());
            }
        }
        effects
    }
}

impl Rule {
    fn concerns(&self, on: On, link: Option<&str>, page: u64) -> bool {
        self.on == on
            && self.times != Some(0)
            && self.link.as_deref().is_none_or(|only| Some(only) == link)
            && self.page.is_none_or(|only| only == page)
            && self.effect.action.concerns_page(page)
    }

    fn report(&self) -> Value {
        json!({
            "rule": self.id,
            "times_left": self.times,
            "as_given": self.source,
        })
    }
}
