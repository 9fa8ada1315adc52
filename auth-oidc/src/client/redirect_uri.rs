//! [`RedirectUri`]: where a client may be answered, compared as the bytes that were registered.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A registered redirect URI (RFC 6749 §3.1.2, RFC 9700 §4.1.3).
///
/// It is the text that was registered, never a normalised form. A URI is taken for registration only if
/// every parser reads it alike: its text must equal its own WHATWG serialisation.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// The longest redirect URI, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Parameters of our own responses, which a registered query must not hold.
    const RESERVED: [&str; 12] = [
        "code",
        "state",
        "iss",
        "error",
        "error_description",
        "error_uri",
        "id_token",
        "access_token",
        "token_type",
        "expires_in",
        "response",
        "session_state",
    ];

    /// Checks a URI for registration.
    ///
    /// Permitted are https, http on a loopback address, and private-use schemes with a dot in them, such
    /// as `com.example.app:/callback` (RFC 8252 §7).
    ///
    /// # Errors
    /// [`InvalidRedirectUri`] says what is wrong.
    pub fn register(text: &str) -> Result<Self, InvalidRedirectUri> {
        use InvalidRedirectUri as Invalid;
        if text.len() > Self::MAX_LEN || !text.bytes().all(|b| (0x21..=0x7E).contains(&b)) {
            return Err(Invalid::Characters);
        }
        let url = Url::parse(text).map_err(|_| Invalid::NotAUri)?;
        if text.contains('#') {
            return Err(Invalid::Fragment);
        }
        let ambiguous =
            |b| matches!(b, b'\\' | b'*' | b'<' | b'>' | b'"' | b'`' | b'{' | b'}' | b'|' | b'^');
        if text.bytes().any(ambiguous) {
            return Err(Invalid::Characters);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) || url.host_str() == Some("localhost") => {}
            "http" => return Err(Invalid::Insecure),
            scheme if scheme.contains('.') => {}
            _ => return Err(Invalid::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(Invalid::UserInfo);
        }
        if url.host_str().is_some_and(|host| host.ends_with('.')) {
            return Err(Invalid::Ambiguous);
        }
        // `https://app.example` is read alike by all; only the serialisation adds a slash.
        let serialised = url.as_str();
        if serialised != text && serialised.strip_suffix('/') != Some(text) {
            return Err(Invalid::Ambiguous);
        }
        let mut escapes = text.split('%').skip(1).filter_map(|rest| rest.get(..2));
        let ambiguous = ["2e", "2f", "5c", "00", "0a", "0d"];
        if escapes.any(|escape| ambiguous.iter().any(|it| it.eq_ignore_ascii_case(escape))) {
            return Err(Invalid::Ambiguous);
        }
        if let Some((name, _)) =
            url.query_pairs().find(|(name, _)| Self::RESERVED.contains(&name.as_ref()))
        {
            return Err(Invalid::ReservedParameter(name.into_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text that was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request for `requested` may be answered there: the same bytes, except that the port of
    /// an IP loopback URI over http may differ, since a native application cannot choose it
    /// (RFC 8252 §7.3).
    #[must_use]
    pub fn matches(&self, requested: &str) -> bool {
        matches(&self.0, requested)
    }

    /// Whether the answer reaches the client that registered: https, which needs the host's certificate,
    /// or this very machine. A private-use scheme can be taken by any application on a device
    /// (RFC 8252 §8.6).
    #[must_use]
    pub fn assures_identity(&self) -> bool {
        self.0.starts_with("https://") || self.0.starts_with("http://")
    }

    /// Its host, for people.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.0).ok()?.host_str().map(str::to_owned)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({})", self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// The text between `//` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("//").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// [`RedirectUri::matches`] of a text that was registered.
pub(crate) fn matches(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    match (split_loopback(registered), split_loopback(requested)) {
        (Some((host, rest)), Some((other_host, other_rest))) => {
            host == other_host && rest == other_rest
        }
        _ => false,
    }
}

/// Host and rest of an http URI on a loopback IP, without the port between them, which must be one.
fn split_loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let Some(port) = rest.strip_prefix(':') else {
        return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest));
    };
    let digits = port.bytes().take_while(u8::is_ascii_digit).count();
    let number: u16 = port[..digits].parse().ok()?;
    let rest = &port[digits..];
    let canonical = number > 0 && !port.starts_with('0');
    (canonical && (rest.is_empty() || rest.starts_with(['/', '?']))).then_some((host, rest))
}

/// A redirect URI cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRedirectUri {
    /// Not an absolute URI.
    #[error("it is not an absolute URI")]
    NotAUri,
    /// A character that has no place in a URI, a wildcard, or over 2048 bytes.
    #[error("it has a wildcard, a blank or another character that a redirect URI must not have")]
    Characters,
    /// RFC 6749 §3.1.2 forbids one.
    #[error("it has a fragment")]
    Fragment,
    /// A scheme that is not permitted.
    #[error("its scheme is not https, http on loopback, or a private one with a dot in it")]
    Scheme,
    /// http to another machine.
    #[error("http is permitted on loopback only; use https")]
    Insecure,
    /// `user@host`.
    #[error("it has user information before the host")]
    UserInfo,
    /// Parsers would read it differently.
    #[error("it can be read in two ways; write it in its normal form")]
    Ambiguous,
    /// Its query has a parameter of our own responses.
    #[error("its query has the parameter `{0}`, which belongs to the response")]
    ReservedParameter(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_uris_are_registered() {
        for uri in [
            "https://app.example/cb",
            "https://app.example",
            "https://app.example:8443/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://[::1]:3000/cb",
            "http://localhost:3000/cb",
            "com.example.app:/callback",
        ] {
            assert!(RedirectUri::register(uri).is_ok(), "{uri}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let uri = RedirectUri::register("http://127.0.0.1/cb").unwrap();
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"] {
            assert!(uri.matches(same), "{same}");
        }
        for other in [
            "http://127.0.0.1:1/other",
            "http://127.0.0.1.evil.tld/cb",
            "http://127.0.0.1:80@evil.tld/cb",
            "http://localhost/cb",
            "http://[::1]/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb",
            "https://127.0.0.1/cb",
        ] {
            assert!(!uri.matches(other), "{other}");
        }
        let named = RedirectUri::register("http://localhost/cb").unwrap();
        assert!(!named.matches("http://localhost:3000/cb"));
    }
}
