//! What a test does without its component: it says so.

use std::io::Write;
use std::path::PathBuf;

/// The path in `variable`; without one, `test` is noted as left out.
///
/// `cargo xtask test` sets the variables of the components that it found or installed; without it a test
/// that starts a server of its own skips itself, so that plain `cargo test` needs nothing but Rust.
#[must_use]
pub fn component(test: &str, variable: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Some(path.into()),
        None => {
            skipped(test, &format!("{variable} is not set"));
            None
        }
    }
}

/// Notes that a test is left out: on standard output, and in the file that `AUTH_TEST_SKIPPED` names, which
/// is how `cargo xtask test` knows what to list.
pub fn skipped(test: &str, reason: &str) {
    println!("skipped {test}: {reason}; cargo xtask test brings it");
    if let Some(list) = std::env::var_os("AUTH_TEST_SKIPPED") {
        let line = format!("{test}: {reason}\n");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
        // Nobody but the reader of the list would miss a line.
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
