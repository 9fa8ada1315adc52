//! [`Tenant`]: one issuer and what only it may use.

use std::fmt;
use std::sync::Arc;

use auth_store::TenantId;
use url::Url;

use crate::seal::DataKeys;

/// One issuer: its name, its data keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tenant {
    /// Under which its records stand.
    pub id: TenantId,
    /// Its issuer identifier.
    pub issuer: Issuer,
    /// Its keys for what is sealed, looked up and authenticated.
    pub keys: Arc<DataKeys>,
}

impl Tenant {
    /// A tenant.
    #[must_use]
    pub fn new(id: TenantId, issuer: Issuer, keys: Arc<DataKeys>) -> Self {
        Self { id, issuer, keys }
    }
}

/// An issuer identifier (OpenID Connect Discovery §3, RFC 8414 §2): an http(s) URL without query and
/// fragment, compared and published as the text that was configured.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: Arc<str>,
    path: Arc<str>,
    origin: Arc<str>,
    secure: bool,
    loopback: bool,
}

impl Issuer {
    /// Reads an issuer identifier.
    ///
    /// # Errors
    /// [`InvalidIssuer`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(InvalidIssuer::NotHttp);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::QueryOrFragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidIssuer::UserInfo);
        }
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        Ok(Self {
            text: text.into(),
            path: url.path().trim_end_matches('/').into(),
            origin: url.origin().ascii_serialization().into(),
            secure: url.scheme() == "https",
            loopback,
        })
    }

    /// The identifier as it was configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its path without a final slash: empty for an issuer at the root of its host.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its origin, such as `https://id.example`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL of an endpoint of this issuer; `path` begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text.trim_end_matches('/'))
    }

    /// Whether it is an https URL.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether its host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.text)
    }
}

/// A text is not an issuer identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
    /// Not a URL at all.
    #[error("the issuer is not an absolute URL")]
    NotAUrl,
    /// Another scheme.
    #[error("the issuer is not an http or https URL with a host")]
    NotHttp,
    /// OpenID Connect Discovery §3 forbids both.
    #[error("the issuer has a query or a fragment")]
    QueryOrFragment,
    /// A user name or password in the URL.
    #[error("the issuer has a user name or password")]
    UserInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_and_endpoints_are_joined() {
        let issuer = Issuer::parse("https://id.example/tenant/").unwrap();
        assert_eq!(issuer.as_str(), "https://id.example/tenant/");
        assert_eq!(issuer.path(), "/tenant");
        assert_eq!(issuer.url("/oauth2/auth"), "https://id.example/tenant/oauth2/auth");
        assert!(issuer.is_secure() && !issuer.is_loopback());
        assert!(Issuer::parse("http://127.0.0.1:4444").unwrap().is_loopback());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "id.example", "ftp://id.example", "https://a@b", "https://a?b", "https://a#b"]
        {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
    }
}
