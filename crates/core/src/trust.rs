//! Which authorities vouch for servers, and the certificate files that name them.
//!
//! The libraries that talk to S3 and MongoDB differ: each has its own list of authorities, and a
//! damaged certificate makes one panic while the other skips it. So certificates are read and
//! checked here, before any connection is made, and both libraries get the same ones.

mod pem;

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

pub use self::pem::{PemFault, Section};
use crate::failure::Failure;

/// A certificate file that cannot be used; none of its certificates is trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It does not exist, or is not a file.
    #[error("the certificates in `{}` cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It contains no certificate.
    #[error("`{}` holds no certificate", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is not valid PEM.
    #[error("{section} in `{}` {fault}", .path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What the section contains.
        section: Section,
        /// What is wrong with it.
        fault: PemFault,
    },
    /// One of the certificates contains something else.
    #[error("certificate {number} in `{}` is not a certificate", .path.display())]
    NotDer {
        /// The file.
        path: PathBuf,
        /// Which certificate, counting from 1.
        number: usize,
    },
    /// It contains no private key, or only an encrypted one.
    #[error("`{}` holds no private key, or an encrypted one", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Its private key is unusable, or belongs to another certificate.
    #[error("the private key in `{}` does not match its first certificate", .path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let hint = error.hint();
        let failure = Self::usage(error.to_string()).with_hint(hint);
        match error {
            TrustError::Unreadable { source, .. } => failure.caused_by(source),
            TrustError::OtherKey { source, .. } => failure.caused_by(source),
            _ => failure,
        }
    }
}

impl TrustError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path, and whether you may read the file",
            Self::NoKey { .. } => {
                "put the key into the file beside the certificate; `tlsCertificateKeyFilePassword` \
                 decrypts it"
            }
            Self::OtherKey { .. } => "put the certificate of that key first",
            Self::NotPem {
                fault: PemFault::NoLineBreaks,
                ..
            } => "`-----BEGIN`, `-----END` and the text between them must be on lines of their own",
            Self::NotPem {
                fault: PemFault::OldEncryption,
                ..
            } => "convert it to PKCS#8 with `openssl pkcs8 -topk8`",
            _ => "use a PEM file in which every certificate is complete",
        }
    }
}

/// Certificates of authorities, all of them checked.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// The authorities that the system trusts, and those in a PEM file. `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` override where the system's certificates are.
    ///
    /// # Errors
    /// The PEM file is invalid in any part. The system's unusable certificates are merely skipped.
    pub fn of_system_and(bundle: Option<&Path>) -> Result<Self, TrustError> {
        let mut authorities = match bundle {
            Some(path) => Self::in_file(path)?,
            None => Self(Vec::new()),
        };
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "some of the system's certificates cannot be read");
        }
        authorities
            .0
            .extend(found.certs.into_iter().filter(is_certificate));
        Ok(authorities)
    }

    /// Only the authorities in a PEM file.
    ///
    /// # Errors
    /// As [`Authorities::of_system_and`].
    pub fn in_file(path: &Path) -> Result<Self, TrustError> {
        read(path).map(Self)
    }

    /// All certificates, in PEM.
    pub fn pem(&self) -> String {
        let certificates = self.0.iter().map(|certificate| {
            let body = STANDARD.encode(certificate);
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        });
        certificates.collect()
    }
}

/// The certificates in a PEM file: at least one, and each of them complete.
///
/// # Errors
/// See [`TrustError`].
pub fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(TrustError::Unreadable { path, source }),
    };
    let found = match pem::certificates(&text) {
        Ok(found) => found,
        Err((section, fault)) => {
            return Err(TrustError::NotPem {
                path,
                section,
                fault,
            });
        }
    };
    let certificates: Vec<_> = found.into_iter().map(CertificateDer::from).collect();
    if let Some(index) = certificates.iter().position(|one| !is_certificate(one)) {
        let number = index + 1;
        return Err(TrustError::NotDer { path, number });
    }
    if certificates.is_empty() {
        return Err(TrustError::Empty { path });
    }
    Ok(certificates)
}

/// Checks a file that identifies a client: certificates, and the key of the first of them.
///
/// # Errors
/// See [`TrustError`].
pub fn check_identity(path: &Path) -> Result<(), TrustError> {
    let certificates = read(path)?;
    let path = path.to_owned();
    let Ok(key) = PrivateKeyDer::from_pem_file(&path) else {
        return Err(TrustError::NoKey { path });
    };
    match CertifiedKey::from_der(certificates, key, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(source) => Err(TrustError::OtherKey { path, source }),
    }
}

fn is_certificate(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const KEY: &str = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC";

    /// The error for a file with this content.
    fn told(content: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let error = check_identity(file.path()).unwrap_err();
        let debug = format!("{error:?}");
        format!("{:#} {debug}", anyhow::Error::from(Failure::from(error)))
    }

    #[test]
    fn errors_about_a_certificate_file_never_quote_its_content() {
        let whole = format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n");
        let bytes = format!("{:?}", &KEY.as_bytes()[..4]);
        let bytes = bytes.trim_matches(['[', ']']);
        for content in [
            whole.replace('\n', ""),
            whole.replace('\n', "\\n"),
            whole.replace("-----END", "----END"),
            whole.replace("KEY-----\nM", "KEY---\nM"),
            whole.replace(KEY, &format!("{KEY}=?=")),
            whole,
        ] {
            let told = told(&content);
            assert!(!told.contains(KEY) && !told.contains(bytes), "{told}");
        }
    }

    #[test]
    fn an_unreadable_private_key_is_reported_as_a_private_key() {
        let key = |body: &str| {
            told(&format!(
                "-----BEGIN RSA PRIVATE KEY-----{body}-----END RSA PRIVATE KEY-----\n"
            ))
        };
        let joined = key(KEY);
        assert!(joined.contains("the private key in"), "{joined}");
        assert!(joined.contains("has no line breaks"), "{joined}");
        let old = key(&format!("\nProc-Type: 4,ENCRYPTED\n\n{KEY}\n"));
        assert!(old.contains("the private key in"), "{old}");
        assert!(old.contains("not supported"), "{old}");
        for told in [joined, old, key(&format!("\n{KEY}=?=\n"))] {
            assert!(!told.contains("certificate 1"), "{told}");
        }
    }
}
