//! [`Postgres`]: a private PostgreSQL.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::account::Account;
use crate::error::{Doing, StartError};
use crate::folder::Folder;
use crate::launch::Launch;
use crate::port;
use crate::program::Program;
use crate::service::Service;

/// A PostgreSQL of its own, with a database `postgres` whose superuser is `postgres`.
///
/// What is committed is on disk (`fsync` is on) unless [`PostgresSetup::fsync`] says otherwise. Started by
/// root it runs as the user `postgres`, because it refuses to run as root.
#[derive(Debug)]
pub struct Postgres {
    service: Service,
    address: SocketAddr,
    url: String,
    folder: Folder,
}

/// What a [`Postgres`] is started with.
#[derive(Debug, Clone, Default)]
pub struct PostgresSetup {
    password: Option<String>,
    settings: Vec<(String, String)>,
}

impl Postgres {
    /// Starts one that takes 200 connections.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start() -> Result<Self, StartError> {
        Self::setup().start()
    }

    /// The same, to be changed before it starts.
    #[must_use]
    pub fn setup() -> PostgresSetup {
        PostgresSetup::default().setting("max_connections", "200")
    }

    /// Where it is reached: `postgres://postgres@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its sockets, data (`data`) and log (`log`).
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of its first process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.service.pid()
    }

    /// Ends every connection, shuts down in order, and starts again at the same address.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop()?;
        self.start_again()
    }

    /// Shuts down in order.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn stop(&mut self) -> Result<(), StartError> {
        self.service.stop("INT")
    }

    /// Kills all of its processes at once; [`start_again`](Self::start_again) then recovers from the log.
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
}

impl PostgresSetup {
    /// Demands a password of the superuser (SCRAM-SHA-256); without one everybody on this machine may
    /// connect.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Whether commits wait for the disk. Off for counts in which only isolation matters.
    #[must_use]
    pub fn fsync(self, on: bool) -> Self {
        let on = if on { "on" } else { "off" };
        self.setting("fsync", on).setting("synchronous_commit", on).setting("full_page_writes", on)
    }

    /// Any setting of postgresql.conf; the last of a name counts.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Postgres, StartError> {
        Service::start_somewhere(|| self.start_once())
    }

    fn start_once(&self) -> Result<Postgres, StartError> {
        let program = Program::POSTGRES.find()?;
        let account = Account::instead_of_root("postgres")?;
        let folder = Folder::new()?;
        if let Some(account) = account {
            account.take(folder.path())?;
        }
        self.make_data(&folder, account)?;
        let address = port::free()?;
        let service = Service::start(Launch {
            server: "PostgreSQL",
            program,
            arguments: self.arguments(&folder, address),
            account,
            log: folder.file("log"),
            // Of a standby: read-only connections.
            ready: "database system is ready to accept",
            end: "QUIT",
        })?;
        let password = self.password.as_ref().map(|password| format!(":{password}"));
        let url = format!("postgres://postgres{}@{address}/postgres", password.unwrap_or_default());
        Ok(Postgres { service, address, url, folder })
    }

    fn make_data(&self, folder: &Folder, account: Option<Account>) -> Result<(), StartError> {
        let mut initdb = Command::new(Program::INITDB.find()?);
        initdb.args(["--username", "postgres", "--encoding", "UTF8", "--locale", "C"]);
        initdb.args(["--no-sync", "--no-instructions", "--pgdata"]).arg(folder.file("data"));
        if let Some(password) = &self.password {
            let file = folder.file("password");
            std::fs::write(&file, password).doing("writing the password of PostgreSQL")?;
            initdb.args(["--auth", "scram-sha-256", "--pwfile"]).arg(file);
        } else {
            initdb.args(["--auth", "trust"]);
        }
        if let Some(account) = account {
            initdb.uid(account.uid).gid(account.gid);
        }
        let output =
            initdb.current_dir("/").stdin(Stdio::null()).output().doing("running initdb")?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(StartError::Failed {
            doing: "initdb".to_owned(),
            output: String::from_utf8_lossy(&said).into_owned(),
        })
    }

    fn arguments(&self, folder: &Folder, address: SocketAddr) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-D".into(), folder.file("data").into()];
        arguments.extend(["-k".into(), folder.path().into()]);
        arguments.extend(["-h".into(), address.ip().to_string().into()]);
        arguments.extend(["-p".into(), address.port().to_string().into()]);
        for (name, value) in &self.settings {
            arguments.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        arguments
    }
}
