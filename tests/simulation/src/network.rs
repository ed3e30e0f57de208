//! The network: one socket, to which every connection leads, and behind it a server for each host.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::ClientBuilder;
use tokio::{
    net::{UnixListener, UnixStream},
    task::spawn_local,
};
use tower_service::Service;

use crate::{
    aws, gateway,
    settings::{API, AWS, BELVO, STRANGER},
    world::World,
};

thread_local! {
    static SOCKET: RefCell<PathBuf> = RefCell::default();
}

/// A connection that ends without an answer.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection breaks")
    }
}

impl std::error::Error for Broken {}

/// Opens the network of this thread at a path.
pub(crate) fn listen(path: PathBuf) -> UnixListener {
    let listener = UnixListener::bind(&path).expect("a socket");
    SOCKET.set(path);
    listener
}

/// Connections that lead to the network of this thread.
pub(crate) fn connections() -> ClientBuilder {
    let path = SOCKET.with(|path| path.borrow().clone());
    ClientBuilder::new().unix_socket(path)
}

/// Serves every connection, for ever.
pub(crate) async fn serve(world: Rc<World>, listener: UnixListener) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        spawn_local(connection(Rc::clone(&world), stream));
    }
}

async fn connection(world: Rc<World>, stream: UnixStream) {
    let service = service_fn(|request| {
        let world = Rc::clone(&world);
        async move { answer(world, request).await.ok_or(Broken) }
    });
    // Whoever called may have hung up.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(world: Rc<World>, request: Request<Incoming>) -> Option<Response<Body>> {
    let header = |name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let host = header("host").unwrap_or_default();
    match host.as_str() {
        AWS => {
            let target = header("x-amz-target").unwrap_or_default();
            let body = request.into_body().collect().await.ok()?.to_bytes();
            world.note(&target, body.len());
            // What was asked may be done although nobody waits for it any more.
            let work = async move { aws::answer(&world, &target, body).await };
            spawn_local(work).await.ok()?
        }
        BELVO => {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default();
            world.note(parts.uri.path(), query.len());
            let request = Request::from_parts(parts, Body::new(body));
            world.belvo_router.clone().call(request).await.ok()
        }
        API => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            world.note(parts.uri.path(), body.len());
            let work = async move { gateway::answer(&world, &parts, &body).await };
            spawn_local(work).await.ok()
        }
        host => {
            assert_eq!(host, STRANGER, "an unknown host");
            world.strayed.set(world.strayed.get() + 1);
            None
        }
    }
}
