//! Reads a URL, with the rules of encryption that belong to it.

use std::net::IpAddr;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::error::{OpenError, Peer};

/// A connection string, and what of it the driver does not know.
#[derive(Debug, Clone)]
pub(crate) struct Dsn {
    pub(crate) config: Config,
    /// `sslmode` asks for encryption, forbids it, or leaves it to us.
    pub(crate) encryption: Option<bool>,
    /// `sslrootcert`.
    pub(crate) root_certificates: Option<String>,
}

impl Dsn {
    /// Reads the form `postgres://…` or `host=… user=…`.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        let mut encryption = None;
        let mut root_certificates = None;
        // The driver knows neither `verify-full` nor `sslrootcert`, which libpq's URLs often have.
        let mut is_ours = |parameter: &str| match parameter.split_once('=') {
            Some(("sslmode", mode)) => {
                encryption = match mode {
                    "disable" | "allow" => Some(false),
                    "prefer" => None,
                    _ => Some(true),
                };
                matches!(
                    mode,
                    "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full"
                )
            }
            Some(("sslrootcert", file)) => {
                root_certificates = Some(file.trim_matches('\'').to_owned());
                true
            }
            _ => false,
        };
        let rest = match text.split_once("://") {
            Some(_) => match text.split_once('?') {
                Some((address, query)) => {
                    let rest: Vec<&str> = query.split('&').filter(|p| !is_ours(p)).collect();
                    format!("{address}?{}", rest.join("&"))
                }
                None => text.to_owned(),
            },
            None => {
                let rest: Vec<&str> = text.split(' ').filter(|p| !is_ours(p)).collect();
                rest.join(" ")
            }
        };
        let config =
            Config::from_str(&rest).map_err(|error| OpenError::InvalidUrl(error.into()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::InvalidUrl("no host in it".into()));
        }
        Ok(Self { config, encryption, root_certificates })
    }

    /// Decides whether connections are encrypted. They are, unless they stay on this machine; and what
    /// is encrypted is also verified, because encryption towards a stranger protects nothing.
    pub(crate) fn encrypted(&self, plaintext_permitted: bool) -> Result<bool, OpenError> {
        let encrypted = self.is_encrypted(plaintext_permitted)?;
        if encrypted && self.config.get_hosts().is_empty() {
            let text = "`hostaddr` alone has no name to check the server's certificate against: add `host`";
            return Err(OpenError::InvalidUrl(text.into()));
        }
        Ok(encrypted)
    }

    fn is_encrypted(&self, plaintext_permitted: bool) -> Result<bool, OpenError> {
        match (self.encryption, self.remote()) {
            (Some(true), _) => Ok(true),
            (None, None) | (Some(false), None) => Ok(false),
            (Some(false), Some(_)) if plaintext_permitted => Ok(false),
            (Some(false), Some(host)) => Err(OpenError::Plaintext { host }),
            (None, Some(_)) => Ok(!plaintext_permitted),
        }
    }

    /// A server on another machine. `hostaddr` is where the driver connects to, whatever `host` says.
    fn remote(&self) -> Option<String> {
        let host = self.config.get_hosts().iter().find(|host| !is_local(host)).map(shown);
        let address = || self.config.get_hostaddrs().iter().find(|address| !address.is_loopback());
        host.or_else(|| address().map(IpAddr::to_string))
    }

    pub(crate) fn peer(&self) -> Peer {
        let addresses = self.config.get_hostaddrs().iter().map(IpAddr::to_string);
        let hosts: Vec<String> = match self.config.get_hosts() {
            [] => addresses.collect(),
            hosts => hosts.iter().map(shown).collect(),
        };
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        let host = match ports.as_slice() {
            [] => hosts.join(","),
            ports => format!("{}:{}", hosts.join(","), ports.join(",")),
        };
        let role = self.config.get_user().unwrap_or("the user of this process").to_owned();
        let database = self.config.get_dbname().unwrap_or(&role).to_owned();
        Peer { host, role, database }
    }

    /// The driver's settings.
    pub(crate) fn config(&self, encrypted: bool) -> Config {
        let mut config = self.config.clone();
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        // Of each connection, not of the first one alone: a standby that a name leads to one day, or a primary that
        // comes back as one, would say that a revoked token is good.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || IpAddr::from_str(name).is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        let encrypted = |url: &str, permitted| Dsn::parse(url).unwrap().encrypted(permitted);
        assert!(encrypted("postgres://u@db.example/d", false).unwrap());
        assert!(encrypted("postgres://u@db.example/d?sslmode=prefer", false).unwrap());
        assert!(encrypted("host=db.example user=u sslmode=verify-full", false).unwrap());
        assert!(encrypted("postgres://u@127.0.0.1/d?sslmode=verify-full", false).unwrap());
        assert!(!encrypted("postgres://u@127.0.0.1:5432/d", false).unwrap());
        assert!(!encrypted("postgres://u@localhost,[::1]/d", false).unwrap());
        assert!(!encrypted("host=/var/run/postgresql user=u", false).unwrap());
        assert!(!encrypted("hostaddr=127.0.0.1 user=u", false).unwrap());
        for elsewhere in [
            "host=localhost hostaddr=10.0.0.5 user=u",
            "host=db.example hostaddr=127.0.0.1 user=u",
            "postgres://u@localhost/d?hostaddr=10.0.0.5",
        ] {
            assert!(encrypted(elsewhere, false).unwrap(), "{elsewhere}");
        }
        let nameless = Dsn::parse("hostaddr=10.0.0.5 user=u").unwrap().encrypted(false);
        assert!(matches!(nameless, Err(OpenError::InvalidUrl(_))), "{nameless:?}");
    }

    #[test]
    fn a_469_a_downgrade_needs_a_word() {
        for mode in ["disable", "allow"] {
            let dsn = Dsn::parse(&format!("postgres://u@db.example/d?sslmode={mode}")).unwrap();
            let refused = dsn.encrypted(false);
            assert!(
                matches!(&refused, Err(OpenError::Plaintext { host }) if host == "db.example"),
                "{refused:?}"
            );
            assert!(!dsn.encrypted(true).unwrap());
        }
        let dsn = Dsn::parse("hostaddr=10.0.0.5 user=u sslmode=disable").unwrap();
        assert_eq!(dsn.peer().host, "10.0.0.5");
        let refused = dsn.encrypted(false);
        assert!(matches!(&refused, Err(OpenError::Plaintext { host }) if host == "10.0.0.5"));
        // One host of several is enough.
        let dsn = Dsn::parse("postgres://u@127.0.0.1,db.example/d?sslmode=disable").unwrap();
        assert!(matches!(dsn.encrypted(false), Err(OpenError::Plaintext { .. })));
    }

    #[test]
    fn options_that_the_driver_does_not_know_are_read_here() {
        let dsn = Dsn::parse(
            "postgres://u:p@h/d?sslmode=verify-full&application_name=a&sslrootcert=/etc/ca.pem",
        )
        .unwrap();
        assert_eq!(dsn.root_certificates.as_deref(), Some("/etc/ca.pem"));
        assert_eq!(dsn.config.get_application_name(), Some("a"));
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_shown() {
        for url in ["postgres://u:hunter2@h/d?sslmode=sometimes", "postgres://u:hunter2@h:x/d", ""]
        {
            let error = Dsn::parse(url).unwrap_err();
            assert!(matches!(error, OpenError::InvalidUrl(_)), "{error:?}");
            let told = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
