//! Certificates are verified.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::sync::Arc;

use auth_core::{FetchError, HttpClient};
use auth_fetch::SafeHttpClient;
use bytes::Bytes;
use http::Request;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use server::{Server, ok};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn a_host_is_believed_if_an_authority_vouches_for_its_name() {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let says = Server::start(ok("")).await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                says.serve(stream, ok("hello")).await;
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let get = async |client: SafeHttpClient, host: &str| {
        let url = format!("https://{host}:{port}/");
        client.send(Request::get(url).body(Bytes::new()).unwrap()).await
    };
    let open = || SafeHttpClient::builder().insecure_private_networks();

    let trusted = open().tls(trusting.clone()).build().unwrap();
    assert_eq!(&get(trusted, "localhost").await.unwrap().body()[..], b"hello");
    let another_name = get(open().tls(trusting).build().unwrap(), "127.0.0.1").await;
    assert!(matches!(another_name, Err(FetchError::Failed(_))), "{another_name:?}");
    let unknown = get(open().build().unwrap(), "localhost").await;
    assert!(matches!(unknown, Err(FetchError::Failed(_))), "{unknown:?}");
}
