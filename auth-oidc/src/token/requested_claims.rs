//! [`RequestedClaims`]: the `claims` parameter (OpenID Connect Core §5.5).

use std::collections::BTreeMap;

use auth_core::{Identity, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::ClaimTarget;
use crate::provider::Config;

/// Claims of the person that a client asked for one by one. A claim is released by what releases it anyway, a
/// scope: one that the client may ask for, and the person consented to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RequestedClaims {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    userinfo: BTreeMap<String, Wanted>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    id_token: BTreeMap<String, Wanted>,
}

/// Which value of a claim is wanted; any, if none is named.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Wanted {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    essential: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<Value>,
}

impl RequestedClaims {
    /// The most claims of one request.
    const MAX: usize = 100;

    /// Reads the parameter's object. Members that nobody knows are left out, as §5.5 says.
    ///
    /// # Errors
    /// What is wrong with it, for an `error_description`.
    pub(crate) fn parse(object: &Map<String, Value>) -> Result<Self, &'static str> {
        let section = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(BTreeMap::new()),
            Some(Value::Object(claims)) if claims.len() <= Self::MAX => claims
                .iter()
                .map(|(name, wanted)| Ok((name.clone(), Wanted::parse(wanted)?)))
                .collect(),
            Some(_) => Err("a section of 'claims' is not an object of at most 100 claims"),
        };
        Ok(Self { userinfo: section("userinfo")?, id_token: section("id_token")? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// The subject that the id token must be about, if one is named (§5.5.1).
    pub(crate) fn subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.values.first()?.as_str()
    }

    /// The levels of authentication of which one must be reached (§5.5.1.1).
    pub(crate) fn essential_levels(&self) -> Vec<String> {
        let wanted = self.id_token.get("acr").filter(|wanted| wanted.essential);
        let values = wanted.map(|wanted| wanted.values.as_slice()).unwrap_or_default();
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// The scopes of `permitted` that release what is wanted beyond `asked`.
    pub(crate) fn scopes(&self, asked: &Scopes, permitted: &Scopes, config: &Config) -> Scopes {
        let mut scopes = Scopes::default();
        for name in self.userinfo.keys().chain(self.id_token.keys()) {
            let releases = |scope: &&str| config.claims_of(scope).contains(&name.as_str());
            if !asked.iter().chain(scopes.iter()).any(|scope| releases(&scope))
                && let Some(scope) = permitted.iter().find(releases)
            {
                let scope = scope.to_owned();
                scopes.insert(&scope);
            }
        }
        scopes
    }

    /// Those that `granted` releases.
    pub(crate) fn granted(mut self, granted: &Scopes, config: &Config) -> Self {
        self.userinfo.retain(|name, _| released(name, granted, config));
        self.id_token.retain(|name, _| released(name, granted, config));
        self
    }

    /// What is said of the person at `target`, as far as the client may ask for it now.
    pub(crate) fn of(
        &self,
        identity: &Identity,
        target: ClaimTarget,
        permitted: &Scopes,
        config: &Config,
    ) -> Map<String, Value> {
        let wanted = match target {
            ClaimTarget::UserInfo => &self.userinfo,
            ClaimTarget::IdToken => &self.id_token,
            ClaimTarget::AccessToken => return Map::new(),
        };
        let value = |(name, wanted): (&String, &Wanted)| {
            let value = identity.claims.get(name).filter(|value| wanted.admits(value))?;
            Some((name.clone(), value.clone()))
        };
        let permitted = |(name, _): &(&String, &Wanted)| released(name, permitted, config);
        wanted.iter().filter(permitted).filter_map(value).collect()
    }
}

/// Whether one of `scopes` releases a claim.
fn released(name: &str, scopes: &Scopes, config: &Config) -> bool {
    scopes.iter().any(|scope| config.claims_of(scope).contains(&name))
}

impl Wanted {
    fn parse(wanted: &Value) -> Result<Self, &'static str> {
        let wanted = match wanted {
            Value::Null => return Ok(Self::default()),
            Value::Object(wanted) => wanted,
            _ => return Err("a claim of 'claims' is neither null nor an object"),
        };
        let essential = match wanted.get("essential") {
            None => false,
            Some(Value::Bool(essential)) => *essential,
            Some(_) => return Err("the member 'essential' of a claim is not a boolean"),
        };
        let values = match (wanted.get("value"), wanted.get("values")) {
            (None, None) => Vec::new(),
            (Some(value), None) => vec![value.clone()],
            (None, Some(Value::Array(values))) if values.len() <= RequestedClaims::MAX => {
                values.clone()
            }
            (None, Some(_)) => return Err("the member 'values' of a claim is not a list"),
            (Some(_), Some(_)) => return Err("a claim has both 'value' and 'values'"),
        };
        Ok(Self { essential, values })
    }

    fn admits(&self, value: &Value) -> bool {
        self.values.is_empty() || self.values.contains(value)
    }
}
