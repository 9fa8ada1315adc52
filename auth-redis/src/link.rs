//! [`Link`]: the connection to one server, made anew whenever it is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use crate::address::Address;
use crate::connect::{Connecting, Live};
use crate::failure::{ConnectError, Failure};

/// One server.
pub(crate) struct Link {
    address: Address,
    connecting: Connecting,
    live: Mutex<Option<Live>>,
    /// Held by whoever makes the connection; the others wait, and share a failure.
    making: tokio::sync::Mutex<Option<(Instant, Arc<ConnectError>)>>,
}

impl Link {
    pub(crate) fn new(address: Address, connecting: Connecting) -> Self {
        Self { address, connecting, live: Mutex::new(None), making: tokio::sync::Mutex::new(None) }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a command and awaits its answer.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, Failure> {
        let live = self.live().await?;
        let mut connection = live.connection.clone();
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(&live, error))
    }

    /// Sends a command about a slot that is on its way to this server.
    pub(crate) async fn send_asking(&self, command: &Cmd) -> Result<Value, Failure> {
        let live = self.live().await?;
        let mut connection = live.connection.clone();
        let mut both = redis::pipe();
        both.cmd("ASKING").ignore().add_command(command.clone());
        let answer: Result<(Value,), RedisError> = both.query_async(&mut connection).await;
        answer.map(|(value,)| value).map_err(|error| self.failed(&live, error))
    }

    /// What an error means, and whether the connection is of further use.
    fn failed(&self, live: &Live, error: RedisError) -> Failure {
        match error.kind() {
            // A master that became a replica: the name may lead to another server by now.
            ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                self.forget(live);
                Failure::Refused(error)
            }
            ErrorKind::Server(_) | ErrorKind::Extension => Failure::Refused(error),
            // A timeout is one too: a network that swallows packets does not close connections.
            _ => {
                self.forget(live);
                Failure::Cut(error)
            }
        }
    }

    fn current(&self) -> Option<Live> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().filter(|live| live.is_open()).cloned()
    }

    fn forget(&self, old: &Live) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| live.is_same(old)) {
            *live = None;
        }
    }

    async fn live(&self) -> Result<Live, Arc<ConnectError>> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let asked = Instant::now();
        let mut last_failure = self.making.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some((at, error)) = &*last_failure
            && *at >= asked
        {
            return Err(error.clone());
        }
        match self.connecting.connect(&self.address).await {
            Ok(live) => {
                *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                let error = Arc::new(error);
                *last_failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}
