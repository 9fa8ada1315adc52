//! Connections that are encrypted. The certificate in `fixtures` is for `localhost`, by an authority of its
//! own; both are for these tests alone.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod support;

use std::path::{Path, PathBuf};

use auth_redis::{OpenError, RedisOptions};
use support::{commit, find, put, server};
use testbed::Redis;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A server that listens for TLS on a port of its own, beside the plain one.
fn encrypted(test: &str) -> Option<(Redis, u16)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name| fixture(name).to_string_lossy().into_owned();
    let setup = Redis::setup()
        .setting("tls-port", &port.to_string())
        .setting("tls-cert-file", &file("server.pem"))
        .setting("tls-key-file", &file("server.key"))
        .setting("tls-ca-cert-file", &file("ca.pem"))
        .setting("tls-auth-clients", "no");
    Some((server(test, setup)?, port))
}

fn options(url: &str) -> RedisOptions {
    RedisOptions::from_url(url).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_469_an_encrypted_server_is_used_if_its_certificate_is_good() {
    let Some((_server, port)) = encrypted("Redis with TLS") else { return };
    let url = format!("rediss://localhost:{port}");
    let trusting = options(&url).root_certificates(fixture("ca.pem"));
    let store = trusting.clone().connect().await.unwrap();
    commit(&store, &put("a", "1")).await.unwrap();
    assert_eq!(&*find(&store, "a").await.unwrap().value, "1");

    // Signed by nobody whom the public knows.
    let error = options(&url).connect().await.unwrap_err();
    assert!(matches!(error, OpenError::Tls { .. }), "{error:?}");
    // Made out to another name.
    let by_number = options(&format!("rediss://127.0.0.1:{port}"));
    let error = by_number.root_certificates(fixture("ca.pem")).connect().await.unwrap_err();
    assert!(matches!(error, OpenError::Tls { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_469_tls_does_not_fall_back_to_clear_nor_clear_to_tls() {
    let Some((server, port)) = encrypted("Redis with TLS on one port") else { return };
    options(server.url()).connect().await.unwrap();
    let plain = server.url().replace("redis://127.0.0.1", "rediss://localhost");
    let trusting = options(&plain).root_certificates(fixture("ca.pem"));
    let error = trusting.connect().await.unwrap_err();
    assert!(matches!(error, OpenError::Tls { .. }), "{error:?}");
    let error = options(&format!("redis://localhost:{port}")).connect().await.unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    for name in ["server.key", "nothing.pem"] {
        let options = options("rediss://localhost:1").root_certificates(fixture(name));
        let error = options.connect().await.unwrap_err();
        assert!(matches!(&error, OpenError::RootCertificates { file, .. } if file.ends_with(name)));
    }
}
