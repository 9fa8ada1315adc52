//! [`Service`]: a server that runs, stops and starts again.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Doing, StartError};
use crate::launch::Launch;

const LIMIT: Duration = Duration::from_secs(30);

/// A server and the way to start it once more. It ends with the value.
#[derive(Debug)]
pub(crate) struct Service {
    launch: Launch,
    child: Option<Child>,
}

impl Service {
    /// Starts it.
    pub(crate) fn start(launch: Launch) -> Result<Self, StartError> {
        let child = launch.start()?;
        Ok(Self { launch, child: Some(child) })
    }

    /// Tries up to three addresses: another process may have taken the first meanwhile.
    pub(crate) fn start_somewhere<T>(
        mut start: impl FnMut() -> Result<T, StartError>,
    ) -> Result<T, StartError> {
        for _ in 0..2 {
            match start() {
                Err(StartError::NotReady { end, .. }) if end.contains("ddress already in use") => {}
                other => return other,
            }
        }
        start()
    }

    /// The number of its process, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), StartError> {
        match self.pid() {
            Some(pid) => send(signal, &[pid]),
            None => Ok(()),
        }
    }

    /// Ends it by a signal and waits until it has ended; SIGKILL follows if it does not.
    pub(crate) fn stop(&mut self, signal: &str) -> Result<(), StartError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let doing = format!("stopping {}", self.launch.server);
        if child.try_wait().doing(&*doing)?.is_none() {
            send(signal, &[child.id()])?;
        }
        if ended(&mut child, LIMIT).doing(&*doing)?.is_none() {
            let _ = child.kill();
            child.wait().doing(&*doing)?;
        }
        Ok(())
    }

    /// Kills it and its own processes at once, as when the machine loses power. What the operating
    /// system holds for the disk is not lost by that.
    pub(crate) fn kill(&mut self) -> Result<(), StartError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let mut family = vec![child.id()];
        family.extend(children(child.id()));
        let sent = send("KILL", &family);
        let _ = child.kill();
        child.wait().doing(format!("killing {}", self.launch.server))?;
        // One of its processes may have ended between the look and the signal.
        if family.len() == 1 { sent } else { Ok(()) }
    }

    /// Starts it where and as it was; nothing if it runs.
    pub(crate) fn start_again(&mut self) -> Result<(), StartError> {
        if let Some(child) = &mut self.child
            && child.try_wait().doing("looking after a server")?.is_none()
        {
            return Ok(());
        }
        self.child = Some(self.launch.start()?);
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.stop(self.launch.end);
    }
}

fn ended(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if begun.elapsed() > limit => return Ok(None),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Sends a signal by the shell's own `kill`: the library has no function for it without `unsafe` code.
fn send(signal: &str, pids: &[u32]) -> Result<(), StartError> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -s \"$@\"", "kill", signal]).args(pids.iter().map(u32::to_string));
    let output = shell.stdin(Stdio::null()).output().doing("running kill")?;
    if output.status.success() {
        return Ok(());
    }
    let doing = format!("sending SIG{signal}");
    Err(StartError::Failed { doing, output: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// The processes that `pid` started and that still run.
fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    list.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
