//! Users, Belvo and operators: what each of them does in a step.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use test_harness::{
    Answer, Link, Stack,
    trouble::{self, Trouble},
};
use tokio::{sync::Mutex, time::sleep};
use uuid::Uuid;

use crate::{
    aws::queues::Message,
    plan::{Action, Step},
    settings::{API, STRANGER},
    world::World,
};

/// In this time, what is announced is mostly collected.
const LAG: Duration = Duration::from_secs(30);

pub(crate) struct Users<'a> {
    pub(crate) world: Rc<World>,
    pub(crate) stack: &'a Stack,
    /// Belvo's ids of all links, in the order in which they were connected.
    links: RefCell<Vec<String>>,
    /// Whose they are, by our own id of the customer.
    customers: RefCell<BTreeMap<String, String>>,
    /// Those that were registered before anybody asked for anything.
    registered: RefCell<BTreeSet<String>>,
    /// Those that somebody has begun to delete: nothing happens to them at the bank any more.
    deleted: RefCell<BTreeSet<String>>,
    /// The ids of requests that were accepted.
    accepted: RefCell<BTreeSet<String>>,
    /// Held while something happens at the bank.
    bank: Mutex<()>,
    /// How many retrievals were asked for at most, by link.
    asked: RefCell<BTreeMap<String, u64>>,
}

impl<'a> Users<'a> {
    pub(crate) fn new(world: Rc<World>, stack: &'a Stack) -> Self {
        Self {
            world,
            stack,
            links: RefCell::default(),
            customers: RefCell::default(),
            registered: RefCell::default(),
            deleted: RefCell::default(),
            accepted: RefCell::default(),
            bank: Mutex::default(),
            asked: RefCell::default(),
        }
    }

    /// All links so far.
    pub(crate) fn links(&self) -> Vec<Link<'a>> {
        let links = self.links.borrow();
        links.iter().map(|id| self.stack.known_link(id)).collect()
    }

    /// Whose retrievals a link's are counted with: all of a customer's links, once it is known whose
    /// it is.
    pub(crate) fn quota_holder(&self, link: &Link<'_>) -> String {
        if self.registered.borrow().contains(&link.id) {
            self.customer_of(link)
        } else {
            link.id.clone()
        }
    }

    fn customer_of(&self, link: &Link<'_>) -> String {
        self.customers.borrow()[&link.id].clone()
    }

    /// The records of all requests of a link.
    pub(crate) async fn requests_of(&self, link: &Link<'_>) -> Vec<Value> {
        let path = format!("/links/{}/requests?limit=100", link.id);
        let answer = self.stack.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let page = answer.body;
        assert!(page["next_cursor"].is_null(), "more than a page: {page}");
        page["requests"].as_array().cloned().unwrap_or_default()
    }

    /// How many retrievals of a link were asked for at most.
    pub(crate) fn asked(&self, link: &str) -> u64 {
        self.asked.borrow().get(link).copied().unwrap_or_default()
    }

    /// Whether somebody has begun to delete a link.
    pub(crate) fn have_deleted(&self) -> bool {
        !self.deleted.borrow().is_empty()
    }

    /// The ids of all requests that were accepted.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.accepted.borrow().iter().cloned().collect()
    }

    /// Tells Belvo where webhooks go, and how they authenticate.
    pub(crate) async fn register_webhook(&self) {
        let webhook = json!({
            "url": format!("http://{API}/webhooks/belvo"),
            "authorization": self.world.secrets.authorization(),
        });
        let put = self.stack.sandbox.call(Method::PUT, "webhook", webhook);
        put.await.expect("the sandbox answers");
    }

    /// Does what a step says, when it says so.
    pub(crate) async fn take(&self, step: &Step) {
        sleep(step.at).await;
        let mut dice = ChaCha8Rng::seed_from_u64(step.seed);
        match step.action {
            Action::Connect => self.connect(&mut dice).await,
            Action::Redrive => self.redrive(),
            Action::RotateAuthorization => self.rotate_authorization(&mut dice).await,
            Action::RotateKeys => self.world.secrets.put_keys_again(),
            Action::Deploy => self.world.functions.deploy(dice.random()),
            Action::SetClock => self.world.set_clock(dice.random_range(-3_000..3_000)),
            action => {
                let links = self.links();
                if let Some(link) = links.choose(&mut dice) {
                    self.with_link(action, link, &mut dice).await;
                }
            }
        }
    }

    async fn with_link(&self, action: Action, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        match action {
            Action::Ask => self.ask(link, dice).await,
            Action::AskAgain => self.ask_again(link, dice).await,
            Action::Collect => self.collect(link).await,
            Action::Together => {
                let register = self.register(link);
                let announce = self.at_the_bank(Action::Notify, link, dice);
                futures::join!(register, announce, self.collect(link), self.register(link));
            }
            Action::Poison => self.world.queues.put(trouble::poison_of(dice), &link.id),
            Action::Replay => self.replay(link, dice).await,
            Action::Delete => self.delete(link, dice).await,
            action => self.at_the_bank(action, link, dice).await,
        }
    }

    /// What happens outside of the pipeline, if the link is still there.
    async fn at_the_bank(&self, action: Action, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        let _alone = self.bank.lock().await;
        if self.deleted.borrow().contains(&link.id) {
            return;
        }
        match action {
            Action::Reconnect => {
                let again = link.reconnect().await;
                self.begin(&again, self.customer_of(link), dice).await;
            }
            Action::Bank => {
                trouble::at_the_bank(link, dice).await;
                if dice.random_ratio(1, 8) {
                    self.lag_behind(link, dice).await;
                }
            }
            Action::Trouble => {
                self.trouble().on_the_way(link, dice).await;
                self.trouble().on_the_way(link, dice).await;
                match dice.random_range(0..4) {
                    0 | 1 => self.notify(link, dice).await,
                    2 => self.ask(link, dice).await,
                    _ => {}
                }
            }
            Action::Notify => self.notify(link, dice).await,
            other => unreachable!("{other:?} does not happen at the bank"),
        }
    }

    /// Belvo lists rows as they were, after what they have become was probably collected.
    async fn lag_behind(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        self.notify(link, dice).await;
        sleep(LAG).await;
        let rule = json!({"on": "get", "times": 20, "action": {"outdated": true}});
        link.misbehave(rule).await;
        self.notify(link, dice).await;
    }

    async fn delete(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        let alone = self.bank.lock().await;
        self.deleted.borrow_mut().insert(link.id.clone());
        drop(alone);
        let rows = ["keep", "erase"].choose(dice).copied().unwrap_or_default();
        let path = format!("/links/{}?rows={rows}", link.id);
        self.stack.delete(&path).await;
    }

    fn trouble(&self) -> Trouble<'_> {
        Trouble {
            stack: self.stack,
            stranger: STRANGER.parse().expect("an address"),
        }
    }

    async fn connect(&self, dice: &mut ChaCha8Rng) {
        let rows = [0, 1, 5, 12, 25, 45].choose(dice).copied();
        let external_id = Uuid::new_v4().to_string();
        let user = json!({
            "access_mode": "recurrent",
            "transactions": rows,
            "external_id": external_id,
        });
        let link = self.stack.link(user).await;
        self.begin(&link, external_id, dice).await;
        link.notify(json!({"webhook_code": "historical_update"}))
            .await;
    }

    /// Registers a new link of a customer's, or does not, before anybody else knows of it.
    async fn begin(&self, link: &Link<'_>, customer: String, dice: &mut ChaCha8Rng) {
        self.customers
            .borrow_mut()
            .insert(link.id.clone(), customer);
        if dice.random_ratio(3, 4) && self.register(link).await.is_success() {
            self.registered.borrow_mut().insert(link.id.clone());
        }
        self.links.borrow_mut().push(link.id.clone());
    }

    async fn register(&self, link: &Link<'_>) -> StatusCode {
        let registration = json!({"link": link.id, "external_id": self.customer_of(link)});
        self.stack.post("/links", &registration).await.status
    }

    async fn collect(&self, link: &Link<'_>) {
        let path = format!("/links/{}/collections", link.id);
        self.stack.post(&path, &json!({})).await;
    }

    /// Keeps the id of a request that was accepted, and returns it.
    fn keep(&self, answer: &Answer) -> Option<String> {
        let id = answer.body["request_id"].as_str();
        let id = id.filter(|_| answer.status == StatusCode::ACCEPTED)?;
        self.accepted.borrow_mut().insert(id.to_owned());
        Some(id.to_owned())
    }

    fn count(&self, link: &Link<'_>) {
        *self.asked.borrow_mut().entry(link.id.clone()).or_default() += 1;
    }

    async fn ask(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        self.count(link);
        let answer = self.stack.request(&window(link, dice)).await;
        self.keep(&answer);
    }

    async fn ask_again(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        self.count(link);
        let (window, key) = (window(link, dice), Uuid::new_v4().to_string());
        let (one, other) = (
            self.stack.request_with_key(&window, &key),
            self.stack.request_with_key(&window, &key),
        );
        let (one, other) = futures::join!(one, other);
        let again = self.stack.request_with_key(&window, &key).await;
        let ids: BTreeSet<_> = [one, other, again]
            .iter()
            .filter_map(|answer| self.keep(answer))
            .collect();
        assert!(ids.len() <= 1, "one key, several requests: {ids:?}");
    }

    async fn notify(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        let codes = [
            "historical_update",
            "new_transactions_available",
            "transactions_updated",
            "transactions_deleted",
        ];
        let webhook = json!({"webhook_code": codes.choose(dice)});
        link.notify(webhook).await;
    }

    async fn replay(&self, link: &Link<'_>, dice: &mut ChaCha8Rng) {
        let path = format!("/links/{}/webhooks?limit=20", link.id);
        let page = self.stack.get(&path).await.body;
        let webhooks = page["webhooks"].as_array().cloned().unwrap_or_default();
        if let Some(webhook) = webhooks.choose(dice) {
            let id = webhook["id"].as_str().expect("an id");
            let path = format!("/webhooks/{id}/replays");
            self.stack.post(&path, &Value::Null).await;
        }
    }

    async fn rotate_authorization(&self, dice: &mut ChaCha8Rng) {
        let new = format!("Bearer rotated-{}-{}", dice.random::<u64>(), Uuid::new_v4());
        self.world.secrets.rotate_authorization(&new);
        self.register_webhook().await;
    }

    /// Moves back the dead letters that our functions wrote.
    pub(crate) fn redrive(&self) {
        for letter in self.world.queues.take_dead_letters() {
            assert_has_reason(&letter);
            let body: Value = serde_json::from_str(&letter.body).unwrap_or_default();
            if body["task"].is_object() {
                self.world.queues.put(&letter.body, &letter.group);
            }
        }
    }
}

/// The body of a request for some days, which go back more than those of a short retrieval.
fn window(link: &Link<'_>, dice: &mut ChaCha8Rng) -> Value {
    let from = dice.random_range(10..365);
    link.days(from, dice.random_range(0..from))
}

/// I1: a dead letter says why it is one, unless SQS moved it.
fn assert_has_reason(letter: &Message) {
    let has_reason = letter.attributes["reason"].is_object();
    assert!(has_reason || letter.is_moved, "{}", letter.body);
}
