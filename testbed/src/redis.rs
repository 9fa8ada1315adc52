//! [`Redis`]: a private Redis.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::error::{Doing, StartError};
use crate::folder::Folder;
use crate::launch::Launch;
use crate::port;
use crate::program::Program;
use crate::service::Service;

/// A Redis of its own. What it acknowledges is on disk: the append-only file is on with `appendfsync
/// always`, and `maxmemory-policy` is `noeviction`, unless [`RedisSetup::setting`] says otherwise.
#[derive(Debug)]
pub struct Redis {
    service: Service,
    address: SocketAddr,
    url: String,
    folder: Folder,
}

/// What a [`Redis`] is started with.
#[derive(Debug, Clone, Default)]
pub struct RedisSetup {
    settings: Vec<(String, String)>,
}

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start() -> Result<Self, StartError> {
        Self::setup().start()
    }

    /// The same, to be changed before it starts.
    #[must_use]
    pub fn setup() -> RedisSetup {
        RedisSetup::default()
            .setting("appendonly", "yes")
            .setting("appendfsync", "always")
            .setting("maxmemory-policy", "noeviction")
            .setting("save", "")
    }

    /// Where it is reached: `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its data and log (`log`).
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of its process, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.service.pid()
    }

    /// Shuts down in order and starts again at the same address.
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
        self.service.stop("TERM")
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

    /// Sends one command without arguments that hold spaces, and returns the answer as text.
    ///
    /// # Errors
    /// [`StartError::Failed`] if the answer is an error, [`StartError::Io`] without an answer.
    pub fn command(&self, command: &str) -> Result<String, StartError> {
        let answer = ask(self.address, command).doing(format!("asking Redis `{command}`"))?;
        match answer.strip_prefix('-') {
            Some(error) => Err(StartError::Failed {
                doing: format!("the command `{command}` of Redis"),
                output: error.to_owned(),
            }),
            None => Ok(answer),
        }
    }
}

/// One inline command. A bulk string comes back as its text, anything else as its line.
fn ask(address: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let Some(length) = line.strip_prefix('$').and_then(|length| length.trim().parse().ok()) else {
        return Ok(line.trim_end().to_owned());
    };
    let mut text = vec![0; length];
    std::io::Read::read_exact(&mut answer, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl RedisSetup {
    /// Any setting of redis.conf; the last of a name counts.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(self) -> Result<Redis, StartError> {
        Service::start_somewhere(|| self.start_once())
    }

    fn start_once(&self) -> Result<Redis, StartError> {
        let program = Program::REDIS.find()?;
        let folder = Folder::new()?;
        let address = port::free()?;
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: &str| {
            arguments.extend([format!("--{name}").into(), value.into()]);
        };
        add("bind", &address.ip().to_string());
        add("port", &address.port().to_string());
        add("dir", &folder.path().to_string_lossy());
        for (name, value) in &self.settings {
            add(name, value);
        }
        let service = Service::start(Launch {
            server: "Redis",
            program,
            arguments,
            account: None,
            log: folder.file("log"),
            ready: "Ready to accept connections",
            end: "KILL",
        })?;
        Ok(Redis { service, address, url: format!("redis://{address}"), folder })
    }
}
