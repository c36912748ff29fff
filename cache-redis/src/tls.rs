//! TLS: which servers are trusted, and who this side is to them.

use std::path::Path;
use std::sync::Arc;

use cache_core::{Error, ErrorKind, Result};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What both drivers connect with.
pub(crate) type Config = Arc<ClientConfig>;

/// Certificates are always checked, with the name of the host in them.
///
/// The provider is named here: a program may link several, and rustls would
/// not choose among them.
pub(crate) fn config(roots: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>) -> Result<Config> {
    let roots = match roots {
        Some(file) => roots_of(file)?,
        None => roots_of_the_system()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem("TLS cannot be set up", error))?
        .with_root_certificates(roots);
    let config = match (certificate, key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates("tls_cert_file", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("tls_key_file", error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| problem("`tls_key_file` is not the key of `tls_cert_file`", error))?
        }
        _ => return Err(Error::new(ErrorKind::Config, "`tls_cert_file` and `tls_key_file` need each other")),
    };
    Ok(Arc::new(config))
}

fn roots_of(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls_ca_file", file)? {
        roots.add(certificate).map_err(|error| problem("`tls_ca_file` holds a bad certificate", error))?;
    }
    Ok(roots)
}

/// A bad certificate among the system's is no reason to do without the others.
fn roots_of_the_system() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let detail = "the system has no certificates to trust: name a file of them by `tls_ca_file`";
        return Err(Error::new(ErrorKind::Config, detail));
    }
    Ok(roots)
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => {
            Err(Error::new(ErrorKind::Config, format!("`{setting}` holds no certificate in PEM")))
        }
        found => found.map_err(|error| unreadable(setting, error)),
    }
}

fn unreadable(setting: &str, error: pem::Error) -> Error {
    match error {
        pem::Error::Io(error) => problem(&format!("`{setting}` cannot be read"), error),
        _ => Error::new(ErrorKind::Config, format!("`{setting}` is no PEM of the kind that is needed")),
    }
}

fn problem(detail: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, detail.to_owned()).with_source(error)
}
