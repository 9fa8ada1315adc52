//! [`Servers`]: the databases of one run, which end with it.

use std::ffi::OsString;

use testbed::{Postgres, Redis, RedisCluster, StartError};

use crate::progress::Step;

/// A server that a run can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// One PostgreSQL, whose commits wait for the disk.
    Postgres,
    /// One Redis that keeps what it acknowledges.
    Redis,
    /// Three masters of the same kind.
    RedisCluster,
}

impl Server {
    /// Every one of them.
    pub(crate) const ALL: &[Self] = &[Self::Postgres, Self::Redis, Self::RedisCluster];

    /// The variable that says where it is.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DATABASE_URL",
            Self::Redis => "REDIS_URL",
            Self::RedisCluster => "AUTH_TEST_REDIS_CLUSTER",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "a PostgreSQL for this run",
            Self::Redis => "a Redis for this run",
            Self::RedisCluster => "a Redis Cluster for this run",
        }
    }

    fn start(self) -> Result<Running, StartError> {
        Ok(match self {
            Self::Postgres => Running::Postgres(Postgres::start()?),
            Self::Redis => Running::Redis(Redis::start()?),
            Self::RedisCluster => Running::RedisCluster(RedisCluster::start()?),
        })
    }
}

/// Servers that this run started, and where they and those that the caller named are.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    running: Vec<Running>,
    variables: Vec<(&'static str, OsString)>,
    missing: Vec<String>,
}

#[derive(Debug)]
enum Running {
    Postgres(Postgres),
    Redis(Redis),
    RedisCluster(RedisCluster),
}

impl Running {
    fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url().to_owned(),
            Self::Redis(server) => server.url().to_owned(),
            Self::RedisCluster(server) => server.url(),
        }
    }
}

impl Servers {
    /// Starts those of `wanted` that the environment does not name already. One that does not start is
    /// missing, and the others go on.
    pub(crate) fn start(wanted: &[Server]) -> Self {
        let mut servers = Self::default();
        for server in wanted {
            let step = Step::begin(server.name());
            let variable = server.variable();
            if let Some(url) = std::env::var_os(variable) {
                step.done(format!("the one that {variable} names"));
                servers.variables.push((variable, url));
                continue;
            }
            match server.start() {
                Ok(running) => {
                    step.done(running.url());
                    servers.variables.push((variable, running.url().into()));
                    servers.running.push(running);
                }
                Err(error) => {
                    step.left_out(&error);
                    servers.missing.push(format!("{}: {error}", server.name()));
                }
            }
        }
        servers
    }

    /// Also tells programs where something else is.
    pub(crate) fn name(&mut self, variable: &'static str, path: impl Into<OsString>) {
        self.variables.push((variable, path.into()));
    }

    /// Variables for the programs that use the servers.
    pub(crate) fn variables(&self) -> &[(&'static str, OsString)] {
        &self.variables
    }

    /// Whether the server of that variable is there.
    pub(crate) fn has(&self, server: Server) -> bool {
        self.variables.iter().any(|(name, _)| *name == server.variable())
    }

    /// Those that did not start, and why.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }
}
