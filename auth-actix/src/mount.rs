//! [`mount`] and [`mount_admin`]: an engine as a configuration of an application.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use auth_core::http::{BodyLimit, Engine, Listener, dispatch, paths, text};
use http::StatusCode;

use crate::convert;

/// The public routes of an engine, for `App::new().configure(…)`.
///
/// Their paths count from the root of the host: configure the application, not a scope of it. A path
/// that the engine does not have stays the application's. If the application has one of the paths,
/// too, the first that is registered answers.
pub fn mount(engine: Arc<dyn Engine>) -> impl FnOnce(&mut ServiceConfig) {
    configure(engine, Listener::Public)
}

/// The admin routes of an engine, for a listener that the public does not reach. Some stand on both
/// listeners, such as those that tell of health, so an application takes one of the two only.
pub fn mount_admin(engine: Arc<dyn Engine>) -> impl FnOnce(&mut ServiceConfig) {
    configure(engine, Listener::Admin)
}

fn configure(engine: Arc<dyn Engine>, listener: Listener) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        for (path, limit) in paths(&*engine, listener) {
            let engine = Arc::clone(&engine);
            let answer =
                move |request, body| answer(Arc::clone(&engine), listener, limit, request, body);
            config.service(web::resource(literal(path)).to(answer));
        }
    }
}

/// The pattern that matches exactly this path: a parameter in the place of each character with which
/// a parameter or a tail would begin.
fn literal(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for (place, character) in path.char_indices() {
        let _ = match character {
            '{' | '*' => write!(pattern, "{{p{place}:\\x{:02x}}}", u32::from(character)),
            _ => pattern.write_char(character),
        };
    }
    pattern
}

async fn answer(
    engine: Arc<dyn Engine>,
    listener: Listener,
    limit: BodyLimit,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let response = match limit.receive(body.to_bytes_limited(limit.bytes)).await {
        Ok(Ok(Ok(body))) => match convert::request(&request, body) {
            Ok(request) => dispatch(&*engine, listener, request).await,
            Err(_) => text(StatusCode::BAD_REQUEST, "this is not a proper request\n"),
        },
        Ok(Ok(Err(_))) => text(StatusCode::BAD_REQUEST, "the body broke off\n"),
        Ok(Err(_)) => BodyLimit::too_long(),
        Err(too_slow) => too_slow,
    };
    if request.method() == Method::HEAD {
        convert::head_response(response)
    } else {
        convert::response(response)
    }
}
