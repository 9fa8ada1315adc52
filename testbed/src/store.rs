//! [`Backend`] and [`Database`]: a new, empty database on each backend.

mod backend;
mod database;
mod namespace;
mod schema;
mod spec;

pub use backend::Backend;
pub use database::Database;
pub use spec::{OpenError, open, open_archive};
