//! A person uses the quickstart in Chromium, on actix-web.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../quickstart/tests/support/walk.rs"]
mod walk;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_uses_the_quickstart_in_chromium() {
    walk::everywhere("actix", env!("CARGO_BIN_EXE_quickstart-actix")).await;
}
