//! Encrypted connections: to the right server, and to no other.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use auth_postgres::{OpenError, PostgresOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use server::{commit, console, new_name, start};
use testbed::Postgres;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Puts a file beside the server's data, readable by nobody but the server.
fn place(server: &Postgres, name: &str, text: &str) -> PathBuf {
    let path = server.folder().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(server.folder().join("data")).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_469_the_server_s_certificate_and_name_are_verified() {
    let Some(server) = start("TLS of PostgreSQL", |setup| setup) else { return };
    let port = server.address().port();
    let open = |url: String, roots: Option<&PathBuf>| {
        let options = PostgresOptions::from_url(&url).unwrap().schema(new_name());
        match roots {
            Some(file) => options.root_certificates(file).connect(),
            None => options.connect(),
        }
    };
    let by_address = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=verify-full");

    // A server without TLS: never in clear instead.
    let error = open(by_address.clone(), None).await.unwrap_err();
    assert!(matches!(error, OpenError::Tls { .. }), "{error:?}");

    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let certificate = place(&server, "server.crt", &certificate.pem());
    let key = place(&server, "server.key", &key.serialize_pem());
    let root = console(server.url()).await;
    for (name, value) in [
        ("ssl_cert_file", certificate.display().to_string()),
        ("ssl_key_file", key.display().to_string()),
        ("ssl", "on".to_owned()),
    ] {
        root.execute(&format!("ALTER SYSTEM SET {name} = '{value}'"), &[]).await.unwrap();
    }
    root.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let ours = place(&server, "ours.pem", &ours.pem());
    let other = place(&server, "other.pem", &other.pem());

    // The server reads its settings when it gets to it.
    let mut opened = open(by_address.clone(), Some(&ours)).await;
    for _ in 0..50 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        opened = open(by_address.clone(), Some(&ours)).await;
    }
    let store = opened.unwrap();
    commit(&store, &[1]).await.unwrap();
    let encrypted = root
        .query_one(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
             WHERE application_name = 'auth-postgres' AND ssl",
            &[],
        )
        .await
        .unwrap();
    assert!(encrypted.get::<_, i64>(0) > 0);

    // Another authority, none that we know, another name.
    for (url, roots) in [
        (by_address.clone(), Some(&other)),
        (by_address.clone(), None),
        (by_address.replace("127.0.0.1", "localhost"), Some(&ours)),
        (by_address.replace("verify-full", "require"), Some(&other)),
    ] {
        let error = open(url.clone(), roots).await.unwrap_err();
        assert!(matches!(error, OpenError::Tls { .. }), "{url}: {error:?}");
    }

    let nothing = place(&server, "nothing.pem", "no certificate\n");
    let error = open(by_address, Some(&nothing)).await.unwrap_err();
    assert!(matches!(error, OpenError::Certificates { .. }), "{error:?}");
}
