//! [`Connection`]: a connection, with the statements that were prepared on it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use auth_store::within;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row, Socket, Statement as Prepared};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Failure, NoConnection};

/// A statement with the types of its parameters, which spares asking the server for them.
#[derive(Debug)]
pub(crate) struct Statement {
    /// By which connections know it.
    number: u64,
    text: String,
    types: Vec<Type>,
    /// Whether it takes so little that others may wait behind it.
    pub(crate) brief: bool,
}

impl Statement {
    pub(crate) fn new(text: String, types: impl Into<Vec<Type>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { number, text, types: types.into(), brief: false }
    }

    pub(crate) fn brief(self) -> Self {
        Self { brief: true, ..self }
    }
}

/// The values of a statement's parameters.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) statement: Duration,
}

impl Timeouts {
    /// How long a statement may wait for a lock: less than it may take, so that the server says what it was.
    fn lock(self) -> Duration {
        self.statement * 4 / 5
    }

    /// How long one of several hosts may take to be reached, so that the next one has its turn in time.
    fn of_each_host(self, config: &Config) -> Duration {
        match config.get_hosts().len().max(config.get_hostaddrs().len()) {
            0 | 1 => self.connect,
            many => self.connect * 4 / 5 / u32::try_from(many).unwrap_or(u32::MAX),
        }
    }
}

/// Every statement goes through an index, whatever is known of the tables: their statistics are those of some
/// minutes ago, when a new database was empty. One plan serves all parameters, and is too small to be compiled.
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off";

/// What makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    pub(crate) timeouts: Timeouts,
    /// Whether statements stay prepared.
    cache: bool,
}

impl Connector {
    pub(crate) fn new(
        mut config: Config,
        tls: Option<MakeRustlsConnect>,
        timeouts: Timeouts,
        cache: bool,
    ) -> Self {
        config.connect_timeout(timeouts.of_each_host(&config));
        if cache {
            // A pooler in between would refuse options; there the limit is kept on this side alone.
            let millis = timeouts.statement.as_millis();
            let lock = timeouts.lock().as_millis();
            let before = config.get_options().unwrap_or_default().to_owned();
            // What the operator says of plans, in the URL, comes later and counts.
            let options =
                format!("{PLANS} {before} -c statement_timeout={millis} -c lock_timeout={lock}");
            config.options(&options);
        }
        if config.get_application_name().is_none() {
            config.application_name("auth-postgres");
        }
        Self { config, tls, timeouts, cache }
    }

    /// A new connection, which lives on the runtime of the caller.
    pub(crate) async fn connect(&self) -> Result<Connection, NoConnection> {
        let client = match self.tls.clone() {
            Some(tls) => within(self.timeouts.connect, start(&self.config, tls)).await??,
            None => within(self.timeouts.connect, start(&self.config, NoTls)).await??,
        };
        let prepared = self.cache.then(Known::default);
        Ok(Connection { client, prepared })
    }

    /// The same, content with a server that only reads.
    pub(crate) fn to_any_server(&self) -> Self {
        let mut to_any = self.clone();
        to_any.config.target_session_attrs(TargetSessionAttrs::Any);
        to_any
    }
}

async fn start<T>(config: &Config, tls: T) -> Result<Client, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    // Why it ends is told to the statements that were under way.
    tokio::spawn(async move { drop(after_others(connection).await) });
    Ok(client)
}

/// Lets all who are ready go first, each time that there is something to do: what they send travels with it, and
/// what they wait for may come with it.
async fn after_others<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut others_went = true;
    poll_fn(|cx| {
        others_went = !others_went;
        if others_went {
            return work.as_mut().poll(cx);
        }
        // Woken from inside, a task of tokio goes to the end of the queue.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// A connection, on which several statements may be under way: the server answers one after the other.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// `None` if statements do not stay prepared.
    prepared: Option<Known>,
}

/// Statements by their numbers.
#[derive(Default)]
struct Known(RwLock<HashMap<u64, Prepared>>);

impl Known {
    fn get(&self, statement: &Statement) -> Option<Prepared> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&statement.number).cloned()
    }

    fn insert(&self, statement: &Statement, prepared: Prepared) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(statement.number, prepared);
    }
}

impl Connection {
    /// Sends a statement and collects its rows: one round trip, once it is prepared.
    pub(crate) async fn send(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let Some(known) = &self.prepared else {
            let typed: Vec<_> =
                parameters.iter().copied().zip(statement.types.iter().cloned()).collect();
            return Ok(Box::pin(self.client.query_typed(&statement.text, &typed)).await?);
        };
        let prepared = match known.get(statement) {
            Some(prepared) => prepared,
            // In a box: it is done once.
            None => Box::pin(self.prepare(statement, known)).await?,
        };
        Ok(self.client.query(&prepared, parameters).await?)
    }

    async fn prepare(&self, statement: &Statement, known: &Known) -> Result<Prepared, Failure> {
        let prepared = self.client.prepare_typed(&statement.text, &statement.types).await;
        // Nothing is applied by preparing it.
        let prepared = prepared.map_err(|error| match Failure::from(error) {
            Failure::Lost(cause) => Failure::Cut(cause),
            refused => Failure::NotSent(refused.into()),
        })?;
        known.insert(statement, prepared.clone());
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_does_not_answer_leaves_time_for_the_others() {
        let second = Duration::from_secs(1);
        let timeouts = Timeouts { connect: 5 * second, statement: second };
        let of = |url: &str| timeouts.of_each_host(&url.parse().unwrap());
        assert_eq!(of("host=a"), 5 * second);
        assert_eq!(of("host=a,b"), 2 * second);
        assert_eq!(of("postgres://u@a,b,c,d/e"), second);
    }
}
