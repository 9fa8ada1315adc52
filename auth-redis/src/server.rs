//! [`Server`]: a single server or a cluster, to whom it makes no difference.

use redis::{Cmd, ServerErrorKind, Value};

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::link::Link;
use crate::script::Call;

/// Who keeps the data.
pub(crate) enum Server {
    Single(Link),
    Cluster(Cluster),
}

impl Server {
    /// Sends a command to whoever has the key `route`.
    pub(crate) async fn send(&self, route: &[u8], command: &Cmd) -> Result<Value, Failure> {
        match self {
            Self::Single(link) => link.send(command).await,
            Self::Cluster(cluster) => cluster.send(route, command).await,
        }
    }

    /// The same for a command that changes nothing: one that was cut off is sent once more.
    pub(crate) async fn read(&self, route: &[u8], command: &Cmd) -> Result<Value, Failure> {
        match self.send(route, command).await {
            Err(failure) if failure.is_worth_another_try() => self.send(route, command).await,
            answer => answer,
        }
    }

    /// Runs a script.
    pub(crate) async fn run(&self, call: &Call) -> Result<Value, Failure> {
        match self.send(call.route(), &call.by_digest()).await {
            Err(failure) if failure.answer() == Some(ServerErrorKind::NoScript) => {
                self.send(call.route(), &call.by_text()).await
            }
            answer => answer,
        }
    }

    /// The same for a script that changes nothing.
    pub(crate) async fn run_again(&self, call: &Call) -> Result<Value, Failure> {
        match self.run(call).await {
            Err(failure) if failure.is_worth_another_try() => self.run(call).await,
            answer => answer,
        }
    }

    /// How many masters there are.
    pub(crate) fn addresses(&self) -> Vec<String> {
        match self {
            Self::Single(link) => vec![link.address().to_string()],
            Self::Cluster(cluster) => {
                cluster.masters().iter().map(|link| link.address().to_string()).collect()
            }
        }
    }
}
