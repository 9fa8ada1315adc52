//! Which claims go where: scopes, mappers, hook.

use std::sync::Arc;

use auth_core::decision::{Done, Facts, Need, Work};
use auth_core::{HookCall, Identity, Scopes, Subject};
use serde_json::{Map, Value, json};

use crate::client::{ClaimMapper, ClaimSource, ClaimTarget, Client};
use crate::provider::Config;
use crate::token::requested_claims::RequestedClaims;

/// Claims that belong to the protocol. No mapper and no hook sets them; `aud` of access tokens alone may
/// be added to.
const RESERVED: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "acr",
    "amr",
    "auth_time",
    "azp",
    "at_hash",
    "c_hash",
    "sid",
    "scope",
    "client_id",
    "gid",
    "gen",
];

/// The identity of a subject; `None` if it was deleted or must not get tokens.
pub(crate) fn active_identity(
    subject: &Subject,
    facts: &Facts,
) -> Result<Option<Arc<Identity>>, Need> {
    match facts.done(&Work::Identity(subject.clone()))? {
        Done::Identity(Some(identity)) if identity.active => Ok(Some(identity.clone())),
        _ => Ok(None),
    }
}

/// The circumstances under which claims are chosen.
pub(crate) struct ClaimRequest<'a> {
    pub(crate) config: &'a Config,
    pub(crate) client: &'a Client,
    pub(crate) scope: &'a Scopes,
    /// `None` for a client that acts for itself.
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) target: ClaimTarget,
    /// Whether the claims of the granted scopes are among them (OpenID Connect Core §5.4).
    pub(crate) of_scopes: bool,
    /// Claims that were asked for one by one.
    pub(crate) requested: Option<&'a RequestedClaims>,
}

impl ClaimRequest<'_> {
    /// The claims of the granted scopes, those that were asked for, of the client's mappers and of the hook; none of the protocol's own.
    pub(crate) fn claims(&self, facts: &Facts) -> Result<Map<String, Value>, Need> {
        let mut claims = Map::new();
        if let Some(identity) = self.identity.filter(|_| self.of_scopes) {
            for scope in self.scope.iter() {
                for name in self.config.claims_of(scope) {
                    if let Some(value) = identity.claims.get(name) {
                        claims.insert(name.to_owned(), value.clone());
                    }
                }
            }
        }
        if let (Some(identity), Some(requested)) = (self.identity, self.requested) {
            claims.extend(requested.of(identity, self.target, &self.client.scope, self.config));
        }
        for mapper in self.mappers().filter(|mapper| mapper.claim != "aud") {
            if let Some(value) = self.value(mapper) {
                insert_at(&mut claims, &mapper.claim, value);
            }
        }
        if self.config.claims_hook {
            let call = Work::Hook(HookCall::new("claims", &self.question()));
            if let Done::Hook(answer) = facts.done(&call)?
                && let Value::Object(answer) = &**answer
            {
                claims.extend(answer.clone());
            }
        }
        for name in RESERVED {
            if claims.remove(name).is_some() {
                tracing::error!(
                    claim = name,
                    client = %self.client.client_id,
                    "a mapper or hook set a claim of the protocol; it was dropped"
                );
            }
        }
        Ok(claims)
    }

    /// What the hook named `claims` is asked; it answers with an object of claims, or `null`.
    fn question(&self) -> Value {
        json!({
            "client_id": self.client.client_id,
            "subject": self.identity.map(|identity| &identity.subject),
            "scope": self.scope.to_string(),
            "target": self.target,
        })
    }

    /// The audiences that mappers add.
    pub(crate) fn audience(&self) -> impl Iterator<Item = String> {
        let mapped = self.mappers().filter(|mapper| mapper.claim == "aud");
        let values = mapped.filter_map(|mapper| self.value(mapper));
        values.flat_map(|value| match value {
            Value::String(audience) => vec![audience],
            Value::Array(list) => {
                list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        })
    }

    fn mappers(&self) -> impl Iterator<Item = &ClaimMapper> {
        self.client.claim_mappers.iter().filter(|mapper| {
            let granted = |scope: &String| self.scope.contains(scope);
            mapper.targets.contains(&self.target) && mapper.scope.as_ref().is_none_or(granted)
        })
    }

    fn value(&self, mapper: &ClaimMapper) -> Option<Value> {
        match &mapper.source {
            ClaimSource::Constant(value) => Some(value.clone()),
            ClaimSource::Attribute(name) => self.identity?.claims.get(name).cloned(),
        }
    }
}

/// Drops what belongs to the protocol from claims that came from outside.
pub(crate) fn without_reserved(claims: &Map<String, Value>) -> Map<String, Value> {
    let own = |name: &str| !RESERVED.contains(&name);
    claims.iter().filter(|(name, _)| own(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// Puts a value where the dots of `path` lead, making objects on the way; `\.` is a dot in a name.
fn insert_at(claims: &mut Map<String, Value>, path: &str, value: Value) {
    let is_separator = |at: &usize| !path[..*at].ends_with('\\');
    let dot = path.match_indices('.').map(|(at, _)| at).find(is_separator);
    let name = |text: &str| text.replace("\\.", ".");
    match dot {
        None => {
            claims.insert(name(path), value);
        }
        Some(dot) => {
            let inner = claims.entry(name(&path[..dot]));
            if let Value::Object(inner) = inner.or_insert_with(|| Value::Object(Map::new())) {
                insert_at(inner, &path[dot + 1..], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lead_into_objects() {
        let mut claims = Map::new();
        insert_at(&mut claims, "realm_access.roles", json!(["admin"]));
        insert_at(&mut claims, "realm_access.level", json!(2));
        insert_at(&mut claims, "plain", json!(true));
        insert_at(&mut claims, r"https://app\.example/roles", json!("x"));
        let expected = json!({"realm_access": {"roles": ["admin"], "level": 2}, "plain": true,
            "https://app.example/roles": "x"});
        assert_eq!(Value::Object(claims), expected);
    }
}
