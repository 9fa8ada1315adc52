//! [`Floor`]: the least that an axum handler does for the same operation.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use auth_core::http::Request;
use auth_core::keys::{SigningAlgorithm, SigningKey};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use ring::aead;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use url::form_urlencoded;

use crate::scene::Failure;
use crate::served::recorded::{Statement, Step};

/// A bare driver of a store.
#[async_trait]
pub(crate) trait Driver: Send + Sync + 'static {
    /// Runs a statement; the number is that of the call, for the keys of new records.
    async fn run(&self, statement: &Statement, number: u64) -> Result<(), Failure>;
}

/// The steps of an operation, done barely.
#[derive(Clone)]
pub(crate) struct Floor {
    handlers: Vec<Arc<Handler>>,
}

struct Handler {
    step: Step,
    answer: Option<Value>,
    driver: Arc<dyn Driver>,
    keys: Vec<SigningKey>,
    seal: aead::LessSafeKey,
    random: SystemRandom,
    calls: AtomicU64,
}

impl Floor {
    pub(crate) fn new(plan: Vec<Step>, driver: &Arc<dyn Driver>) -> Self {
        let handler = |step: Step| {
            let answer = serde_json::from_slice(step.response.body()).ok();
            let generate = |algorithm: &SigningAlgorithm| SigningKey::generate(*algorithm).unwrap();
            let keys = step.signatures.iter().map(generate).collect();
            let seal = aead::UnboundKey::new(&aead::AES_256_GCM, &[7; 32]).unwrap();
            Arc::new(Handler {
                step,
                answer,
                driver: driver.clone(),
                keys,
                seal: aead::LessSafeKey::new(seal),
                random: SystemRandom::new(),
                calls: AtomicU64::new(1),
            })
        };
        Self { handlers: plan.into_iter().map(handler).collect() }
    }

    /// How many round trips to the store the whole operation makes.
    pub(crate) fn statements(&self) -> usize {
        self.handlers.iter().map(|handler| handler.step.statements.len()).sum()
    }

    /// A route for each step.
    pub(crate) fn router(&self) -> Router {
        self.handlers.iter().enumerate().fold(Router::new(), |router, (number, handler)| {
            let route = any(answer).with_state(handler.clone());
            router.route(&format!("/floor/{number}"), route)
        })
    }

    /// The requests that ours was sent, to these routes.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let request = |(number, handler): (usize, &Arc<Handler>)| {
            let mut request = handler.step.request.clone();
            let query = request.uri().query().unwrap_or_default();
            let uri = format!("/floor/{number}?{query}").parse();
            *request.uri_mut() = uri.unwrap();
            request
        };
        self.handlers.iter().enumerate().map(request).collect()
    }
}

async fn answer(
    State(handler): State<Arc<Handler>>,
    uri: http::Uri,
    body: Bytes,
) -> Response<Body> {
    handler.answer(uri.query().unwrap_or_default(), &body).await.unwrap()
}

impl Handler {
    async fn answer(&self, query: &str, body: &[u8]) -> Result<Response<Body>, Failure> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let input = if body.is_empty() { query.as_bytes() } else { body };
        let form: HashMap<String, String> = form_urlencoded::parse(input).into_owned().collect();
        std::hint::black_box(form);
        let mut secret = [0_u8; 32];
        self.random.fill(&mut secret)?;
        self.step.cryptography.perform(&self.seal)?;
        for statement in &self.step.statements {
            self.driver.run(statement, number).await?;
        }
        for key in &self.keys {
            let claims = URL_SAFE_NO_PAD.encode([b'x'; 300]);
            std::hint::black_box(URL_SAFE_NO_PAD.encode(key.sign(claims.as_bytes())?));
        }
        let answer = &self.step.response;
        let body = match &self.answer {
            Some(answer) => serde_json::to_vec(answer)?.into(),
            None => answer.body().clone(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = answer.status();
        response.headers_mut().clone_from(answer.headers());
        Ok(response)
    }
}
