//! How connections are encrypted.

use std::path::Path;
use std::sync::Arc;

use auth_store::Source;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::OpenError;

/// TLS 1.2 and 1.3, with the authorities of `file` or else the public ones.
pub(crate) fn connector(file: Option<&Path>) -> Result<TlsConnector, OpenError> {
    let mut roots = RootCertStore::empty();
    match file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => read(file, &mut roots).map_err(|source| OpenError::RootCertificates {
            file: file.display().to_string(),
            source,
        })?,
    }
    // The provider is named: a program may hold several, and which is the default is its own affair.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls { address: "any server".to_owned(), source: error.into() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(file: &Path, roots: &mut RootCertStore) -> Result<(), Source> {
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err("it holds no certificate".into()) } else { Ok(()) }
}
