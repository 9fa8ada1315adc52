//! Looks whether a server keeps what the contract promises.

use tokio_postgres::{Client, Error};

use crate::error::{OpenError, Peer};

/// What is asked of a server.
struct Settings {
    version_number: i32,
    version: String,
    encoding: String,
    isolation: String,
    synchronous_commit: String,
    fsync: String,
    recovering: bool,
    read_only: String,
}

async fn ask(client: &Client) -> Result<Settings, Error> {
    let row = client
        .query_typed_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                    current_setting('server_encoding'),
                    current_setting('default_transaction_isolation'),
                    current_setting('synchronous_commit'), current_setting('fsync'),
                    pg_is_in_recovery(), current_setting('default_transaction_read_only')",
            &[],
        )
        .await?;
    Ok(Settings {
        version_number: row.try_get(0)?,
        version: row.try_get(1)?,
        encoding: row.try_get(2)?,
        isolation: row.try_get(3)?,
        synchronous_commit: row.try_get(4)?,
        fsync: row.try_get(5)?,
        recovering: row.try_get(6)?,
        read_only: row.try_get(7)?,
    })
}

/// Refuses a server that would break the contract; `volatile_permitted` if it may lose what it
/// acknowledged.
pub(crate) async fn check(
    client: &Client,
    peer: &Peer,
    volatile_permitted: bool,
) -> Result<(), OpenError> {
    let host = || peer.host.clone();
    let found = ask(client)
        .await
        .map_err(|error| OpenError::Failed { host: host(), source: error.into() })?;
    if found.version_number < 140_000 {
        return Err(OpenError::OldServer { host: host(), found: found.version });
    }
    if found.recovering {
        return Err(OpenError::Standby { host: host() });
    }
    if found.read_only == "on" {
        return Err(OpenError::ReadOnly { host: host(), role: peer.role.clone() });
    }
    let wrong =
        |setting, found, remedy| OpenError::Setting { host: host(), setting, found, remedy };
    if found.encoding != "UTF8" {
        let remedy = "create the database with `createdb --encoding=UTF8 --template=template0`";
        return Err(wrong("server_encoding", found.encoding, remedy));
    }
    if found.isolation != "read committed" {
        let remedy = "ALTER ROLE … SET default_transaction_isolation = 'read committed'";
        return Err(wrong("default_transaction_isolation", found.isolation, remedy));
    }
    if volatile_permitted {
        return Ok(());
    }
    let remedy = "switch it on, or say `insecure_volatile_store()` in a test";
    if found.synchronous_commit == "off" {
        return Err(wrong("synchronous_commit", found.synchronous_commit, remedy));
    }
    if found.fsync != "on" {
        return Err(wrong("fsync", found.fsync, remedy));
    }
    Ok(())
}
