//! How a connection comes about: the socket, TLS, the greeting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::{Address, Place};
use crate::failure::ConnectError;

/// What holds for every connection of a store.
#[derive(Clone)]
pub(crate) struct Connecting {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) tls: TlsConnector,
    pub(crate) insecure_plaintext: bool,
}

/// A connection that is shared by all who send: commands follow one another without waiting for answers.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) connection: MultiplexedConnection,
    driver: Arc<Driver>,
}

/// The task that moves bytes; it ends with the last who uses the connection.
struct Driver {
    task: AbortHandle,
    ended: Arc<AtomicBool>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells that the task has ended, also when its runtime did.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Live {
    /// Whether commands may still be sent.
    pub(crate) fn is_open(&self) -> bool {
        !self.driver.ended.load(Ordering::Acquire)
    }

    /// Whether these are two handles on one connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }
}

impl Connecting {
    /// Opens a connection and introduces us.
    pub(crate) async fn connect(&self, address: &Address) -> Result<Live, ConnectError> {
        if !address.is_private() && !self.insecure_plaintext {
            return Err(ConnectError::Plaintext);
        }
        let deadline = Instant::now() + self.connect_timeout;
        let connection = tokio::time::timeout_at(deadline, self.open(address, deadline)).await;
        connection.unwrap_or(Err(ConnectError::Timeout))
    }

    async fn open(&self, address: &Address, deadline: Instant) -> Result<Live, ConnectError> {
        match &address.place {
            #[cfg(unix)]
            Place::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await;
                self.greet(address, stream.map_err(ConnectError::Io)?).await
            }
            #[cfg(not(unix))]
            Place::Unix(_) => {
                Err(ConnectError::Io(std::io::Error::from(std::io::ErrorKind::Unsupported)))
            }
            Place::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(ConnectError::Io)?;
                // A command is one write: nothing is gained by waiting for more.
                stream.set_nodelay(true).map_err(ConnectError::Io)?;
                if !address.tls {
                    return self.greet(address, stream).await;
                }
                let invalid = |_| std::io::Error::from(std::io::ErrorKind::InvalidInput);
                let name = ServerName::try_from(host.clone()).map_err(invalid);
                let name = name.map_err(ConnectError::Tls)?;
                // A Redis without TLS awaits the end of a line, and says nothing to a greeting of TLS:
                // a little before all time is over, so that it is this that is told.
                let agreed = deadline - self.connect_timeout / 10;
                let stream = tokio::time::timeout_at(agreed, self.tls.connect(name, stream)).await;
                let silence = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
                let stream = stream.unwrap_or_else(silence).map_err(ConnectError::Tls)?;
                self.greet(address, stream).await
            }
        }
    }

    async fn greet<S>(&self, address: &Address, stream: S) -> Result<Live, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut us = RedisConnectionInfo::default().set_db(address.database);
        if let Some(username) = &address.username {
            us = us.set_username(username);
        }
        if let Some(password) = &address.password {
            us = us.set_password(password);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(self.response_timeout));
        let made = MultiplexedConnection::new_with_config(&us, stream, config).await;
        let (connection, driver) = made.map_err(ConnectError::Greeting)?;
        let ended = Arc::new(AtomicBool::new(false));
        let ending = Ending(ended.clone());
        let task = tokio::spawn(async move {
            let _ending = ending;
            driver.await;
        });
        let driver = Arc::new(Driver { task: task.abort_handle(), ended });
        Ok(Live { connection, driver })
    }
}
