//! A fake of Belvo to develop and test against: one HTTP server on 127.0.0.1 with the shape of
//! Belvo's API for Brazil and, in part, Mexico. It generates data, sends webhooks, and misbehaves
//! on demand. It shares no code with the product, so that a misreading of Belvo on one side cannot
//! hide the same misreading on the other.

mod api;
mod config;
mod control;
mod data;
mod errors;
mod firewall;
mod journal;
mod limits;
mod link;
mod merge;
mod openapi;
mod resource;
mod row;
mod rules;
mod sender;
mod session;
mod state;
mod webhooks;
mod widget;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use reqwest::ClientBuilder;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{link::Link, state::App};

pub use crate::{
    config::{Config, Webhook},
    control::Control,
    firewall::Rate,
    openapi::{Schemas, Violation},
};

/// How long open connections may take to finish when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running sandbox. Dropping it stops it and discards pending webhooks.
pub struct Sandbox {
    url: String,
    app: Arc<App>,
    closing: watch::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

/// A sandbox without a server: what it answers is for others to serve. Dropping it discards pending
/// webhooks.
pub struct Unserved {
    app: Arc<App>,
    closing: watch::Sender<()>,
}

/// Opens a sandbox that somebody serves at `url`, an origin, with where the connections of its
/// webhooks lead.
pub fn open(config: Config, url: String, connections: ClientBuilder) -> anyhow::Result<Unserved> {
    let (closing, closed) = watch::channel(());
    let http = sender::client(connections)?;
    let app = Arc::new(App::new(config, url, http, closed));
    Ok(Unserved { app, closing })
}

impl Unserved {
    /// What answers every request: Belvo's API, its widget and the control API.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::router(&self.app))
            .merge(widget::router(&self.app))
            .nest("/_control", control::router(&self.app))
    }

    /// What was sent so far that Belvo's OpenAPI document does not allow.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.app.state().violations.clone()
    }

    /// For how long nothing of a link has changed, or was listed as it was before; `None` if there
    /// is no such link.
    #[must_use]
    pub fn unchanged_for(&self, link: &str) -> Option<Duration> {
        self.app.state().link(link).map(Link::unchanged_for)
    }

    /// Whether a row of any link was deleted, by the bank or by a rule, and has not come back.
    #[must_use]
    pub fn has_deleted(&self, row: &str) -> bool {
        self.app
            .state()
            .links
            .iter()
            .any(|link| link.has_deleted(row))
    }
}

/// Starts a sandbox on 127.0.0.1, on the runtime of the caller.
pub async fn start(config: Config) -> anyhow::Result<Sandbox> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
        .await
        .context("cannot listen on 127.0.0.1")?;
    let url = format!("http://{}", listener.local_addr()?);
    let sandbox = open(config, url.clone(), ClientBuilder::new())?;
    let router = sandbox.router();
    let Unserved { app, closing } = sandbox;
    let open = Arc::clone(&app);
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { open.closed().await })
        .into_future();
    let server = tokio::spawn(server);

    tracing::info!(url, "listening");
    Ok(Sandbox {
        url,
        app,
        closing,
        server,
    })
}

impl Sandbox {
    /// The origin at which the sandbox answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was sent so far that Belvo's OpenAPI document does not allow.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.app.state().violations.clone()
    }

    /// Stops the sandbox. Calls in progress have two seconds to finish; pending webhooks are
    /// discarded.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.closing);
        match tokio::time::timeout(GRACE, self.server).await {
            Ok(served) => Ok(served??),
            // A connection that stays open is cut when the process or the test ends.
            Err(_) => Ok(()),
        }
    }
}
