//! How refusals and failures are answered, in one place.

use std::net::IpAddr;
use std::sync::Once;

use auth_core::challenge::DeskError;
use auth_core::decision::Unavailable;
use auth_core::http::{
    Form, PageResponse, Peer, Request, Response, json, preferred_locales, redirect,
};
use auth_core::page::{ErrorPage, Explanation, Page, Remedy};
use auth_core::{Attempt, Limited, RequestId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use tracing::{error, warn};

use crate::authorize::{AuthorizationResponse, AuthorizeRefusal, PageError};
use crate::client::authenticate::Presented;
use crate::explain::{Explained, explain};
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};

/// The parameters of a request: those of the query and, for a POST, those of the body; none may stand in
/// both.
pub(super) fn parameters(request: &Request) -> Result<Form, auth_core::http::FormError> {
    let query = Form::from_query(request.uri().query())?;
    match request.method() {
        &http::Method::POST => query.merge(Form::from_body(request.headers(), request.body())?),
        _ => Ok(query),
    }
}

/// RFC 6749 §5.2.
pub(super) fn refusal(refusal: &Refusal) -> Response {
    explained(refusal, None)
}

/// The same, with an explanation for a developer.
fn explained(refusal: &Refusal, explanation: Option<Explanation>) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a str,
        error_description: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        explanation: Option<Explanation>,
    }
    let error = refusal.error.as_str();
    let body = Body { error, error_description: &refusal.description, explanation };
    let status = match refusal.too_many {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => refusal.error.status(),
    };
    let mut response = json(status, &body);
    if let Some(too_many) = refusal.too_many {
        let seconds = too_many.retry_after.as_secs().max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.basic && status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static(r#"Basic realm="token", charset="UTF-8""#);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A component is away: 503 as JSON; the cause goes to the log only.
pub(super) fn unavailable(cause: &Unavailable) -> Response {
    let code = report(cause);
    if code == ErrorCode::IssuerGone {
        return refusal(&Refusal::new(code, GONE));
    }
    let mut response = refusal(&Refusal::new(code, "the provider cannot answer now; try again"));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

const GONE: &str = "this issuer was deleted";

fn report(cause: &Unavailable) -> ErrorCode {
    if let Unavailable::TenantDeleted(tenant) = cause {
        warn!(target: "oauth2", %tenant, "a request for a tenant that was deleted");
        return ErrorCode::IssuerGone;
    }
    error!(target: "oauth2", error = cause as &dyn std::error::Error, "a request failed");
    match cause {
        Unavailable::Defect(_) | Unavailable::Damaged(_) | Unavailable::Newer(_) => {
            ErrorCode::ServerError
        }

        _ => ErrorCode::TemporarilyUnavailable,
    }
}

impl Provider {
    /// A page in the person's language.
    pub(super) fn page(&self, status: StatusCode, page: &Page, locales: &[String]) -> Response {
        let mut nonce = [0; 16];
        if let Err(cause) = self.driver().ports().entropy.fill(&mut nonce) {
            return unavailable(&cause.into());
        }
        PageResponse::new(self.pages(), locales, nonce).respond(status, page)
    }

    /// The parameters of a back-channel request: the body only (RFC 6749 §3.2).
    pub(super) fn body(&self, request: &Request) -> Result<Form, Response> {
        if request.uri().query().is_some() {
            let text = "parameters are sent in the body, never in the query";
            return Err(self.refuse(&Refusal::invalid_request(text).by("RFC 6749 §2.3.1, §3.2")));
        }
        Form::from_body(request.headers(), request.body()).map_err(|error| {
            let mut response = self.refuse(&error.clone().into());
            if error == auth_core::http::FormError::ContentType {
                *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            }
            response
        })
    }

    /// A refusal as JSON, which the log explains, and in development mode the answer as well.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Response {
        let rule = refusal.rule.as_ref();
        let explanation = explain(refusal.error.as_str(), &refusal.description, rule);
        explained(refusal, self.config().explain.then_some(explanation))
    }

    /// An error as a page: never a redirect.
    pub(super) fn error_page(&self, error: &PageError, headers: &HeaderMap) -> Response {
        let rule = error.rule.as_ref();
        let explanation = explain(error.error.as_str(), &error.description, rule);
        let request_id = request_id(headers);
        let mut page = ErrorPage::new(
            error.status.as_u16(),
            error.error.as_str(),
            &error.description,
            request_id,
        );
        page.remedy = error.remedy;
        page.explanation = self.config().explain.then_some(explanation);
        let mut response =
            self.page(error.status, &Page::Error(page), &preferred_locales(None, headers));
        if error.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    pub(super) fn unavailable_page(&self, cause: &Unavailable, headers: &HeaderMap) -> Response {
        let error = match report(cause) {
            ErrorCode::IssuerGone => PageError::new(ErrorCode::IssuerGone, GONE),
            code => PageError::new(code, "the provider cannot answer now").remedy(Remedy::TryLater),
        };
        self.error_page(&error, headers)
    }

    /// A refusal of the authorization endpoint: a page, or an error for the client.
    pub(super) fn authorize_refusal(
        &self,
        refusal: AuthorizeRefusal,
        headers: &HeaderMap,
    ) -> Response {
        match refusal {
            AuthorizeRefusal::Page(error) => self.error_page(&error, headers),
            AuthorizeRefusal::Redirect(error) => {
                explain(&error.error, &error.description, error.rule.as_ref());
                let parameters = [("error", error.error), ("error_description", error.description)];
                self.respond(error.to.respond(parameters), headers)
            }
        }
    }

    /// An authorization response by its mode.
    pub(super) fn respond(&self, response: AuthorizationResponse, headers: &HeaderMap) -> Response {
        match response {
            AuthorizationResponse::Redirect(url) => redirect(&url),
            AuthorizationResponse::FormPost(page) => {
                let locales = preferred_locales(None, headers);
                self.page(StatusCode::OK, &Page::FormPost(page), &locales)
            }
        }
    }

    /// A challenge cannot be opened or settled: the page names the cause.
    pub(super) fn desk_error(&self, error: &DeskError, headers: &HeaderMap) -> Response {
        let (status, remedy) = match error {
            DeskError::Unavailable(cause) => return self.unavailable_page(cause, headers),
            DeskError::Expired | DeskError::Used => (StatusCode::GONE, Remedy::StartAgain),
            _ => (StatusCode::BAD_REQUEST, Remedy::StartAgain),
        };
        let page = PageError::new(ErrorCode::InvalidRequest, error.to_string());
        self.error_page(&page.status(status).remedy(remedy), headers)
    }

    /// Where a request comes from: an address, or the network of an IPv6 one, since whoever has one
    /// address there has 2⁶⁴. Empty if the adapter was not told, which it warns of.
    pub(super) fn source(&self, request: &Request) -> String {
        static UNKNOWN: Once = Once::new();
        let Some(peer) = request.extensions().get::<Peer>() else {
            UNKNOWN.call_once(|| {
                warn!(target: "oauth2", "the addresses of peers are unknown: nothing is limited by source; \
                    on axum serve by `into_make_service_with_connect_info::<SocketAddr>()`");
            });
            return String::new();
        };
        match self.config().trusted_proxies.client(peer.0, request.headers()).to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                format!("{}/64", std::net::Ipv6Addr::from_bits(network))
            }
        }
    }

    /// Whether the client may try to authenticate now, from where it is.
    pub(super) async fn admit(&self, presented: &Presented, source: &str) -> Result<(), Response> {
        let whose = format!("{} {source}", presented.client_id);
        let attempt = Attempt::new(self.tenant().id, "client_authentication", &whose);
        match self.limiter().admit(&attempt).await {
            Ok(()) => Ok(()),
            Err(Limited::TooMany(too_many)) => Err(self.refuse(&Refusal {
                too_many: Some(too_many),
                ..Refusal::new(ErrorCode::InvalidClient, too_many.to_string())
            })),
            Err(Limited::Unavailable(cause)) => Err(unavailable(&cause)),
            Err(other) => Err(unavailable(&Unavailable::Defect(other.into()))),
        }
    }

    /// Counts a failed client authentication.
    pub(super) async fn count_failure(
        &self,
        presented: &Presented,
        source: &str,
        refusal: &Refusal,
    ) {
        if refusal.error == ErrorCode::InvalidClient {
            let whose = format!("{} {source}", presented.client_id);
            let attempt = Attempt::new(self.tenant().id, "client_authentication", &whose);
            self.limiter().failed(&attempt).await;
        }
    }
}

/// The header by which the id of a request travels from the dispatcher to an endpoint that shows pages.
pub(crate) const REQUEST_ID: &str = "x-auth-request-id";

fn request_id(headers: &HeaderMap) -> String {
    let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    id.filter(|id| RequestId::parse(id).is_some()).unwrap_or_default().to_owned()
}
