//! Everything a running sandbox knows, behind one lock that is never held across an `await`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};
use tokio::sync::watch;

use crate::{
    config::{Config, Webhook},
    data::LinkSpec,
    firewall::Firewall,
    journal::Journal,
    limits::Limits,
    link::Link,
    openapi::Violation,
    resource::Resource,
    rules::Rules,
    session::Session,
    webhooks::Planned,
};

const DEFAULT_TRANSACTIONS: usize = 250;
/// How much history Brazil's open finance gives.
const DEFAULT_DAYS: u32 = 365;
const DEFAULT_INSTITUTION: &str = "ofmockbank_br_retail";

/// What handlers and webhook deliveries share.
pub(crate) struct App {
    pub(crate) config: Config,
    /// This server's own origin.
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    /// Its sender is dropped when the sandbox stops. Every wait without a limit also waits for
    /// this.
    pub(crate) closing: watch::Receiver<()>,
    state: Mutex<State>,
}

/// The part that changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) links: Vec<Link>,
    pub(crate) rules: Rules,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) journal: Journal,
    pub(crate) limits: Limits,
    pub(crate) firewall: Firewall,
    /// What was sent that Belvo's OpenAPI document does not allow.
    pub(crate) violations: Vec<Violation>,
    /// Webhooks that are held until the next one of their link has overtaken them.
    pub(crate) held: Vec<Planned>,
    /// The session that each access token of the widget opens.
    pub(crate) widgets: BTreeMap<String, Session>,
    created_by_seed: BTreeMap<u64, u64>,
}

/// What a link is created with.
pub(crate) struct NewLink {
    pub(crate) recurrent: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) institution: Option<String>,
    pub(crate) seed: u64,
    pub(crate) today: Date,
    pub(crate) days: u32,
    pub(crate) with_loan: bool,
    pub(crate) transactions: usize,
    /// How many rows of which other resources.
    pub(crate) resources: Vec<(&'static Resource, usize)>,
    /// Replaces the generated `refresh_rate`.
    pub(crate) refresh_rate: Option<String>,
    /// Replaces the generated `institution_user_id`.
    pub(crate) customer: Option<String>,
}

impl NewLink {
    /// A recurrent link with a year of transactions that ends today.
    pub(crate) fn with_defaults(seed: u64) -> Self {
        Self {
            recurrent: true,
            external_id: None,
            institution: None,
            seed,
            today: OffsetDateTime::now_utc().date(),
            days: DEFAULT_DAYS,
            with_loan: false,
            transactions: DEFAULT_TRANSACTIONS,
            resources: Vec::new(),
            refresh_rate: None,
            customer: None,
        }
    }

    /// A link of the same user at the same bank as `object`, without data of its own.
    fn again(object: &Value, seed: u64, today: Date) -> Self {
        let text = |field: &str| object[field].as_str().map(str::to_owned);
        Self {
            recurrent: object["access_mode"] == "recurrent",
            external_id: text("external_id"),
            institution: text("institution"),
            seed,
            today,
            days: 1,
            with_loan: false,
            transactions: 0,
            resources: Vec::new(),
            refresh_rate: text("refresh_rate"),
            customer: text("institution_user_id"),
        }
    }
}

impl App {
    pub(crate) fn new(
        config: Config,
        url: String,
        http: reqwest::Client,
        closing: watch::Receiver<()>,
    ) -> Self {
        let state = State {
            webhook: config.webhook.clone(),
            firewall: Firewall::new(config.requests_per_30_s),
            ..State::default()
        };
        Self {
            config,
            url,
            http,
            closing,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the sandbox stops.
    pub(crate) async fn closed(&self) {
        // Nothing is ever sent: the only change is that the sender is gone.
        let _ = self.closing.clone().changed().await;
    }
}

impl State {
    pub(crate) fn link(&self, id: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id)
    }

    pub(crate) fn link_mut(&mut self, id: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// The session of an access token that opens the widget.
    pub(crate) fn session(&self, token: &str) -> Option<&Session> {
        let session = self.widgets.get(token)?;
        session.is_open(Instant::now()).then_some(session)
    }

    /// Deletes a link with its accounts and rows, if it exists.
    pub(crate) fn delete(&mut self, id: &str) {
        self.links.retain(|link| link.id != id);
    }

    /// Creates a link. Its id and data follow from its seed and from how many links that seed has
    /// created before.
    pub(crate) fn create(&mut self, new: NewLink) -> &Link {
        let created = self.created_by_seed.entry(new.seed).or_default();
        let spec = LinkSpec {
            seed: new.seed,
            sequence: *created,
            recurrent: new.recurrent,
            external_id: new.external_id,
            institution: new
                .institution
                .unwrap_or_else(|| DEFAULT_INSTITUTION.to_owned()),
            today: new.today,
            days: new.days,
            with_loan: new.with_loan,
        };
        *created += 1;

        let mut link = Link::new(&spec, new.transactions);
        for (resource, count) in new.resources {
            link.add(resource, count, None);
        }
        if let Some(refresh_rate) = new.refresh_rate {
            link.object["refresh_rate"] = json!(refresh_rate);
        }
        if let Some(customer) = new.customer {
            link.object["institution_user_id"] = json!(customer);
        }
        self.links.push(link);
        &self.links[self.links.len() - 1]
    }

    /// Creates a link as when the user of another one connects the same bank again: what the bank
    /// names stays the same, and every id that Belvo assigns is new.
    pub(crate) fn reconnect(&mut self, id: &str, seed: u64) -> Option<&Link> {
        let link = self.link(id)?;
        let new = NewLink::again(&link.object, seed, link.today());
        let (accounts, transactions) = (link.accounts.clone(), link.transactions());

        let new_id = self.create(new).id.clone();
        self.link_mut(&new_id)?.adopt(accounts, transactions);
        self.link(&new_id)
    }
}
