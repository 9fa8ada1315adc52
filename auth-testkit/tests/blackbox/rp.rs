//! [`RelyingParty`]: a client's server, which is told things.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_fetch::SafeHttpClient;
use auth_oidc::client::Client;
use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use url::form_urlencoded;

use crate::world::{SECRET, web};

/// A request that reached it.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: Method,
    pub uri: Uri,
    pub content_type: String,
    pub form: Vec<(String, String)>,
}

/// What it answers next; 200 if nothing is said.
#[derive(Debug, Clone)]
pub enum Answers {
    Status(u16),
    RedirectTo(String),
    /// Nothing, for so long.
    Late(Duration),
}

#[derive(Clone, Default)]
struct Inside {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answers>>>,
    published: Arc<Mutex<HashMap<String, (String, String)>>>,
}

/// A client's server on this machine.
pub struct RelyingParty {
    pub origin: String,
    inside: Inside,
}

impl RelyingParty {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let inside = Inside::default();
        let app = Router::new().fallback(receive).with_state(inside.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { origin: format!("http://{address}"), inside }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn answers(&self, next: impl IntoIterator<Item = Answers>) {
        self.inside.answers.lock().unwrap().extend(next);
    }

    /// Has a document at `path` from now on, with this `Cache-Control`, if it is not empty.
    pub fn publish(&self, path: &str, cache_control: &str, document: impl Into<String>) {
        let document = (cache_control.to_owned(), document.into());
        self.inside.published.lock().unwrap().insert(path.to_owned(), document);
    }

    /// How many requests came since the last time.
    pub fn asked(&self) -> usize {
        self.received().len()
    }

    /// What came since the last time.
    pub fn received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.inside.received.lock().unwrap())
    }

    /// The logout tokens that came since the last time, each of them all that was sent.
    pub fn logout_tokens(&self) -> Vec<String> {
        let token = |received: Received| {
            assert_eq!(received.method, Method::POST);
            assert_eq!(received.content_type, "application/x-www-form-urlencoded");
            let [(name, token)] = received.form.try_into().unwrap();
            assert_eq!(name, "logout_token");
            token
        };
        self.received().into_iter().map(token).collect()
    }

    /// A client of this server that is told of logouts at `path`.
    pub fn client(&self, client_id: &str, path: &str) -> Client {
        Client::confidential(client_id, SECRET)
            .redirect_uri(self.url("/cb"))
            .scope("openid profile offline_access")
            .skip_consent()
            .backchannel_logout_uri(self.url(path))
    }
}

/// The client `web`, which is told of logouts at `path` of `server`.
pub fn web_told_at(server: &RelyingParty, path: &str) -> Client {
    web().backchannel_logout_uri(server.url(path))
}

/// What sends to this machine, too.
pub fn outgoing() -> SafeHttpClient {
    let open = SafeHttpClient::builder().insecure_private_networks().insecure_plaintext();
    open.time_limit(Duration::from_secs(1)).build().unwrap()
}

/// A page that has a frame of the provider, and asks it what `ask` is called with.
const WATCH: &str = r#"<!doctype html><title>watch</title><iframe id="op"></iframe><script>
const frame = document.getElementById("op");
const load = (url) => new Promise((done) => { frame.onload = done; frame.src = url; });
const ask = (text) => new Promise((done) => {
  addEventListener("message", (event) => event.source === frame.contentWindow && done(event.data), { once: true });
  frame.contentWindow.postMessage(text, "*");
});
</script>"#;

async fn receive(
    State(inside): State<Inside>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    if uri.path() == "/watch" {
        return Html(WATCH).into_response();
    }
    let content_type = headers.get(header::CONTENT_TYPE).map(|it| it.to_str().unwrap().to_owned());
    let form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let content_type = content_type.unwrap_or_default();
    let published = inside.published.lock().unwrap().get(uri.path()).cloned();
    inside.received.lock().unwrap().push(Received { method, uri, content_type, form });
    let next = inside.answers.lock().unwrap().pop_front();
    match (next, published) {
        (None, None) => StatusCode::OK.into_response(),
        (None, Some((cache_control, document))) if cache_control.is_empty() => {
            document.into_response()
        }
        (None, Some((cache_control, document))) => {
            ([(header::CACHE_CONTROL, cache_control)], document).into_response()
        }
        (Some(Answers::Status(status)), _) => StatusCode::from_u16(status).unwrap().into_response(),
        (Some(Answers::RedirectTo(url)), _) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url)]).into_response()
        }
        (Some(Answers::Late(pause)), _) => {
            tokio::time::sleep(pause).await;
            StatusCode::OK.into_response()
        }
    }
}
