//! [`PgBouncer`]: a connection pooler in front of a PostgreSQL.

use std::net::SocketAddr;

use crate::account::Account;
use crate::error::{Doing, StartError};
use crate::folder::Folder;
use crate::launch::Launch;
use crate::port;
use crate::program::Program;
use crate::service::Service;

/// A PgBouncer in transaction mode: each transaction may run on another connection to the server, so
/// nothing of a session survives it, prepared statements included.
#[derive(Debug)]
pub struct PgBouncer {
    service: Service,
    url: String,
    _folder: Folder,
}

impl PgBouncer {
    /// Starts one in front of the server and database that `postgres_url` names; whoever connects to it
    /// acts as the user of that URL.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(postgres_url: &str) -> Result<Self, StartError> {
        let behind = Behind::parse(postgres_url).ok_or_else(|| StartError::Url {
            url: postgres_url.rsplit('@').next().unwrap_or_default().to_owned(),
        })?;
        Service::start_somewhere(|| Self::start_once(&behind))
    }

    /// Where it is reached: `postgres://postgres@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn kill(&mut self) -> Result<(), StartError> {
        self.service.kill()
    }

    /// Starts it at the same address; nothing if it runs.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start_again(&mut self) -> Result<(), StartError> {
        self.service.start_again()
    }

    fn start_once(behind: &Behind) -> Result<Self, StartError> {
        let program = Program::PGBOUNCER.find()?;
        // It refuses to run as root, too.
        let account = Account::instead_of_root("postgres")?;
        let folder = Folder::new()?;
        if let Some(account) = account {
            account.take(folder.path())?;
        }
        let address = port::free()?;
        let configuration = folder.file("pgbouncer.ini");
        std::fs::write(&configuration, behind.configuration(address))
            .doing("writing the configuration of PgBouncer")?;
        let service = Service::start(Launch {
            server: "PgBouncer",
            program,
            arguments: vec![configuration.into()],
            account,
            log: folder.file("log"),
            ready: "process up",
            end: "TERM",
        })?;
        let url = format!("postgres://{}@{address}/{}", behind.user, behind.database);
        Ok(Self { service, url, _folder: folder })
    }
}

/// The server behind it.
#[derive(Debug, PartialEq, Eq)]
struct Behind {
    user: String,
    password: Option<String>,
    host: String,
    port: u16,
    database: String,
}

impl Behind {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or(url.strip_prefix("postgresql://"))?;
        let rest = rest.split('?').next()?;
        let (who, place) = rest.rsplit_once('@')?;
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(password.to_owned())),
            None => (who, None),
        };
        let (server, database) = place.split_once('/')?;
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (server, 5432),
        };
        Some(Self {
            user: user.to_owned(),
            password,
            host: host.to_owned(),
            port,
            database: database.to_owned(),
        })
    }

    fn configuration(&self, address: SocketAddr) -> String {
        let Self { user, host, port, database, .. } = self;
        let password = self.password.as_ref().map(|text| format!(" password='{text}'"));
        format!(
            "\
[databases]
{database} = host={host} port={port} dbname={database} user={user}{}
[pgbouncer]
listen_addr = {}
listen_port = {}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = 20
",
            password.unwrap_or_default(),
            address.ip(),
            address.port(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Behind;

    #[test]
    fn a_url_is_taken_apart() {
        let behind = Behind::parse("postgres://me:secret@db.example:6000/auth?sslmode=require");
        assert_eq!(
            behind,
            Some(Behind {
                user: "me".to_owned(),
                password: Some("secret".to_owned()),
                host: "db.example".to_owned(),
                port: 6000,
                database: "auth".to_owned(),
            })
        );
        assert_eq!(Behind::parse("postgres://me@db/auth").map(|behind| behind.port), Some(5432));
        assert_eq!(Behind::parse("mysql://me@db/auth"), None);
    }
}
