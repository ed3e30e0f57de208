//! Calls that ask Belvo for something: links, the widget that creates them, and retrievals in the
//! asynchronous mode. A retrieval is scarce (Brazil's regulation allows 8 long ones per customer
//! and month), so nothing here sends one twice.

mod body;
mod collections;
mod config;
mod connect;
mod fields;
mod idempotency;
mod links;
mod problems;
mod quota;
mod replays;
mod retrieval_request;
mod retrieve;
mod unregistered;

use std::time::Duration;

use domain::{Limits, Timestamp};
use lambda_http::{Body, Request, Response};
use shared::{
    aws::{SdkConfig, warm_up},
    belvo::{BelvoError, Client, ClientBuilder, Pace, WidgetSettings},
    handler, http,
    problem::Problem,
    queue::Queue,
    secret::CachedSecret,
    store::Control,
};
use url::Url;

pub use config::Config;

/// Below the 29 seconds that template.yaml gives the function.
const TIME_TO_ANSWER: Duration = Duration::from_secs(27);

/// The one route that is not safe to repeat.
const RETRIEVE: &str = "POST /requests";

/// What the function needs to do its work.
#[derive(Clone)]
pub struct App {
    pub belvo: Client,
    pub control: Control,
    /// Receives what is left to `collect`.
    pub queue: Queue,
    pub limits: Limits,
    /// Seconds after which a request is checked if no webhook has arrived.
    pub request_due_s: u32,
    /// The hosted Connect Widget.
    pub widget_url: Url,
    /// What it shows and asks for.
    pub widget: WidgetSettings,
}

impl App {
    /// Wires the function; `belvo` configures the connections to Belvo.
    pub fn new(config: Config, aws: &SdkConfig, belvo: ClientBuilder) -> Result<Self, BelvoError> {
        let keys = CachedSecret::new(aws, config.belvo_secret_arn);
        let control = Control::open(aws, config.requests_table);
        let pace = Pace::shared(control.pace.clone(), config.belvo_calls_per_30_s);
        Ok(Self {
            belvo: Client::over(belvo, config.belvo_base_url, keys)?.with_pace(pace),
            control,
            queue: Queue::new(aws, config.queue_url),
            limits: config.limits,
            request_due_s: config.request_due_s,
            widget_url: config.widget_url,
            widget: config.widget,
        })
    }

    /// Opens a connection to AWS and reads the keys, so that the first request finds them.
    pub async fn warm_up(&self) {
        warm_up(async { tokio::join!(self.belvo.warm_up(), self.control.warm_up()) }).await;
    }

    /// The same for one call of the API, after which it is logged how Belvo answered.
    fn for_call(&self) -> Self {
        Self {
            belvo: self.belvo.counting(),
            ..self.clone()
        }
    }
}

/// Answers the routes that ask Belvo for something.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    let app = &app.for_call();
    let too_late = || match http::route_key(&request) {
        Some(RETRIEVE) => problems::unconfirmed(Timestamp::now()),
        _ => Problem::unavailable("The call timed out. It is safe to repeat.").retry_after(1),
    };
    handler::answer(&request, TIME_TO_ANSWER, too_late, route(app, &request)).await
}

async fn route(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    match http::route_key(request) {
        Some(RETRIEVE) => retrieve::retrieve(app, request).await,
        Some("POST /connect/token") => connect::mint(app, request).await,
        Some("POST /links") => links::register(app, request).await,
        Some("DELETE /links/{link}") => links::delete(app, request).await,
        Some("POST /links/{link}/collections") => collections::collect(app, request).await,
        Some("POST /webhooks/{id}/replays") => replays::replay(app, request).await,
        _ => Err(Problem::not_found("There is no such route.")),
    }
}
