//! The tables, and the steps that lead from one version of them to the next.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Transaction};

use crate::error::{OpenError, Peer};

/// One script for each version of the tables. Only ever add to the end: a script that was published has
/// run somewhere. A later version must leave tables and functions that the previous one can still use,
/// because two versions share a database while replicas are upgraded one by one: functions carry the
/// version that brought them in their name.
const STEPS: [&str; 2] = [include_str!("sql/1.sql"), include_str!("sql/2.sql")];

/// The version of the tables that this crate writes.
const VERSION: i32 = STEPS.len() as i32;

/// The oldest version of this crate's tables whose programs can use the tables of [`VERSION`].
const USABLE_FROM: i32 = 1;

/// Whether `name` can stand in a statement as it is.
pub(crate) fn check_name(name: &str) -> Result<(), OpenError> {
    let permitted = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
    let begins = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if begins && name.len() <= 63 && name.as_bytes().iter().all(permitted) {
        Ok(())
    } else {
        Err(OpenError::InvalidSchema(name.to_owned()))
    }
}

/// What leads from version `from` of the tables to [`VERSION`].
pub(crate) fn script(schema: &str, from: i32) -> String {
    let mut script = format!("CREATE SCHEMA IF NOT EXISTS {schema};\n");
    if from == 0 {
        script.push_str(&format!(
            "CREATE TABLE {schema}.layout (version integer NOT NULL, usable_from integer NOT NULL);\n\
             INSERT INTO {schema}.layout VALUES (0, 0);\n"
        ));
    }
    for step in STEPS.iter().skip(usize::try_from(from).unwrap_or_default()) {
        script.push_str(&step.replace("{schema}", schema));
    }
    script.push_str(&format!(
        "UPDATE {schema}.layout SET version = {VERSION}, usable_from = {USABLE_FROM};\n"
    ));
    script
}

/// What is found in a schema.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing of ours, and nothing of anybody else.
    Nothing,
    /// Somebody else's tables.
    Foreign,
    /// Tables of this version, which programs from the other version on can use.
    Layout { version: i32, usable_from: i32 },
}

async fn look(client: &Client, schema: &str) -> Result<Found, Error> {
    let row = client
        .query_typed_one(
            "SELECT to_regclass($1::text || '.layout') IS NOT NULL,
                    EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1)",
            &[(&schema, tokio_postgres::types::Type::TEXT)],
        )
        .await?;
    match (row.try_get(0)?, row.try_get(1)?) {
        (false, false) => Ok(Found::Nothing),
        (false, true) => Ok(Found::Foreign),
        (true, _) => {
            let layout = format!("SELECT version, usable_from FROM {schema}.layout");
            let row = client.query_typed_one(&layout, &[]).await?;
            Ok(Found::Layout { version: row.try_get(0)?, usable_from: row.try_get(1)? })
        }
    }
}

/// Brings the tables to [`VERSION`], in one transaction, or says why that cannot be. Whoever comes
/// second waits and finds the work done.
pub(crate) async fn migrate(
    client: &mut Client,
    peer: &Peer,
    schema: &str,
    permitted: bool,
) -> Result<(), OpenError> {
    let failed = |error: Error| match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => OpenError::MayNotUse {
            role: peer.role.clone(),
            schema: schema.to_owned(),
            source: error.into(),
        },
        _ => OpenError::Failed { host: peer.host.clone(), source: error.into() },
    };
    if settled(look(client, schema).await.map_err(failed)?, schema)? {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(failed)?;
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('{schema}/layout', 0))");
    transaction.batch_execute(&lock).await.map_err(failed)?;
    let found = look(transaction.client(), schema).await.map_err(failed)?;
    let from = match found {
        Found::Layout { version, .. } => version,
        _ => 0,
    };
    if settled(found, schema)? {
        return Ok(());
    }
    if !permitted {
        let found = if from == 0 { "none".to_owned() } else { from.to_string() };
        return Err(OpenError::NotMigrated { schema: schema.to_owned(), found, wanted: VERSION });
    }
    run(transaction, &script(schema, from)).await.map_err(|error| match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => OpenError::MayNotMigrate {
            role: peer.role.clone(),
            schema: schema.to_owned(),
            source: error.into(),
        },
        _ => failed(error),
    })
}

async fn run(transaction: Transaction<'_>, script: &str) -> Result<(), Error> {
    transaction.batch_execute(script).await?;
    transaction.commit().await
}

/// Whether there is nothing to do.
fn settled(found: Found, schema: &str) -> Result<bool, OpenError> {
    match found {
        Found::Nothing => Ok(false),
        Found::Foreign => Err(OpenError::Foreign { schema: schema.to_owned() }),
        Found::Layout { version, .. } if version <= VERSION => Ok(version == VERSION),
        // A newer version that still serves this one: replicas are being upgraded.
        Found::Layout { usable_from, .. } if usable_from <= VERSION => Ok(true),
        Found::Layout { version, .. } => Err(OpenError::NewerVersion {
            schema: schema.to_owned(),
            found: version,
            known: VERSION,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_s_name_needs_no_quotes() {
        for good in ["auth", "a", "_2", &"x".repeat(63)] {
            check_name(good).unwrap();
        }
        for bad in ["", "Auth", "2a", "a b", "a\"b", "a;drop", "ä", &"x".repeat(64)] {
            assert!(matches!(check_name(bad), Err(OpenError::InvalidSchema(_))), "{bad}");
        }
    }

    #[test]
    fn a_newer_version_is_refused_unless_it_still_serves_this_one() {
        let layout = |version, usable_from| settled(Found::Layout { version, usable_from }, "auth");
        assert!(layout(VERSION, 1).unwrap());
        assert!(layout(VERSION + 1, VERSION).unwrap());
        let refused = layout(VERSION + 1, VERSION + 1);
        assert!(matches!(refused, Err(OpenError::NewerVersion { .. })), "{refused:?}");
    }
}
