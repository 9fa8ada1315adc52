//! [`Connections`]: connections that calls share.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_store::within;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{Connection, Connector, Parameters, Statement, Timeouts};
use crate::error::{Failure, NoConnection};

/// Connections for one purpose, made when they are needed.
///
/// A few statements are under way on one connection: they travel together, which costs both sides less than a
/// connection for each, and the server answers one after the other. Whoever finds no room waits here.
pub(crate) struct Connections {
    connector: Connector,
    /// As many as statements may be under way on all connections.
    room: Arc<Semaphore>,
    slots: Arc<Slots>,
}

/// How calls share connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    /// How many brief statements are under way on one connection before the next is used.
    pub(crate) first: usize,
    /// How many there are at most.
    pub(crate) most: usize,
}

/// The places of connections.
struct Slots {
    sharing: Sharing,
    /// How much is under way on each.
    loads: Mutex<Vec<usize>>,
    slots: Box<[Slot]>,
}

/// The place of a connection.
#[derive(Default)]
struct Slot {
    current: Mutex<Option<Arc<Connection>>>,
    /// Held while a connection is made, by whoever makes it.
    making: tokio::sync::Mutex<()>,
}

impl Connections {
    /// At most `count` connections, and at least one.
    pub(crate) fn new(connector: Connector, count: usize, sharing: Sharing) -> Self {
        let count = count.max(1);
        let slots = (0..count).map(|_| Slot::default()).collect();
        let slots = Slots { sharing, loads: Mutex::new(vec![0; count]), slots };
        let room = Arc::new(Semaphore::new(count.saturating_mul(sharing.most)));
        Self { connector, room, slots: Arc::new(slots) }
    }

    /// How many there are at most.
    pub(crate) fn count(&self) -> usize {
        self.slots.slots.len()
    }

    /// How long a call waits for one.
    pub(crate) fn patience(&self) -> Duration {
        self.connector.timeouts.connect
    }

    /// Begins with a connection that was made elsewhere.
    pub(crate) fn adopt(&self, connection: Connection) {
        if let Some(slot) = self.slots.slots.first() {
            *slot.current() = Some(Arc::new(connection));
        }
    }

    /// Sends a statement and collects its rows.
    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        self.on_one(statement.brief, async |connection| {
            connection.send(statement, parameters).await
        })
        .await
    }

    /// The same as [`query`](Self::query) for a read: it is sent once more if the connection turns out
    /// to have ended.
    pub(crate) async fn read(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        match self.query(statement, parameters).await {
            Err(Failure::Lost(_) | Failure::Cut(_)) => self.query(statement, parameters).await,
            answer => answer,
        }
    }

    /// Sends several reads at once: one round trip.
    pub(crate) async fn read_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        match self.try_all(reads).await {
            Err(Failure::Lost(_) | Failure::Cut(_)) => self.try_all(reads).await,
            answer => answer,
        }
    }

    async fn try_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        self.on_one(false, async |connection| {
            let sent =
                reads.iter().map(|(statement, parameters)| connection.send(statement, parameters));
            futures_util::future::try_join_all(sent).await
        })
        .await
    }

    /// Does `work` on a connection. No further call gets that connection if the time was not enough, because what
    /// is still running would hold it up, or if it ended.
    async fn on_one<T>(
        &self,
        brief: bool,
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Timeouts { connect, statement } = self.connector.timeouts;
        let found = within(connect, async {
            let room = self.room.clone().acquire_owned().await;
            let room = room.map_err(|_| NoConnection::Closed)?;
            let turn = Turn::new(&self.slots, brief, room);
            let connection = turn.slot().connection(&self.connector).await?;
            Ok((turn, connection))
        });
        let (mut turn, connection) = found
            .await
            .unwrap_or_else(|elapsed| Err(NoConnection::Late(elapsed)))
            .map_err(|error| Failure::NotSent(error.into()))?;
        turn.under_way = Some(connection.clone());
        let work = pin!(work(&connection));
        // The server gives up first, on this statement and on those before it, so that its answer is known.
        let before = u32::try_from(self.slots.sharing.most).unwrap_or(u32::MAX);
        let limit = statement.saturating_mul(before).saturating_add(statement / 4);
        let answer = within(limit, work).await;
        turn.under_way = None;
        // Nobody asks the server to end it: it may wait for a standby, and to end that wait is to commit without one.
        let answer = answer.unwrap_or_else(|elapsed| Err(Failure::Lost(elapsed.into())));
        if let Err(Failure::Lost(_) | Failure::Cut(_)) = answer {
            turn.slot().abandon(&connection);
        }
        answer
    }
}

impl Slots {
    /// The first connection with room, or else the one with the least to do: its number.
    fn choose(&self, weight: usize) -> usize {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = |load: &usize| *load == 0 || load + weight <= self.sharing.first;
        let chosen = loads.iter().position(has_room).unwrap_or_else(|| {
            let least = loads.iter().enumerate().min_by_key(|(_, load)| **load);
            least.map_or(0, |(number, _)| number)
        });
        loads[chosen] += weight;
        chosen
    }

    fn release(&self, number: usize, weight: usize) {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)[number] -= weight;
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
        // In a box: every call's future would be as large as that.
        let connection = Arc::new(Box::pin(connector.connect()).await?);
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

/// A call's share of a connection. Dropped while a statement is under way, because nobody waits for the answer any
/// more, it is kept until that answer is there: otherwise others would be sent to wait behind it.
struct Turn {
    slots: Arc<Slots>,
    number: usize,
    weight: usize,
    under_way: Option<Arc<Connection>>,
    room: Option<OwnedSemaphorePermit>,
}

impl Turn {
    fn new(slots: &Arc<Slots>, brief: bool, room: OwnedSemaphorePermit) -> Self {
        // What takes long has a connection to itself, if there is one.
        let weight = if brief { 1 } else { slots.sharing.most };
        let number = slots.choose(weight);
        Self { slots: slots.clone(), number, weight, under_way: None, room: Some(room) }
    }

    fn slot(&self) -> &Slot {
        &self.slots.slots[self.number]
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (slots, number, weight) = (self.slots.clone(), self.number, self.weight);
        let room = self.room.take();
        let release = move || {
            slots.release(number, weight);
            drop(room);
        };
        match self.under_way.take().zip(Handle::try_current().ok()) {
            Some((connection, runtime)) => drop(runtime.spawn(async move {
                // It is answered after whatever was sent before, or fails with the connection.
                drop(connection.client.batch_execute("").await);
                release();
            })),
            None => release(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: usize, sharing: Sharing) -> Slots {
        let slots = (0..count).map(|_| Slot::default()).collect();
        Slots { sharing, loads: Mutex::new(vec![0; count]), slots }
    }

    #[test]
    fn brief_statements_share_a_connection_and_long_ones_have_their_own() {
        let slots = slots(3, Sharing { first: 2, most: 2 });
        let chosen: Vec<usize> = [1, 1, 2, 1].map(|weight| slots.choose(weight)).into();
        assert_eq!(chosen, [0, 0, 1, 2]);
        assert_eq!(slots.choose(2), 2, "none is idle: the one with the least to do");
        slots.release(0, 1);
        assert_eq!(slots.choose(1), 0);
        slots.release(1, 2);
        assert_eq!(slots.choose(2), 1);
    }

    #[test]
    fn nobody_waits_behind_another_while_a_connection_is_idle() {
        let slots = slots(3, Sharing { first: 1, most: 2 });
        let chosen: Vec<usize> = (0..6).map(|_| slots.choose(1)).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
    }
}
