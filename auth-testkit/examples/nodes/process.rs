//! [`Node`]: a server process, which the proof starts, kills and starts again.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use auth_testkit::Browser;
use http::StatusCode;

use super::Failure;
use super::serve::{NODE, SECRET, Task};

/// Stands in a spec for what each process calls itself.
pub(crate) const NAME: &str = "NAME";
/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server process. It is killed with the value.
#[derive(Debug)]
pub(crate) struct Node {
    task: Task,
    process: Child,
    starts: u64,
}

impl Node {
    /// Starts it. It listens a moment later: see [`becomes`].
    pub(crate) fn start(task: Task) -> Result<Self, Failure> {
        let process = spawn(&task, 1)?;
        Ok(Self { task, process, starts: 1 })
    }

    /// Where it listens, without a final slash.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.task.address)
    }

    /// What PostgreSQL calls the sessions of the process that runs now.
    pub(crate) fn name(&self) -> String {
        name(&self.task, self.starts)
    }

    /// Kills it by SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<Instant, Failure> {
        let at = Instant::now();
        self.process.kill()?;
        self.process.wait()?;
        Ok(at)
    }

    /// Starts it where and as it was.
    pub(crate) fn start_again(&mut self) -> Result<(), Failure> {
        self.starts += 1;
        self.process = spawn(&self.task, self.starts)?;
        Ok(())
    }

    /// Whether nobody has ended it.
    pub(crate) fn is_running(&mut self) -> Result<bool, Failure> {
        Ok(self.process.try_wait()?.is_none())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn name(task: &Task, starts: u64) -> String {
    format!("node_{}_{starts}", task.address.port())
}

/// A server process ends by itself when its input does, so none outlives this one.
fn spawn(task: &Task, starts: u64) -> Result<Child, Failure> {
    let spec = task.spec.replace(NAME, &name(task, starts));
    let task = Task { spec, ..task.clone() };
    Ok(Command::new(std::env::current_exe()?)
        .args([NODE, &serde_json::to_string(&task)?])
        .env(SECRET, "bm90IGEgc2VjcmV0OiBrbm93biB0byBldmVyeSByZWFkZXIh")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?)
}

/// An address on which nobody listens.
pub(crate) fn address() -> Result<SocketAddr, Failure> {
    Ok(testbed::free_address()?)
}

/// Asks a server whether it is ready, until the answer has this status.
pub(crate) async fn becomes(base: &str, status: StatusCode) -> Result<(), Failure> {
    let (begun, probe) = (Instant::now(), Browser::new());
    let mut saw = String::new();
    while begun.elapsed() < PATIENCE {
        match probe.get(&format!("{base}/health/ready")).await {
            Ok(reply) if reply.status == status => return Ok(()),
            Ok(reply) => saw = reply.status.to_string(),
            Err(error) => saw = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    Err(format!("readiness at {base} did not become {status} in {PATIENCE:?}: {saw}").into())
}
