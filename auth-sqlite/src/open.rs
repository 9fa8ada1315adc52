//! Opens the file: finds out what it is before anything is changed.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::busy::patiently;
use crate::error::OpenError;
use crate::options::{Place, SqliteOptions};
use crate::readers::Readers;
use crate::schema::{self, Identity, VERSION};

/// The connections of a store.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) writer: Arc<Mutex<Connection>>,
    /// For moving the log, which a database in memory does not have.
    pub(crate) mover: Option<Connection>,
    pub(crate) readers: Readers,
}

pub(crate) fn open(options: &SqliteOptions) -> Result<Opened, OpenError> {
    match &options.place {
        Place::File(path) => open_file(path, options),
        Place::Memory => open_memory(options),
    }
}

fn open_memory(options: &SqliteOptions) -> Result<Opened, OpenError> {
    let path = PathBuf::from("(memory)");
    let failed = |error| OpenError::sqlite(&path, error);
    let mut writer = Connection::open_in_memory().map_err(failed)?;
    harden(&writer).map_err(failed)?;
    schema::migrate(&mut writer).map_err(failed)?;
    bound_size(&writer, options).map_err(failed)?;
    let writer = Arc::new(Mutex::new(writer));
    // A database in memory belongs to one connection, which readers and the writer take in turn.
    Ok(Opened { path, readers: Readers::new(vec![writer.clone()]), writer, mover: None })
}

/// How much the writer keeps of what it changed, since until the log is moved it stands nowhere else in memory: as
/// much as the log grows to. In a large database each change is of another page.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

fn open_file(path: &Path, options: &SqliteOptions) -> Result<Opened, OpenError> {
    // The full path has no meaning to SQLite besides, as `:memory:` or an empty one would.
    let path = make_file(path)?;
    let failed = |error| OpenError::sqlite(&path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = connect(&path, flags, options).map_err(failed)?;
    accept(&path, schema::identify(&writer).map_err(failed)?)?;
    if writer.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(OpenError::ReadOnly { path });
    }
    let mode = patiently(options.busy_timeout, || {
        writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
    })
    .map_err(failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::NoLog { path });
    }
    be_durable(&writer).map_err(failed)?;
    if schema::identify(&writer).map_err(failed)? != Identity::Ours(VERSION) {
        accept(&path, schema::migrate(&mut writer).map_err(failed)?)?;
    }
    let damaged = |source: auth_store::Source| OpenError::Damaged { path: path.clone(), source };
    schema::check_tables(&writer).map_err(|error| damaged(error.into()))?;
    if options.verify {
        let verdict: String =
            writer.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if verdict != "ok" {
            return Err(damaged(verdict.into()));
        }
    }
    bound_size(&writer, options).map_err(failed)?;
    writer.pragma_update(None, "cache_size", -WRITER_CACHE_KIB).map_err(failed)?;
    // From now on the writer thread waits in its own way.
    writer.busy_timeout(Duration::ZERO).map_err(failed)?;
    let mover = connect(&path, flags, options).map_err(failed)?;
    be_durable(&mover).map_err(failed)?;

    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = |_| Ok(Arc::new(Mutex::new(connect(&path, flags, options)?)));
    let readers: rusqlite::Result<Vec<_>> = (0..options.readers).map(reader).collect();
    let readers = Readers::new(readers.map_err(failed)?);
    Ok(Opened { writer: Arc::new(Mutex::new(writer)), mover: Some(mover), readers, path })
}

/// Creates the file if need be, for its owner only, and gives its full path. SQLite gives the files
/// that it keeps beside a database the mode of the database.
fn make_file(path: &Path) -> Result<PathBuf, OpenError> {
    // On POSIX systems a process that closes a file loses its locks on it, those of its other users
    // included: nobody else in this process may come in before the new file is closed again.
    static MAKING: Mutex<()> = Mutex::new(());
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut create = OpenOptions::new();
    create.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
    match create.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(not_made(path, error)),
    }
    let denied =
        |error: io::Error| OpenError::Denied { path: path.to_owned(), source: error.into() };
    let full = fs::canonicalize(path).map_err(denied)?;
    let metadata = fs::metadata(&full).map_err(denied)?;
    if !metadata.is_file() {
        return Err(OpenError::NotAFile { path: full });
    }
    // Even a process that may write everywhere is to respect a file that was set aside.
    if metadata.permissions().readonly() {
        return Err(OpenError::ReadOnly { path: full });
    }
    Ok(full)
}

fn not_made(path: &Path, error: io::Error) -> OpenError {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if !dir.is_dir() => {
            OpenError::DirectoryMissing { dir: dir.to_owned() }
        }
        ErrorKind::IsADirectory => OpenError::NotAFile { path: path.to_owned() },
        ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path: path.to_owned() },
        ErrorKind::StorageFull => {
            OpenError::DiskFull { path: path.to_owned(), source: error.into() }
        }
        _ => OpenError::Denied { path: path.to_owned(), source: error.into() },
    }
}

fn connect(path: &Path, flags: OpenFlags, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    // SQLite answers with what it takes, which may be less.
    let mapped = i64::try_from(options.memory_map).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "mmap_size", mapped, |_| Ok(()))?;
    harden(&connection)?;
    Ok(connection)
}

fn be_durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Where `fsync` alone leaves data in the disk's cache (macOS), ask for more.
    connection.pragma_update(None, "fullfsync", true)
}

/// Takes from a manipulated file the means to run something.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    // All statements of this crate: 12 scans, 8 reads by key and a dozen others.
    connection.set_prepared_statement_cache_capacity(48);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

fn bound_size(writer: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    if let Some(bytes) = options.max_bytes {
        let page: i64 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
        // SQLite takes 0 for "as before", and no bound below the present size.
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX).checked_div(page).unwrap_or(1).max(1);
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        writer.pragma_update_and_check(None, "max_page_count", pages.min(0xFFFF_FFFE), set)?;
    }
    Ok(())
}

fn accept(path: &Path, identity: Identity) -> Result<(), OpenError> {
    let path = path.to_owned();
    match identity {
        Identity::Ours(found) if found > VERSION => {
            Err(OpenError::NewerVersion { path, found, known: VERSION })
        }
        Identity::Foreign(application_id) => Err(OpenError::Foreign { path, application_id }),
        Identity::Empty | Identity::Ours(_) => Ok(()),
    }
}
