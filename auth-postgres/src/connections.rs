//! [`Connections`]: connections that calls share.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_store::within;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{Connection, Connector, Parameters, Statement, Timeouts};
use crate::error::{Failure, NoConnection};

/// What a statement that is not brief counts for: others avoid waiting behind it.
const LONG: usize = 16;

/// Connections for one purpose, made when they are needed.
///
/// Several calls may be under way on one connection: they travel together, which costs both sides less than a
/// connection for each, and the server answers one after the other.
pub(crate) struct Connections {
    connector: Connector,
    /// At least one.
    slots: Box<[Slot]>,
    /// How many brief statements wait for each other on one connection before the next is used.
    depth: usize,
}

/// The place of a connection.
#[derive(Default)]
struct Slot {
    /// How much is under way.
    load: AtomicUsize,
    current: Mutex<Option<Arc<Connection>>>,
    /// Held while a connection is made, by whoever makes it.
    making: tokio::sync::Mutex<()>,
}

impl Connections {
    pub(crate) fn new(connector: Connector, most: usize, depth: usize) -> Self {
        let slots = (0..most.max(1)).map(|_| Slot::default()).collect();
        Self { connector, slots, depth }
    }

    /// Begins with a connection that was made elsewhere.
    pub(crate) fn adopt(&self, connection: Connection) {
        if let Some(slot) = self.slots.first() {
            *slot.current() = Some(Arc::new(connection));
        }
    }

    /// Sends a statement and collects its rows.
    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let weight = if statement.brief { 1 } else { LONG };
        self.on_one(weight, async |connection| connection.send(statement, parameters).await).await
    }

    /// The same as [`query`](Self::query) for a read: it is sent once more if the connection turns out
    /// to have ended while it lay idle.
    pub(crate) async fn read(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        match self.query(statement, parameters).await {
            Err(Failure::Lost(_)) => self.query(statement, parameters).await,
            answer => answer,
        }
    }

    /// Sends several reads at once: one round trip.
    pub(crate) async fn read_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        match self.try_all(reads).await {
            Err(Failure::Lost(_)) => self.try_all(reads).await,
            answer => answer,
        }
    }

    async fn try_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        self.on_one(LONG, async |connection| {
            let sent =
                reads.iter().map(|(statement, parameters)| connection.send(statement, parameters));
            futures_util::future::try_join_all(sent).await
        })
        .await
    }

    /// Does `work` on a connection. If the time for it is not enough, no further call gets that connection:
    /// what is still running on it would hold it up.
    async fn on_one<T>(
        &self,
        weight: usize,
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Timeouts { connect, statement } = self.connector.timeouts;
        let turn = self.turn(weight);
        let found = within(connect, turn.slot.connection(&self.connector)).await;
        let connection = found
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|error| Failure::NotSent(error.into()))?;
        let work = pin!(work(&connection));
        // The server gives up first, so that its answer is known.
        match within(statement + statement / 4, work).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                turn.slot.abandon(&connection);
                Err(Failure::Lost(elapsed.into()))
            }
        }
    }

    /// The first connection with room, or else the one with the least to do.
    fn turn(&self, weight: usize) -> Turn<'_> {
        let load = |slot: &&Slot| slot.load.load(Ordering::Relaxed);
        let has_room = |slot: &&Slot| match load(slot) {
            0 => true,
            load => load + weight <= self.depth,
        };
        let with_room = self.slots.iter().find(has_room);
        let slot =
            with_room.or_else(|| self.slots.iter().min_by_key(load)).unwrap_or(&self.slots[0]);
        slot.load.fetch_add(weight, Ordering::Relaxed);
        Turn { slot, weight }
    }
}

impl Slot {
    /// The connection, made anew if it has ended.
    async fn connection(&self, connector: &Connector) -> Result<Arc<Connection>, NoConnection> {
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        let _alone = self.making.lock().await;
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        let connection = Arc::new(connector.connect().await?);
        *self.current() = Some(connection.clone());
        Ok(connection)
    }

    fn live(&self) -> Option<Arc<Connection>> {
        self.current().as_ref().filter(|connection| !connection.client.is_closed()).cloned()
    }

    /// Lets those who use the connection finish, and nobody else begin.
    fn abandon(&self, connection: &Arc<Connection>) {
        self.current().take_if(|current| Arc::ptr_eq(current, connection));
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's share of a connection, until it is dropped.
struct Turn<'c> {
    slot: &'c Slot,
    weight: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.slot.load.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_postgres::Config;

    use super::*;

    #[test]
    fn brief_statements_share_a_connection_and_wait_behind_no_long_one() {
        let day = Duration::from_secs(86_400);
        let timeouts = Timeouts { connect: day, statement: day };
        let connector = Connector::new(Config::new(), None, timeouts, true);
        let connections = Connections::new(connector, 3, 2);
        let place = |turn: &Turn<'_>| {
            connections.slots.iter().position(|slot| std::ptr::eq(slot, turn.slot)).unwrap()
        };
        let turns = |weights: &[usize]| -> Vec<Turn<'_>> {
            weights.iter().map(|weight| connections.turn(*weight)).collect()
        };
        let places = |turns: &[Turn<'_>]| turns.iter().map(place).collect::<Vec<_>>();

        let held = turns(&[1, 1, 1, 1, LONG]);
        assert_eq!(places(&held), [0, 0, 1, 1, 2]);
        let more = turns(&[1, 1, LONG, 1, 1]);
        assert_eq!(places(&more), [0, 1, 0, 1, 1], "the one with the least to do");
        drop(more);
        drop(held);
        assert_eq!(places(&turns(&[LONG, 1, LONG, 1])), [0, 1, 2, 1]);
        assert_eq!(
            connections.slots.iter().map(|slot| slot.load.load(Ordering::Relaxed)).sum::<usize>(),
            0
        );
    }
}
