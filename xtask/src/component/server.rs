//! The servers: PostgreSQL, Redis, nginx, PgBouncer. Tests and proofs start their own from these programs.

use std::path::PathBuf;

use testbed::Program;

use super::{Component, debian};

/// The programs of PostgreSQL, by their folder.
pub(crate) const POSTGRES: Component = Component {
    name: "PostgreSQL",
    variable: Some("AUTH_TEST_POSTGRES"),
    find: |_| {
        find(Program::INITDB)?;
        let server = find(Program::POSTGRES)?;
        server.parent().map(PathBuf::from).ok_or_else(|| "postgres is in no folder".to_owned())
    },
    install: |_| debian::install_servers(&["postgresql", "postgresql-client"]),
    by_hand: "apt-get install postgresql, or set AUTH_TEST_POSTGRES to the folder of initdb and postgres",
};

/// Redis, or what speaks like it.
pub(crate) const REDIS: Component = Component {
    name: "Redis",
    variable: Some("AUTH_TEST_REDIS_SERVER"),
    find: |_| find(Program::REDIS),
    install: |_| debian::install_servers(&["redis-server"]),
    by_hand: "apt-get install redis-server, or set AUTH_TEST_REDIS_SERVER to the path of redis-server 7 \
              or newer",
};

/// nginx, in front of replicas.
pub(crate) const NGINX: Component = Component {
    name: "nginx",
    variable: Some("AUTH_TEST_NGINX"),
    find: |_| find(Program::NGINX),
    install: |_| debian::install_servers(&["nginx-light"]),
    by_hand: "apt-get install nginx-light, or set AUTH_TEST_NGINX to the path of nginx",
};

/// PgBouncer, in front of PostgreSQL.
pub(crate) const PGBOUNCER: Component = Component {
    name: "PgBouncer",
    variable: Some("AUTH_TEST_PGBOUNCER"),
    find: |_| find(Program::PGBOUNCER),
    install: |_| debian::install_servers(&["pgbouncer"]),
    by_hand: "apt-get install pgbouncer, or set AUTH_TEST_PGBOUNCER to the path of pgbouncer",
};

fn find(program: Program) -> Result<PathBuf, String> {
    program.find().map_err(|error| error.to_string())
}
