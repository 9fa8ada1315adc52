//! Cookies: read strictly, set safely.

use std::borrow::Cow;
use std::time::Duration;

use ::cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};

/// Where the cookies of an issuer are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieScope {
    /// On https: `Secure` with the prefix `__Host-`, which no other host can set or shadow
    /// (RFC 6265bis §4.1.3.2).
    Secure,
    /// On loopback http, in development.
    Development,
}

impl CookieScope {
    /// The name of a cookie in this scope.
    #[must_use]
    pub fn name(self, name: &'static str) -> Cow<'static, str> {
        match self {
            Self::Secure => format!("__Host-{name}").into(),
            Self::Development => name.into(),
        }
    }
}

/// A cookie to be set: `HttpOnly`, `SameSite=Lax`, `Path=/`, unless it is [for frames](Self::for_frames).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CookieSpec {
    /// Its name without a prefix.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// How long it lives; `None` until the browser is closed, zero removes it.
    pub max_age: Option<Duration>,
    /// Whether scripts read it, and pages of the provider inside of others.
    pub in_frames: bool,
}

impl CookieSpec {
    /// A cookie that lives until the browser is closed.
    #[must_use]
    pub fn session(name: &'static str, value: impl Into<String>) -> Self {
        Self::lasting(name, value, None)
    }

    /// A cookie that lives for `max_age`, `None` until the browser is closed.
    #[must_use]
    pub fn lasting(
        name: &'static str,
        value: impl Into<String>,
        max_age: Option<Duration>,
    ) -> Self {
        Self { name, value: value.into(), max_age, in_frames: false }
    }

    /// A cookie that scripts read in a page of the provider that another site has in a frame: for what is no
    /// secret. Browsers send it along on https only.
    #[must_use]
    pub fn for_frames(
        name: &'static str,
        value: impl Into<String>,
        max_age: Option<Duration>,
    ) -> Self {
        Self { in_frames: true, ..Self::lasting(name, value, max_age) }
    }

    /// The removal of a cookie.
    #[must_use]
    pub fn removal(name: &'static str) -> Self {
        Self::lasting(name, "", Some(Duration::ZERO))
    }

    /// Adds it to the headers of a response.
    pub fn set(&self, scope: CookieScope, headers: &mut HeaderMap) {
        let mut cookie = Cookie::build((scope.name(self.name), self.value.as_str()))
            .path("/")
            .http_only(!self.in_frames)
            .same_site(match (self.in_frames, scope) {
                (true, CookieScope::Secure) => SameSite::None,
                _ => SameSite::Lax,
            })
            .secure(scope == CookieScope::Secure)
            .build();
        if let Some(max_age) = self.max_age {
            let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
            cookie.set_max_age(time::Duration::seconds(seconds));
        }
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// The value of a cookie of a request; the first one, if a browser sends several of one name.
#[must_use]
pub fn cookie(headers: &HeaderMap, scope: CookieScope, name: &'static str) -> Option<String> {
    let name = scope.name(name);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| Cookie::split_parse(line).filter_map(Result::ok))
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_https_cookies_are_bound_to_the_host() {
        let mut headers = HeaderMap::new();
        CookieSpec::session("auth_session", "x").set(CookieScope::Secure, &mut headers);
        let set = headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.starts_with("__Host-auth_session=x"));
        for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(set.contains(attribute), "{set}");
        }
        assert!(!set.contains("Domain"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; __Host-s=2; s=3"));
        assert_eq!(cookie(&headers, CookieScope::Secure, "s").as_deref(), Some("2"));
        assert_eq!(cookie(&headers, CookieScope::Development, "s").as_deref(), Some("3"));
        assert_eq!(cookie(&headers, CookieScope::Secure, "a"), None);
    }
}
