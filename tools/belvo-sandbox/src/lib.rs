//! A Belvo to develop against: one HTTP server on 127.0.0.1 with the shape of Belvo's API for
//! Brazil (and the like of it for Mexico), generated data, webhooks, and a control API that makes
//! it misbehave. It shares no code with the product, so that a mistake in one cannot hide a mistake
//! in the other.

mod api;
mod config;
mod control;
mod data;
mod errors;
mod journal;
mod limits;
mod link;
mod merge;
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
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::state::App;

pub use crate::config::{Config, Webhook};

/// How long open connections may finish their answer when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running sandbox. It ends when this is dropped, pending webhooks with it.
pub struct Sandbox {
    url: String,
    closing: watch::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

/// Starts a sandbox on 127.0.0.1, on the runtime of the caller.
pub async fn start(config: Config) -> anyhow::Result<Sandbox> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
        .await
        .context("cannot listen on 127.0.0.1")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (closing, closed) = watch::channel(());
    let app = Arc::new(App::new(config, url.clone(), sender::client()?, closed));
    let router = Router::new()
        .merge(api::router(&app))
        .merge(widget::router(&app))
        .nest("/_control", control::router(&app));
    let ending = Arc::clone(&app);
    let server =
        axum::serve(listener, router).with_graceful_shutdown(async move { ending.closed().await });
    let server = tokio::spawn(server.into_future());
    tracing::info!(url, "listening");
    Ok(Sandbox {
        url,
        closing,
        server,
    })
}

impl Sandbox {
    /// Where the sandbox answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the sandbox: calls in progress may finish within two seconds, pending webhooks are
    /// forgotten.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.closing);
        match tokio::time::timeout(GRACE, self.server).await {
            Ok(served) => Ok(served??),
            // A connection that stays open is cut when the process or the test ends.
            Err(_) => Ok(()),
        }
    }
}
