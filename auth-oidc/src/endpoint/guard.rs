//! What holds of every endpoint: it answers in time, and a panic stays its own.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use auth_core::decision::{Unavailable, within};
use auth_core::http::{Response, text};
use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use tracing::error;

use crate::endpoint::answer::unavailable;
use crate::provider::Provider;

/// Gives an endpoint up after [`Config::deadline`](crate::provider::Config::deadline), and answers for
/// one that panics, as code of the embedder's may: the directory, the hook, the pages.
///
/// Nothing is left half done by either: there is no state of ours but the store, and a commit is whole
/// or not at all. The message of a panic may hold anything, so it is not repeated.
pub(super) async fn guarded(
    provider: &Provider,
    operation: &'static str,
    headers: &HeaderMap,
    endpoint: impl Future<Output = Response>,
) -> Response {
    let endpoint = within(provider.config().deadline, endpoint);
    let cause = match AssertUnwindSafe(endpoint).catch_unwind().await {
        Ok(Ok(response)) => return response,
        Ok(Err(timeout)) => timeout,
        Err(_) => {
            error!(target: "oauth2", operation, "a handler panicked; see the panic's own message");
            Unavailable::Defect("a panic".into())
        }
    };
    let page = || match is_page(operation) {
        true => provider.unavailable_page(&cause, headers),
        false => unavailable(&cause),
    };
    // The pages may be what panicked.
    catch_unwind(AssertUnwindSafe(page)).unwrap_or_else(|_| {
        text(StatusCode::INTERNAL_SERVER_ERROR, "this provider cannot answer\n")
    })
}

/// Whether a person looks at the answers of an operation.
pub(crate) fn is_page(operation: &str) -> bool {
    matches!(operation, "authorize" | "end_session" | "login" | "consent" | "logout")
}
