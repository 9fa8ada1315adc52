//! Health and version, in the form of Ory's servers, so that probes made for those work here.

use auth_core::http::{Response, json};
use http::StatusCode;
use serde_json::json;

use crate::provider::Provider;

/// The process answers: whatever becomes of its store, it need not be started again.
pub(super) fn alive() -> Response {
    json(StatusCode::OK, &json!({"status": "ok"}))
}

/// The provider can do its work, so that requests may be sent here. Nothing is said about why not.
pub(super) async fn ready(provider: &Provider) -> Response {
    let readiness = provider.readiness().await;
    match readiness.is_ready() {
        true => alive(),
        false => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"errors": readiness.errors})),
    }
}

/// For operators only: it tells an attacker what to try.
pub(super) fn version() -> Response {
    json(StatusCode::OK, &json!({"version": env!("CARGO_PKG_VERSION")}))
}
