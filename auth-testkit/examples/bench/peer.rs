//! [`Peer`]: oidc-provider in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::caller::{CALLBACK, Site};
use crate::keys::{Keys, directory, node};
use crate::scene::Failure;
use crate::served::cpu::settle;

/// Whom docs/benchmarks.md names; what is there is pinned by interop/peer/package-lock.json.
pub(crate) fn version() -> Result<String, Failure> {
    let file = directory().join("node_modules/oidc-provider/package.json");
    let package: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    Ok(package["version"].as_str().ok_or("oidc-provider has no version")?.to_owned())
}

/// What starts it.
pub(crate) fn command(keys: &Keys, address: SocketAddr) -> Result<Command, Failure> {
    let mut command = Command::new(node()?);
    command.arg(directory().join("server.mjs")).arg(address.port().to_string()).arg(keys.jwks());
    command.env("NODE_ENV", "production");
    Ok(command)
}

pub(crate) fn site(address: SocketAddr) -> Site {
    Site {
        addresses: [address; 3],
        token: "/token",
        introspection: "/token/introspection",
        authorization: "/auth",
        jwks: "/jwks",
        web: "web",
        callback: CALLBACK.to_owned(),
        jwt_client: "svc",
        by_resource: true,
    }
}

/// It ends with the value.
pub(crate) struct Peer {
    process: Child,
    pub(crate) site: Site,
}

impl Peer {
    pub(crate) fn start(keys: &Keys) -> Result<Self, Failure> {
        let address = testbed::free_address()?;
        let mut process = command(keys, address)?.stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().ok_or("the peer has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let peer = Self { process, site: site(address) };
        match line.trim() {
            "ready" => Ok(peer),
            other => Err(format!("the peer said `{other}`: is interop/peer installed?").into()),
        }
    }

    /// The time that its threads worked while it was called.
    pub(crate) fn time(
        &self,
        calls: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Duration, Failure> {
        settle();
        let before = self.worked()?;
        calls()?;
        settle();
        Ok(self.worked()?.saturating_sub(before))
    }

    /// By the scheduler's account of each thread, in nanoseconds.
    fn worked(&self) -> Result<Duration, Failure> {
        let mut sum = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let account = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let worked = account.split(' ').next().ok_or("no account of a thread")?;
            sum += worked.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
