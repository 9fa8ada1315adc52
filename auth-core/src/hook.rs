//! [`Hook`]: the embedder's own code, asked at named places.

use std::fmt;

use async_trait::async_trait;
use auth_store::TenantId;
use serde_json::Value;

use crate::decision::Unavailable;

/// Code of the embedder that an engine asks while it decides.
///
/// It is asked at most once a request for the same question, outside of any lock, and before anything is
/// committed; if it fails the request fails (503) and nothing is issued.
#[async_trait]
pub trait Hook: Send + Sync + fmt::Debug + 'static {
    /// Answers a question. What question and answer look like is said where the hook is named.
    ///
    /// # Errors
    /// [`Unavailable::port`] if it cannot answer.
    async fn call(&self, tenant: TenantId, call: &HookCall) -> Result<Value, Unavailable>;
}

/// A question to a [`Hook`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HookCall {
    /// Which place asks, such as `claims`.
    pub name: &'static str,
    /// The question: JSON text.
    pub input: String,
}

impl HookCall {
    /// A question at the place `name`.
    #[must_use]
    pub fn new(name: &'static str, input: &Value) -> Self {
        Self { name, input: input.to_string() }
    }
}

/// Answers every question with `null`: there is no hook.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoHook;

#[async_trait]
impl Hook for NoHook {
    async fn call(&self, _: TenantId, _: &HookCall) -> Result<Value, Unavailable> {
        Ok(Value::Null)
    }
}
