//! Everything a running sandbox knows, behind one lock that is never held across an `await`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::json;
use time::{Date, OffsetDateTime};
use tokio::sync::watch;

use crate::{
    config::{Config, Webhook},
    data::LinkSpec,
    journal::Journal,
    limits::Limits,
    link::Link,
    resource::Resource,
    rules::Rules,
    session::Session,
    webhooks::Planned,
};

/// Rows of a link when nobody says how many.
const DEFAULT_TRANSACTIONS: usize = 250;
/// Days of history when nobody says how many: what Brazil's open finance gives.
const DEFAULT_DAYS: u32 = 365;

/// What handlers and webhook deliveries share.
pub(crate) struct App {
    pub(crate) config: Config,
    /// This server's own origin.
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    /// Its sender is dropped when the sandbox ends; whatever waits, waits for this too.
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
    /// Webhooks that wait for the next one of their link to overtake them.
    pub(crate) held: Vec<Planned>,
    /// What each access token of the widget was minted for.
    pub(crate) widgets: BTreeMap<String, Session>,
    made_by_seed: BTreeMap<u64, u64>,
}

/// What one asks for when one makes a link.
pub(crate) struct NewLink {
    pub(crate) recurrent: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) institution: Option<String>,
    pub(crate) seed: u64,
    pub(crate) today: Date,
    pub(crate) days: u32,
    pub(crate) with_loan: bool,
    pub(crate) transactions: usize,
    /// How many rows of other resources.
    pub(crate) resources: Vec<(&'static Resource, usize)>,
    /// Another rate than the generated one.
    pub(crate) refresh_rate: Option<String>,
    /// Another `institution_user_id` than the generated one.
    pub(crate) customer: Option<String>,
}

impl NewLink {
    /// A recurrent link with what a link has when nobody says otherwise.
    pub(crate) fn usual(seed: u64) -> Self {
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

    /// Returns when the sandbox ends.
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

    /// Makes a link whose id and data follow from its seed and the number of links made from that
    /// seed before.
    pub(crate) fn create(&mut self, new: NewLink) -> &Link {
        let made = self.made_by_seed.entry(new.seed).or_default();
        let spec = LinkSpec {
            seed: new.seed,
            sequence: *made,
            recurrent: new.recurrent,
            external_id: new.external_id,
            institution: new
                .institution
                .unwrap_or_else(|| "ofmockbank_br_retail".to_owned()),
            today: new.today,
            days: new.days,
            with_loan: new.with_loan,
        };
        *made += 1;
        let mut link = Link::new(&spec, new.transactions);
        for (resource, count) in new.resources {
            link.add(resource, count, None);
        }
        for (field, value) in [
            ("refresh_rate", new.refresh_rate),
            ("institution_user_id", new.customer),
        ] {
            if let Some(value) = value {
                link.object[field] = json!(value);
            }
        }
        self.links.push(link);
        &self.links[self.links.len() - 1]
    }

    /// Makes a link as when the user of another one connects the same bank again: what the
    /// institution names stays, and every id of Belvo's is new.
    pub(crate) fn reconnect(&mut self, id: &str, seed: u64) -> Option<&Link> {
        let link = self.link(id)?;
        let new = NewLink {
            recurrent: link.object["access_mode"] == "recurrent",
            external_id: link.object["external_id"].as_str().map(str::to_owned),
            institution: link.object["institution"].as_str().map(str::to_owned),
            seed,
            today: link.today(),
            days: 1,
            with_loan: false,
            transactions: 0,
            resources: Vec::new(),
            refresh_rate: link.object["refresh_rate"].as_str().map(str::to_owned),
            customer: link.object["institution_user_id"]
                .as_str()
                .map(str::to_owned),
        };
        let made = self.create(new).id.clone();
        let (accounts, rows) = {
            let elder = self.link(id)?;
            (elder.accounts.clone(), elder.values())
        };
        self.link_mut(&made)?.adopt(accounts, rows);
        self.link(&made)
    }
}
