//! What a request costs beyond its floor: the same store statements and signatures, and nothing else.
//!
//! One thread, in process, on the in-memory store: what is measured is our own work, not a socket or a
//! disk. CPU time of the process, the least of several batches. `--json` prints the figures alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use auth_core::http::{Engine, Listener, Request, Response, dispatch};
use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_core::store::{
    Batch, Class, CommitId, Key, Main, MemoryStore, NewRecord, Store, TenantId, Timestamp, When,
    Write,
};
use auth_core::{MemoryDirectory, PasswordCost, PasswordHasher};
use auth_oidc::Provider;
use auth_oidc::client::{AccessTokenFormat, Client};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cpu_time::ProcessTime;
use serde_json::{Value, json};

const SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const BATCHES: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let provider = provider().await;
    let engine = provider.engine();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let es256 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let live = opaque(&engine).await;

    let mut rows = Vec::new();
    rows.push(Row {
        name: "client_credentials, opaque",
        ours: measure(2_000, || async { drop(opaque(&engine).await) }).await,
        floor: measure(2_000, || async {
            put(&*store).await;
            body(&token_body());
        })
        .await,
    });
    rows.push(Row {
        name: "client_credentials, JWT ES256",
        ours: measure(1_000, || async {
            post(&engine, "/oauth2/token", "jwt", "grant_type=client_credentials").await;
        })
        .await,
        floor: measure(1_000, || async {
            let claims = serde_json::to_vec(&introspection_body()).unwrap();
            let input = format!("e30.{}", URL_SAFE_NO_PAD.encode(claims));
            URL_SAFE_NO_PAD.encode(es256.sign(input.as_bytes()).unwrap());
            body(&token_body());
        })
        .await,
    });
    let form = format!("token={live}");
    rows.push(Row {
        name: "introspection, opaque",
        ours: measure(2_000, || async {
            post(&engine, "/oauth2/introspect", "svc", &form).await;
        })
        .await,
        floor: measure(2_000, || async {
            let keys = [key(1), key(2)];
            store.get(TenantId::DEFAULT, &keys).await.unwrap();
            body(&introspection_body());
        })
        .await,
    });
    for (name, path) in
        [("discovery", "/.well-known/openid-configuration"), ("JWK set", "/.well-known/jwks.json")]
    {
        let document: Value = serde_json::from_slice(get(&engine, path).await.body()).unwrap();
        rows.push(Row {
            name,
            ours: measure(2_000, || async { drop(get(&engine, path).await) }).await,
            floor: measure(2_000, || async { body(&document) }).await,
        });
    }
    if as_json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        return println!("{}", json!(rows));
    }
    println!("CPU time of one operation, in process, one thread, in-memory store.\n");
    println!("| operation | ours, µs | floor, µs | ratio |\n|---|---|---|---|");
    for Row { name, ours, floor } in &rows {
        println!("| {name} | {ours:.1} | {floor:.1} | {:.1} |", ours / floor);
    }
}

struct Row {
    name: &'static str,
    ours: f64,
    floor: f64,
}

impl Row {
    fn json(&self) -> Value {
        json!({"operation": self.name, "micros": self.ours, "floor_micros": self.floor})
    }
}

async fn provider() -> Provider {
    let people = MemoryDirectory::new(PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1));
    Provider::builder("http://127.0.0.1:4444")
        .development()
        .store(MemoryStore::new())
        .pages(auth_ui::DefaultPages::new())
        .directory(people)
        .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
        .client(Client::service("svc", SECRET).scope("openid"))
        .client(Client::service("jwt", SECRET).access_token_format(AccessTokenFormat::Jwt))
        .build()
        .await
        .unwrap()
}

/// The least CPU time of one call over several batches of `calls`, in microseconds.
async fn measure<F: Future<Output = ()>>(calls: u32, mut call: impl FnMut() -> F) -> f64 {
    let mut least = Duration::MAX;
    for _ in 0..BATCHES {
        let begun = ProcessTime::now();
        for _ in 0..calls {
            call().await;
        }
        least = least.min(begun.elapsed());
    }
    least.as_secs_f64() * 1e6 / f64::from(calls)
}

async fn opaque(engine: &Arc<dyn Engine>) -> String {
    let form = "grant_type=client_credentials&scope=openid";
    let response = post(engine, "/oauth2/token", "svc", form).await;
    let answer: Value = serde_json::from_slice(response.body()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn post(engine: &Arc<dyn Engine>, path: &str, client: &str, form: &str) -> Response {
    let credentials = STANDARD.encode(format!("{client}:{SECRET}"));
    let request = http::Request::post(path)
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned().into())
        .unwrap();
    send(engine, request).await
}

async fn get(engine: &Arc<dyn Engine>, path: &str) -> Response {
    send(engine, http::Request::get(path).body(Default::default()).unwrap()).await
}

async fn send(engine: &Arc<dyn Engine>, request: Request) -> Response {
    let response = dispatch(&**engine, Listener::Public, request).await;
    assert!(response.status().is_success(), "{response:?}");
    response
}

fn body(document: &Value) {
    std::hint::black_box(serde_json::to_vec(document).unwrap());
}

fn token_body() -> Value {
    json!({"access_token": "a".repeat(160), "token_type": "Bearer", "expires_in": 900, "scope": "openid"})
}

fn introspection_body() -> Value {
    json!({"active": true, "client_id": "svc", "sub": "svc", "scope": "openid", "aud": [], "iat": 1, "exp": 2,
           "iss": "http://127.0.0.1:4444", "token_type": "Bearer", "token_use": "access_token"})
}

fn key(n: u64) -> Key {
    Key::builder(Class::Main, "floor").number(n).build().unwrap()
}

/// One commit of one record, as issuing a token makes.
async fn put(store: &dyn Store) {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let value = introspection_body().to_string().into();
    let record = NewRecord { key: key(n), value, index: Vec::new(), keep_until: None, due: None };
    let id = CommitId::from_bytes(u128::from(n).to_be_bytes());
    let batch = Batch::builder::<Main>(id, Timestamp::EPOCH)
        .write(Write::Put { record, when: When::Absent, old_index: Vec::new() })
        .build()
        .unwrap();
    store.commit(TenantId::DEFAULT, &batch).await.unwrap();
}
