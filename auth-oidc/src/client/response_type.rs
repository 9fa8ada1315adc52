//! [`ResponseType`]: what the authorization endpoint answers with.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client::GrantType;

/// What a client asks the authorization endpoint for (OAuth 2.0 Multiple Response Type Encoding Practices §3, §5).
///
/// ```
/// use auth_oidc::client::ResponseType;
///
/// assert_eq!(ResponseType::parse("id_token code"), Some(ResponseType::CodeIdToken));
/// assert_eq!(ResponseType::CodeIdToken.as_str(), "code id_token");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseType {
    /// A code, redeemed at the token endpoint (RFC 6749 §4.1).
    #[default]
    Code,
    /// An access token alone (RFC 6749 §4.2).
    Token,
    /// An id token alone (OpenID Connect Core §3.2).
    IdToken,
    /// An id token and an access token (OpenID Connect Core §3.2).
    IdTokenToken,
    /// A code and an id token (OpenID Connect Core §3.3).
    CodeIdToken,
    /// A code and an access token (OpenID Connect Core §3.3).
    CodeToken,
    /// All three (OpenID Connect Core §3.3).
    CodeIdTokenToken,
}

impl ResponseType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Code,
        Self::Token,
        Self::IdToken,
        Self::IdTokenToken,
        Self::CodeIdToken,
        Self::CodeToken,
        Self::CodeIdTokenToken,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// The response type of a name, whose words come in any order and each once.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let sorted = |name: &str| {
            let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let words = sorted(name);
        Self::ALL.into_iter().find(|known| sorted(known.as_str()) == words)
    }

    /// The grant types that it needs (OpenID Connect Dynamic Client Registration §2).
    #[must_use]
    pub fn grant_types(self) -> Vec<GrantType> {
        let code = self.has_code().then_some(GrantType::AuthorizationCode);
        let front = self.has_token() || self.has_id_token();
        code.into_iter().chain(front.then_some(GrantType::Implicit)).collect()
    }

    /// Whether it brings a code.
    #[must_use]
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::Token | Self::IdToken | Self::IdTokenToken)
    }

    /// Whether it brings an access token through the browser.
    #[must_use]
    pub const fn has_token(self) -> bool {
        !matches!(self, Self::Code | Self::IdToken | Self::CodeIdToken)
    }

    /// Whether it brings an id token through the browser.
    #[must_use]
    pub const fn has_id_token(self) -> bool {
        !matches!(self, Self::Code | Self::Token | Self::CodeToken)
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ResponseType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown response type `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_in_any_order_and_once() {
        for known in ResponseType::ALL {
            let backwards: Vec<&str> = known.as_str().rsplit(' ').collect();
            assert_eq!(ResponseType::parse(&backwards.join(" ")), Some(known));
            let words = [known.has_code(), known.has_token(), known.has_id_token()];
            let count = words.into_iter().filter(|word| *word).count();
            assert_eq!(count, known.as_str().split(' ').count());
        }
        for other in ["", " ", "none", "code code", "code  id_token", "CODE", "code id_token x"] {
            assert_eq!(ResponseType::parse(other), None, "{other}");
        }
    }
}
