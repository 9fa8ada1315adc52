//! Starts a PostgreSQL, a Redis and a Redis Cluster, prints where they are, and stops them when its input
//! ends: for running single tests by hand.
//!
//! ```sh
//! cargo run -p testbed --example servers     # then, elsewhere, with the lines that it printed:
//! cargo test -p auth-testkit --test store_postgres
//! ```

use std::io::{Read, Write};

use testbed::{Postgres, Program, Redis, RedisCluster, StartError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let postgres = Postgres::start()?;
    let redis = Redis::start()?;
    let cluster = RedisCluster::start()?;
    println!("export DATABASE_URL={}", postgres.url());
    println!("export REDIS_URL={}", redis.url());
    println!("export AUTH_TEST_REDIS_CLUSTER={}", cluster.url());
    for program in [Program::POSTGRES, Program::REDIS, Program::NGINX, Program::PGBOUNCER] {
        match path(program) {
            Ok(path) => println!("export {}={path}", program.variable),
            Err(error) => eprintln!("{error}"),
        }
    }
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// PostgreSQL is named by its folder, the others by their program.
fn path(program: Program) -> Result<String, StartError> {
    let path = program.find()?;
    let folder = path.parent().filter(|_| program.variable == Program::POSTGRES.variable);
    Ok(folder.unwrap_or(&path).display().to_string())
}
