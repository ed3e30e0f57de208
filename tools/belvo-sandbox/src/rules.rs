//! Misbehaviour on demand. A rule says where (`on`, `link`, `page`), how often (`times`) and what
//! ([`Action`]).
//!
//! When several rules match, each kind of action happens once, oldest rule first; of the actions
//! that replace the answer only the oldest happens, so that a list of one-time rules plays one
//! after the other. A rule is used up only when it takes effect.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::errors::{ErrorSpec, is_documented};

/// Which calls a rule is about.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    /// `POST /api/transactions/`
    Post,
    /// `GET /api/transactions/` and `GET /api/transactions/{id}/`
    Get,
    /// Webhooks this server sends.
    Webhook,
    /// `POST /api/token/`
    Token,
    /// Everything under `/api/links/`
    Links,
    /// Everything under `/api/accounts/`
    Accounts,
}

/// What may go wrong. The names are those of the control API; the README has the same table with
/// examples.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// A documented error with Belvo's body, by code.
    Error(ErrorSpec),
    /// The HTML page of the firewall.
    #[serde(rename = "html_403")]
    Html403(Yes),
    /// A bare status, with `Retry-After` if asked for.
    Status {
        status: u16,
        retry_after: Option<u64>,
    },
    /// No answer until the client gives up.
    Hang(Yes),
    /// The connection closes without an answer.
    Disconnect(Yes),
    /// 302 to another place.
    Redirect(String),
    /// The answer, or the webhook, comes so much later.
    DelayMs(u64),
    /// A POST that asks for asynchronous mode is answered with 201 and the rows.
    IgnoreAsync(Yes),
    /// `next` of the page before leads past this page.
    DropPage(u64),
    /// This page's body ends in the middle.
    TornPage(u64),
    /// `next` leads to this origin.
    ForeignNext(String),
    /// After page 1 so many rows appear before all others.
    Drift { insert: usize },
    /// A page after the first begins with the last row of the one before.
    DuplicateRows(Yes),
    /// A page has its first row twice.
    RepeatRows(Yes),
    /// No rows: the data is not there yet.
    Empty(Yes),
    /// So many further deliveries of the same bytes.
    Duplicate(u32),
    /// The webhook is never sent.
    Drop(Yes),
    /// The webhook is answered before the 202 is sent.
    Early(Yes),
    /// Another `Authorization` than the registered one.
    WrongAuthorization(Yes),
    /// A body that is not JSON and still contains the request id.
    Malformed(Yes),
    /// The webhook goes out after the next one of its link.
    HoldUntilNext(Yes),
    /// `data.errors` instead of totals.
    DataErrors { code: String, message: String },
    /// So many more bytes in the body.
    ExtraBytes(usize),
    /// Another `webhook_code`.
    Code(String),
    /// No `request_id` in the body.
    WithoutRequestId(Yes),
}

/// The only value of an action that takes none: `true`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "bool")]
pub(crate) struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value {
            Ok(Self)
        } else {
            Err("write true, or leave the rule out")
        }
    }
}

/// An action that takes effect now.
#[derive(Clone)]
pub(crate) struct Effect {
    pub(crate) action: Action,
    /// The call does its work first and is then answered with this.
    pub(crate) after: bool,
}

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
    /// So many calls that it would concern still go unharmed.
    skip: u64,
    /// How often it may still happen; absent is for ever.
    times: Option<u64>,
    effect: Effect,
    /// As it was given.
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
    /// Adds a rule as the control API takes it; the error says what is wrong with it.
    pub(crate) fn add(&mut self, source: Value) -> Result<u64, String> {
        let spec: RuleSpec =
            serde_json::from_value(source.clone()).map_err(|error| error.to_string())?;
        let effect = parse_effect(spec.action)?;
        if !effect.action.fits(spec.on) {
            return Err("this action does not exist for this `on`".to_owned());
        }
        self.last_id += 1;
        let link = spec.link.map(|link| link.to_lowercase());
        self.rules.push(Rule {
            id: self.last_id,
            on: spec.on,
            link,
            page: spec.page,
            skip: spec.skip,
            times: spec.times,
            effect,
            source,
        });
        Ok(self.last_id)
    }

    /// Removes one rule, or all; says whether there was one.
    pub(crate) fn remove(&mut self, id: Option<u64>) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| id.is_some_and(|id| rule.id != id));
        self.rules.len() < before
    }

    pub(crate) fn list(&self) -> Value {
        let shown = |rule: &Rule| json!({ "rule": rule.id, "times_left": rule.times, "as_given": rule.source });
        self.rules.iter().map(shown).collect()
    }

    /// What happens to a call on page `page` of this link; uses up what happens.
    pub(crate) fn fire(&mut self, on: On, link: Option<&str>, page: u64) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Vec::new();
        for rule in &mut self.rules {
            let matches = rule.on == on
                && rule.times != Some(0)
                && rule.link.as_deref().is_none_or(|only| Some(only) == link)
                && rule.page.is_none_or(|only| only == page)
                && rule.effect.action.concerns_page(page)
                && !effects
                    .iter()
                    .any(|earlier| earlier.action.excludes(&rule.effect.action));
            if matches && rule.skip > 0 {
                rule.skip -= 1;
            } else if matches {
                rule.times = rule.times.map(|times| times - 1);
                effects.push(rule.effect.clone());
            }
        }
        effects
    }
}

impl Action {
    /// Whether the action stands instead of the proper answer.
    pub(crate) fn replaces_answer(&self) -> bool {
        use Action::{Disconnect, Error, Hang, Html403, Redirect, Status};
        matches!(
            self,
            Error(_) | Html403(_) | Status { .. } | Hang(_) | Disconnect(_) | Redirect(_)
        )
    }

    fn excludes(&self, other: &Self) -> bool {
        self.replaces_answer() && other.replaces_answer()
            || std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn concerns_page(&self, page: u64) -> bool {
        match self {
            Self::DropPage(dropped) => page + 1 == *dropped,
            Self::TornPage(torn) => page == *torn,
            Self::Drift { .. } => page == 1,
            Self::DuplicateRows(_) => page > 1,
            _ => true,
        }
    }

    fn fits(&self, on: On) -> bool {
        use Action::{DelayMs, DropPage, DuplicateRows, Empty, ForeignNext, RepeatRows, TornPage};
        match self {
            DelayMs(_) => true,
            _ if self.replaces_answer() => on != On::Webhook,
            Self::IgnoreAsync(_) => on == On::Post,
            DropPage(_)
            | TornPage(_)
            | ForeignNext(_)
            | Self::Drift { .. }
            | DuplicateRows(_)
            | RepeatRows(_)
            | Empty(_) => on == On::Get,
            _ => on == On::Webhook,
        }
    }
}

/// Reads `{"hang": true, "after": true}` and the like: exactly one action, with `after` beside it
/// if at all.
fn parse_effect(mut fields: Map<String, Value>) -> Result<Effect, String> {
    let after = match fields.remove("after") {
        None => false,
        Some(value) => value.as_bool().ok_or("`after` is true or false")?,
    };
    // `status` is the one action with its value and its option side by side.
    if let Some(status) = fields
        .get("status")
        .filter(|status| status.is_u64())
        .cloned()
    {
        let retry_after = fields.remove("retry_after");
        fields.insert(
            "status".to_owned(),
            json!({ "status": status, "retry_after": retry_after }),
        );
    }
    let action: Action =
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    if let Action::Error(error) = &action
        && !is_documented(&error.code)
    {
        return Err(format!(
            "`{}` is not one of Belvo's error codes",
            error.code
        ));
    }
    if after && !action.replaces_answer() {
        return Err("`after` goes with actions that replace the answer".to_owned());
    }
    Ok(Effect { action, after })
}
