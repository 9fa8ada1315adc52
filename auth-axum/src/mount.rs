//! [`mount`] and [`mount_admin`]: an engine as a router.

use std::net::SocketAddr;
use std::sync::Arc;

use auth_core::http::{BodyLimit, Engine, Listener, Peer, dispatch, paths, text};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Response, StatusCode};
use axum::routing::any;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// A router with the public routes of an engine.
///
/// Their paths count from the root of the host: `merge` it into the application's router, do not
/// `nest` it. A path that the engine does not have stays the application's. The engine learns the
/// address of the client if the service was made by
/// [`into_make_service_with_connect_info::<SocketAddr>`](Router::into_make_service_with_connect_info).
///
/// # Panics
/// As [`Router::merge`] does, when the application has one of the paths already.
pub fn mount<S>(engine: Arc<dyn Engine>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router(engine, Listener::Public)
}

/// A router with the admin routes of an engine, for a listener that the public does not reach. Some
/// stand on both listeners, such as those that tell of health, so the two routers cannot be merged.
pub fn mount_admin<S>(engine: Arc<dyn Engine>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router(engine, Listener::Admin)
}

fn router<S>(engine: Arc<dyn Engine>, listener: Listener) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    // The checks refuse segments such as `:id`, which meant something in axum 0.7; here they are literal.
    paths(&*engine, listener).into_iter().fold(
        Router::new().without_v07_checks(),
        |router, (path, limit)| {
            let engine = Arc::clone(&engine);
            let answer = move |request| answer(Arc::clone(&engine), listener, limit, request);
            router.route(&literal(path), any(answer))
        },
    )
}

/// The pattern that matches exactly this path.
fn literal(path: &str) -> String {
    path.replace('{', "{{").replace('}', "}}")
}

async fn answer(
    engine: Arc<dyn Engine>,
    listener: Listener,
    limit: BodyLimit,
    request: Request,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    if let Some(ConnectInfo(address)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        let peer = Peer(address.ip());
        parts.extensions.insert(peer);
    }
    let response = match limit.receive(Limited::new(body, limit.bytes).collect()).await {
        Ok(Ok(body)) => {
            let request = Request::from_parts(parts, body.to_bytes());
            dispatch(&*engine, listener, request).await
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => BodyLimit::too_long(),
        Ok(Err(_)) => text(StatusCode::BAD_REQUEST, "the body broke off\n"),
        Err(too_slow) => too_slow,
    };
    response.map(Body::from)
}
