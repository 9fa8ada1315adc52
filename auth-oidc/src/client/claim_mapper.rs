//! [`ClaimMapper`]: which claims a client gets besides those of its scopes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Puts a claim into a client's tokens.
///
/// ```
/// use auth_oidc::client::{ClaimMapper, ClaimTarget};
///
/// // `roles` of the identity, nested as `realm_access.roles`, in the id token:
/// let roles = ClaimMapper::attribute("realm_access.roles", "roles").to(ClaimTarget::IdToken);
/// // `aud` of access tokens also names an API:
/// let audience = ClaimMapper::audience("https://api.example");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClaimMapper {
    /// Where the value is put: the claim's name; dots lead into objects, and `\.` is a dot.
    pub claim: String,
    /// Where the value comes from.
    pub source: ClaimSource,
    /// Which tokens and answers get it.
    pub targets: Vec<ClaimTarget>,
    /// Only if this scope was granted; always if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Where a mapped claim's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClaimSource {
    /// A claim of the identity, by its name in the directory.
    Attribute(String),
    /// Always this value.
    Constant(Value),
}

/// What a mapped claim goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClaimTarget {
    /// The id token.
    IdToken,
    /// The answer of the userinfo endpoint.
    UserInfo,
    /// The access token, and what introspection says of it.
    AccessToken,
}

impl ClaimMapper {
    /// Copies a claim of the identity; into nothing yet: see [`ClaimMapper::to`].
    #[must_use]
    pub fn attribute(claim: impl Into<String>, attribute: impl Into<String>) -> Self {
        let source = ClaimSource::Attribute(attribute.into());
        Self { claim: claim.into(), source, targets: Vec::new(), scope: None }
    }

    /// Always the same value; into nothing yet: see [`ClaimMapper::to`].
    #[must_use]
    pub fn constant(claim: impl Into<String>, value: impl Into<Value>) -> Self {
        let source = ClaimSource::Constant(value.into());
        Self { claim: claim.into(), source, targets: Vec::new(), scope: None }
    }

    /// Adds an audience to access tokens.
    #[must_use]
    pub fn audience(audience: impl Into<String>) -> Self {
        Self::constant("aud", audience.into()).to(ClaimTarget::AccessToken)
    }

    /// The same, also into `target`.
    #[must_use]
    pub fn to(mut self, target: ClaimTarget) -> Self {
        self.targets.push(target);
        self
    }

    /// The same, only if `scope` was granted.
    #[must_use]
    pub fn for_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }
}
