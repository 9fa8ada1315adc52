//! TLS with the roots of trust that were given, or those of the public web.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::OpenError;

/// What makes encrypted connections and verifies name and certificate of the server. `file` is what the
/// certificates `pem` are called in an error.
pub(crate) fn connector(pem: Option<(&str, &[u8])>) -> Result<MakeRustlsConnect, OpenError> {
    let mut roots = RootCertStore::empty();
    match pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some((file, pem)) => {
            let unreadable = |source| OpenError::Certificates { file: file.to_owned(), source };
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| unreadable(error.into()))?;
                roots.add(certificate).map_err(|error| unreadable(error.into()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("no certificate in it".into()));
            }
        }
    }
    // With a provider of its own: a library must not choose one for the whole process.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Certificates { file: "TLS".to_owned(), source: error.into() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
