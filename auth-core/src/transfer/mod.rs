//! Moves a whole database: into a file, out of one, into another backend.
//!
//! ```text
//!   Archive ── export ──▶ JSON lines ── import ──▶ Archive
//!      └─────────────────── copy ───────────────────▲
//!      └───────────── verify: the same? ────────────┘
//! ```
//!
//! What is moved is each record as it is, with its version and its index entries: tokens that were issued
//! before are good after. It is not one moment of the database. For a move, stop the servers, copy, verify,
//! and start them on the copy.
//!
//! # The file
//! The first line is the header, the last the trailer, and each between them a record, ordered by tenant,
//! then by key:
//!
//! ```text
//! {"format":"auth-archive","version":1,"exported_at":1789000000000}
//! {"tenant":"default","key":"bQFjbGllbnQAAXdlYgA","version":"…","index":[["name","…"]],"keep_until":1,"value":{…}}
//! {"records":1,"sha256":"…"}
//! ```
//!
//! Keys, versions and the bytes of index entries are base64url, moments are milliseconds since 1970. `value`
//! is the record's JSON itself; a value that is none, or that does not fit in a line, stands in `text` as a
//! string. The SHA-256 covers every record line with its newline, so that a file that was cut or changed is
//! noticed; equal databases give equal ones.
//!
//! **The file is as sensitive as the database.** Personal data stand in it in clear. Keys are sealed by
//! the deployment's secrets as they are in the database: without those secrets nobody can make or read a
//! token by it. [`export_file`] gives it the mode 0600.

mod copy;
mod digest;
mod error;
mod export;
mod file;
mod import;
mod landing;
mod line;
mod progress;
mod verify;

pub use copy::copy;
pub use digest::Sha256;
pub use error::TransferError;
pub use export::{Exported, Partial, export, resume};
pub use file::{export_file, import_file};
pub use import::{check, import};
pub use landing::{Conflict, Imported};
pub use progress::{Moved, Progress, Quiet};
pub use verify::{Comparison, Difference, Side, verify};

/// How many records are read or written at once.
const PAGE: u16 = 1000;
