//! [`Recorder`]: the statements that a provider makes, and [`Step`]: a request that made them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::http::{Engine, Listener, Request, Response, dispatch};
use auth_core::keys::{CompactJws, SigningAlgorithm};
use auth_core::store::{
    Batch, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError, Sweep, Swept,
    TenantId, Timestamp,
};
use serde_json::Value;

use crate::scene::Failure;
use crate::served::cryptography::Cryptography;

/// One round trip to a store.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Get(Vec<Key>),
    Commit(Batch),
}

/// A request that was seen, with what it led to.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) request: Request,
    pub(crate) statements: Vec<Statement>,
    /// Whose signatures its answer has.
    pub(crate) signatures: Vec<SigningAlgorithm>,
    pub(crate) cryptography: Cryptography,
    pub(crate) response: Response,
}

impl Step {
    /// Sends a request to an engine, and watches.
    pub(crate) async fn watch(
        engine: &dyn Engine,
        recorder: &Recorder,
        request: Request,
    ) -> Result<(Self, Response), Failure> {
        recorder.take();
        let response = dispatch(engine, Listener::Public, request.clone()).await;
        let status = response.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(format!("a request was refused: {status}").into());
        }
        let step = Self {
            statements: recorder.take(),
            signatures: signatures(response.body()),
            cryptography: Cryptography::of(&request, &response),
            response: response.clone(),
            request,
        };
        Ok((step, response))
    }
}

/// The algorithms of the JWTs in an answer.
fn signatures(body: &[u8]) -> Vec<SigningAlgorithm> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return Vec::new() };
    let texts = members.values().filter_map(Value::as_str);
    let parsed = texts.filter_map(|text| Some(CompactJws::parse(text).ok()?.header().alg));
    parsed.collect()
}

/// Writes down every `get` and `commit` on its way to a store.
#[derive(Debug)]
pub(crate) struct Recorder {
    inner: Arc<dyn Store>,
    seen: Mutex<Vec<Statement>>,
}

impl Recorder {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, seen: Mutex::default() })
    }

    /// What was seen since the last time.
    pub(crate) fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn saw(&self, statement: Statement) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
    }
}

#[async_trait]
impl Store for Recorder {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.saw(Statement::Get(keys.to_vec()));
        self.inner.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.inner.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        self.saw(Statement::Commit(batch.clone()));
        self.inner.commit(tenant, batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.inner.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.inner.due(queue, now, shards, limit).await
    }
}
