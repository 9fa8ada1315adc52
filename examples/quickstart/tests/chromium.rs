//! A person uses the quickstart in Chromium, on axum.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/walk.rs"]
mod walk;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_uses_the_quickstart_in_chromium() {
    walk::everywhere("axum", env!("CARGO_BIN_EXE_quickstart")).await;
}
