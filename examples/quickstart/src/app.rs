//! [`DemoApp`]: the pages of the demo, and its sessions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::http::{
    CookieScope, CookieSpec, Engine, Form, Request, Response, Route, cookie, redirect,
};
use auth_core::{Entropy, SessionId, SystemEntropy};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use minijinja::{Environment, context};

use crate::relying_party::{Pending, RelyingParty, SignedIn, StepFailed};

const COOKIE: &str = "demo_session";
const TEMPLATE: &str = include_str!("../templates/demo.html");

/// A relying party with one page, as an engine.
pub struct DemoApp {
    relying_party: RelyingParty,
    routes: Vec<Route>,
    sessions: Mutex<HashMap<String, Session>>,
}

enum Session {
    Away(Pending),
    In(Arc<SignedIn>),
}

impl DemoApp {
    /// A demo at the root of `issuer`'s host, which signs people in at `provider`.
    #[must_use]
    pub fn engine(issuer: &str, provider: Arc<dyn Engine>) -> Arc<dyn Engine> {
        let routes = vec![
            Route::public(Method::GET, "/", "home"),
            Route::public(Method::GET, "/sign-in", "sign_in"),
            Route::public(Method::GET, "/callback", "callback"),
            Route::public(Method::POST, "/refresh", "refresh"),
            Route::public(Method::POST, "/sign-out", "sign_out"),
        ];
        let relying_party = RelyingParty::new(issuer, provider);
        Arc::new(Self { relying_party, routes, sessions: Mutex::default() })
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signed_in(&self, headers: &HeaderMap) -> Option<Arc<SignedIn>> {
        let id = cookie(headers, CookieScope::Development, COOKIE)?;
        match self.sessions().get(&id) {
            Some(Session::In(signed_in)) => Some(signed_in.clone()),
            _ => None,
        }
    }

    /// Keeps a session under a new name, so that no name from before the sign-in is worth anything.
    fn keep(&self, headers: &HeaderMap, session: Session, response: &mut Response) {
        let mut bytes = [0; 16];
        if SystemEntropy::default().fill(&mut bytes).is_err() {
            *response = page(StatusCode::SERVICE_UNAVAILABLE, None, Some("no randomness"));
            return;
        }
        let id = SessionId::from_bytes(bytes).to_string();
        let mut sessions = self.sessions();
        if let Some(old) = cookie(headers, CookieScope::Development, COOKIE) {
            sessions.remove(&old);
        }
        sessions.insert(id.clone(), session);
        CookieSpec::session(COOKIE, id).set(CookieScope::Development, response.headers_mut());
    }

    async fn answer(
        &self,
        operation: &'static str,
        request: &Request,
    ) -> Result<Response, StepFailed> {
        let headers = request.headers();
        let home = || redirect("/");
        Ok(match operation {
            "sign_in" => {
                let (url, pending) = self.relying_party.sign_in().await?;
                let mut response = redirect(&url);
                self.keep(headers, Session::Away(pending), &mut response);
                response
            }
            "callback" => self.callback(request).await?,
            "refresh" => {
                let Some(signed_in) = self.signed_in(headers) else { return Ok(home()) };
                let fresh = self.relying_party.refresh(&signed_in).await?;
                let mut response = home();
                self.keep(headers, Session::In(Arc::new(fresh)), &mut response);
                response
            }
            "sign_out" => {
                let Some(signed_in) = self.signed_in(headers) else { return Ok(home()) };
                let url = self.relying_party.sign_out(&signed_in).await?;
                if let Some(id) = cookie(headers, CookieScope::Development, COOKIE) {
                    self.sessions().remove(&id);
                }
                redirect(&url)
            }
            _ => page(StatusCode::OK, self.signed_in(headers).as_deref(), None),
        })
    }

    async fn callback(&self, request: &Request) -> Result<Response, StepFailed> {
        let refuse = |text: &str| Ok(page(StatusCode::BAD_REQUEST, None, Some(text)));
        let Ok(form) = Form::from_query(request.uri().query()) else {
            return refuse("the answer has a parameter twice");
        };
        let id = cookie(request.headers(), CookieScope::Development, COOKIE);
        let session = id.and_then(|id| self.sessions().remove(&id));
        let Some(Session::Away(pending)) = session else {
            return refuse("nobody was sent to sign in from this browser");
        };
        if form.get("state") != Some(pending.state.secret()) {
            return refuse("the answer has another state than the question");
        }
        if let Some(error) = form.get("error") {
            let text = form.get("error_description").unwrap_or_default();
            return refuse(&format!("{error}: {text}"));
        }
        let code = form.get("code").unwrap_or_default();
        let signed_in = self.relying_party.redeem(code, form.get("iss"), pending).await?;
        let mut response = redirect("/");
        self.keep(request.headers(), Session::In(Arc::new(signed_in)), &mut response);
        Ok(response)
    }
}

#[async_trait]
impl Engine for DemoApp {
    fn routes(&self) -> &[Route] {
        &self.routes
    }

    async fn call(&self, operation: &'static str, request: Request) -> Response {
        match self.answer(operation, &request).await {
            Ok(response) => response,
            Err(error) => page(StatusCode::BAD_GATEWAY, None, Some(&error.to_string())),
        }
    }
}

impl fmt::Debug for DemoApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DemoApp")
    }
}

fn page(status: StatusCode, signed_in: Option<&SignedIn>, problem: Option<&str>) -> Response {
    let pretty = |value| serde_json::to_string_pretty(value).unwrap_or_default();
    let html = Environment::new().render_named_str(
        "demo.html",
        TEMPLATE,
        context! {
            problem,
            signed_in => signed_in.map(|s| context! {
                id_token => pretty(&s.id_token_claims),
                userinfo => pretty(&s.userinfo),
                scope => &s.scope,
                expires_in => s.expires_in,
                refreshed => s.refreshed,
            }),
        },
    );
    let mut response = Response::new(html.unwrap_or_else(|error| error.to_string()).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
