//! What a server proves itself with to clients.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// The files of a certificate for this machine, signed by an authority that nobody else knows.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The authority's own certificate, which clients have to trust.
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// The places of the files, whether they are there or not.
    pub(crate) fn within(directory: &Path) -> Self {
        Self {
            authority: directory.join("ca.pem"),
            certificate: directory.join("server.pem"),
            key: directory.join("server-key.pem"),
        }
    }

    /// Writes the files. The authority's key is not among them, so it can sign nothing more.
    pub(crate) fn make(&self) -> Result<()> {
        let authority = authority().context("cannot make an authority")?;
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = server()
            .and_then(|params| params.signed_by(&key, &authority))
            .context("cannot make a certificate")?;
        write(&self.authority, &authority.pem())?;
        write(&self.certificate, &certificate.pem())?;
        write(&self.key, &key.serialize_pem())
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "authority of the tests of cache-sdk");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    // Not the authority's name: who issues under its own name is taken for self-signed.
    params.distinguished_name.push(DnType::CommonName, "server of the tests of cache-sdk");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict clients, such as Python since 3.13, refuse a certificate without it.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Certificates;

    #[test]
    fn every_server_has_an_authority_of_its_own() {
        let [first, second] = [(), ()].map(|()| {
            let directory = tempfile::tempdir().expect("a directory");
            let files = Certificates::within(directory.path());
            files.make().expect("they are made");
            [files.authority, files.certificate, files.key]
                .map(|file| fs::read_to_string(file).expect("it is read"))
        });
        for (one, other) in first.iter().zip(&second) {
            assert!(one.starts_with("-----BEGIN "), "{one}");
            assert_ne!(one, other);
        }
    }
}
