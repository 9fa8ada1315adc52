//! [`Address`]: where a server is, and who we are to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use crate::error::OpenError;

/// The place of one server, with what it takes to be let in. Shown without the password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) tls: bool,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: i64,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 6379;

impl Address {
    /// Reads `redis://`, `rediss://` (TLS) and `unix://`, and the same of `valkey`.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        // What the parser says is left out: it may repeat a part of the URL.
        let url = Url::parse(text).map_err(|_| OpenError::InvalidUrl { what: "is no URL" })?;
        let invalid = |what| Err(OpenError::InvalidUrl { what });
        if url.fragment().is_some() {
            return invalid("has a part after `#`, which has no meaning here");
        }
        match url.scheme() {
            "redis" | "valkey" => Self::tcp(&url, false),
            "rediss" | "valkeys" => Self::tcp(&url, true),
            "unix" | "redis+unix" | "valkey+unix" => Self::unix(&url),
            _ => invalid("begins neither with redis://, rediss:// nor unix://"),
        }
    }

    fn tcp(url: &Url, tls: bool) -> Result<Self, OpenError> {
        let invalid = |what| OpenError::InvalidUrl { what };
        let host = match url.host() {
            // The host of a scheme that is not of the web is not looked into by the parser.
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(invalid("names no host")),
        };
        if url.query().is_some() {
            return Err(invalid("has parameters, which are none of redis:// and rediss://"));
        }
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| invalid("has a path that is no number"))?,
        };
        let decoded = |part: &str, what| decode(part).ok_or_else(|| invalid(what));
        let username = match url.username() {
            "" => None,
            name => Some(decoded(name, "has a user name that is not UTF-8")?),
        };
        let password = url
            .password()
            .map(|word| decoded(word, "has a password that is not UTF-8"))
            .transpose()?;
        let place = Place::Tcp { host, port: url.port().unwrap_or(DEFAULT_PORT) };
        Ok(Self { place, tls, username, password, database })
    }

    fn unix(url: &Url) -> Result<Self, OpenError> {
        let invalid = |what| OpenError::InvalidUrl { what };
        let path = decode(url.path()).ok_or_else(|| invalid("has a path that is not UTF-8"))?;
        if path.len() < 2 || url.host().is_some() {
            return Err(invalid("names no socket: write unix:///path/of/the/socket"));
        }
        let mut address = Self {
            place: Place::Unix(path.into()),
            tls: false,
            username: None,
            password: None,
            database: 0,
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "user" => address.username = Some(value.into_owned()),
                "pass" => address.password = Some(value.into_owned()),
                "db" => {
                    address.database =
                        value.parse().map_err(|_| invalid("has a `db` that is no number"))?;
                }
                _ => return Err(invalid("has a parameter other than user, pass and db")),
            }
        }
        Ok(address)
    }

    /// Another node of the same cluster, where the same user is known.
    pub(crate) fn of_node(&self, host: &str, port: u16) -> Self {
        Self { place: Place::Tcp { host: host.to_owned(), port }, ..self.clone() }
    }

    /// Whether what is sent there stays on this machine or is encrypted.
    pub(crate) fn is_private(&self) -> bool {
        match &self.place {
            Place::Unix(_) => true,
            Place::Tcp { host, .. } => self.tls || is_loopback(host),
        }
    }

    /// How a person would call the server from a shell, up to the command.
    pub(crate) fn shell(&self) -> String {
        match &self.place {
            Place::Unix(path) => format!("redis-cli -s {}", path.display()),
            Place::Tcp { host, port } => {
                format!("redis-cli -h {host} -p {port}{}", if self.tls { " --tls" } else { "" })
            }
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The text behind a percent-encoded part of a URL.
fn decode(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => write!(f, "{}", path.display()),
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_url_are_read() {
        let address = Address::parse("rediss://al%40ice:p%2Fw@cache.example:6380/3").unwrap();
        assert_eq!(address.username.as_deref(), Some("al@ice"));
        assert_eq!(address.password.as_deref(), Some("p/w"));
        assert_eq!((address.tls, address.database), (true, 3));
        assert_eq!(address.to_string(), "cache.example:6380");
        let address = Address::parse("redis://:pw@[::1]").unwrap();
        assert_eq!((address.username.as_deref(), address.to_string()), (None, "[::1]:6379".into()));
        let address = Address::parse("unix:///run/redis.sock?pass=pw&db=2").unwrap();
        assert_eq!((address.to_string(), address.database), ("/run/redis.sock".into(), 2));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for odd in [
            "",
            "localhost:6379",
            "http://:hunter2@h",
            "redis://",
            "redis://:hunter2@h/x",
            "redis://:hunter2@h#insecure",
            "redis://:hunter2@h?db=1",
            "redis://:hunter2%ff@h",
            "unix://?pass=hunter2",
            "unix:///s?pass=hunter2&odd=1",
        ] {
            let error = Address::parse(odd).unwrap_err();
            assert!(matches!(error, OpenError::InvalidUrl { .. }), "{odd}: {error}");
            assert!(!format!("{error:?} {error}").contains("hunter2"));
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let address = Address::parse("redis://alice:hunter2@h").unwrap();
        let shown = format!("{address:?} {address} {}", address.shell());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn plaintext_is_private_on_this_machine_only() {
        for (url, private) in [
            ("redis://127.0.0.9", true),
            ("redis://LocalHost", true),
            ("redis://[::1]", true),
            ("unix:///s", true),
            ("rediss://redis.example", true),
            ("redis://redis.example", false),
            ("redis://10.0.0.1", false),
            ("redis://localhost.example", false),
        ] {
            assert_eq!(Address::parse(url).unwrap().is_private(), private, "{url}");
        }
    }
}
