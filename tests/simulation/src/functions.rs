//! The five functions, each wired as its `main` does.

use std::{cell::Cell, rc::Rc, time::Duration};

use axum::body::Bytes;
use lambda_http::{Body, Request, Response};
use serde_json::Value;
use shared::aws::{CallBudget, sdk_config_over};
use test_harness::aws::lambda::timeout_of;

use crate::{lambda::Function, network::connections, world::World};

pub(crate) struct Functions {
    request: Function<request::App>,
    webhook: Function<webhook::App>,
    collect: Function<collect::App>,
    query: Function<query::App>,
    publish: Function<publish::Bus>,
    /// Which settings new environments have.
    version: Cell<u32>,
}

impl Default for Functions {
    fn default() -> Self {
        Self {
            request: Function::new(timeout_of("request")),
            webhook: Function::new(timeout_of("webhook")),
            collect: Function::new(timeout_of("collect")),
            query: Function::new(timeout_of("query")),
            publish: Function::new(timeout_of("publish")),
            version: Cell::new(0),
        }
    }
}

impl Functions {
    /// Deploys other settings: environments from now on have them, those that work go on with the
    /// old ones, and those that wait are either ended or go on, too.
    pub(crate) fn deploy(&self, ends_waiting: bool) {
        self.version.set(self.version.get() + 1);
        if ends_waiting {
            self.request.replace();
            self.webhook.replace();
            self.collect.replace();
            self.query.replace();
            self.publish.replace();
        }
    }

    /// Lets a function of the API answer; `None` if it ended without an answer.
    pub(crate) async fn answer(
        &self,
        world: &World,
        function: &str,
        call: Request,
    ) -> Option<Response<Body>> {
        match function {
            "webhook" => self.webhook(world, call).await,
            "query" => self.query(world, call).await,
            _ => self.request(world, call).await,
        }
    }

    async fn request(&self, world: &World, call: Request) -> Option<Response<Body>> {
        let start = async || {
            let config = request::Config::from_env().expect("settings");
            let aws = sdk_config_over(connections(), CallBudget::PROMPT).expect("settings");
            let app = request::App::new(config, &aws, connections()).expect("a client");
            app.warm_up().await;
            app
        };
        let work = async move |app: Rc<request::App>| request::handle(&app, call).await;
        self.request.invoke(world, start, work).await
    }

    async fn webhook(&self, world: &World, call: Request) -> Option<Response<Body>> {
        let start = async || {
            let config = webhook::Config::from_env().expect("settings");
            let aws = sdk_config_over(connections(), webhook::CALL_BUDGET).expect("settings");
            let app = webhook::App::new(config, &aws);
            app.warm_up().await;
            app
        };
        let work = async move |app: Rc<webhook::App>| webhook::handle(&app, call).await;
        self.webhook.invoke(world, start, work).await
    }

    async fn query(&self, world: &World, call: Request) -> Option<Response<Body>> {
        let start = async || {
            let config = query::Config::from_env().expect("settings");
            let aws = sdk_config_over(connections(), CallBudget::PROMPT).expect("settings");
            let app = query::App::new(config, &aws);
            app.warm_up().await;
            app
        };
        let work = async move |app: Rc<query::App>| query::handle(&app, call).await;
        self.query.invoke(world, start, work).await
    }

    /// Lets `collect` process a batch; the ids of the messages that it wants to be retried.
    pub(crate) async fn collect(&self, world: &World, batch: Value) -> Option<Vec<String>> {
        let version = self.version.get();
        let start = async || {
            let config = collect::Config::from_env().expect("settings");
            let aws = sdk_config_over(connections(), CallBudget::PATIENT).expect("settings");
            let mut app = collect::App::new(config, &aws, connections()).expect("a client");
            if version % 2 == 1 {
                // Another release's: interrupted sooner.
                app.turn = Duration::from_secs(1);
            }
            app.warm_up().await;
            app
        };
        let batch = serde_json::from_value(batch).expect("a batch");
        let time = timeout_of("collect");
        let work = async move |app: Rc<collect::App>| collect::handle(&app, batch, time).await;
        let answer = self.collect.invoke(world, start, work).await?;
        let failures = answer.batch_item_failures.into_iter();
        Some(failures.map(|failure| failure.item_identifier).collect())
    }

    /// Lets `publish` publish a batch; whether it did.
    pub(crate) async fn publish(&self, world: &World, batch: Value) -> bool {
        let start = async || {
            let config = publish::Config::from_env().expect("settings");
            let aws = sdk_config_over(connections(), CallBudget::PATIENT).expect("settings");
            publish::Bus::new(&aws, config.event_bus_name)
        };
        let batch = serde_json::from_value(batch).expect("a batch");
        let work = async move |bus: Rc<publish::Bus>| publish::handle(&bus, batch).await.is_ok();
        self.publish.invoke(world, start, work).await == Some(true)
    }
}

/// The body of an answer.
pub(crate) fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    }
}
