//! Which authorities the driver trusts, and which certificate it presents: read and checked before
//! it connects.
//!
//! The driver (3.9.1) has its own list of authorities, accepts another one only by path, and
//! silently skips damaged parts of it. It reads the files once, when a client is created.

use std::io;
use std::path::{Path, PathBuf};

use lob_core::trust::{Authorities, TrustError, check_identity, read};
use mongodb::options::TlsOptions;

use crate::error::{Error, Result};

/// Checks the files that `options` name. If they name no authorities, those of the system and of
/// the CA bundle are trusted; the driver finds them in the returned file, which must stay open
/// until a client is created.
///
/// # Errors
/// A file is invalid, or there is no memory for the returned file.
pub(crate) fn prepare(
    options: &mut TlsOptions,
    ca_bundle: Option<&Path>,
) -> Result<Option<OpenFile>> {
    if let Some(path) = &options.cert_key_file_path {
        // The driver decrypts the key itself.
        let checked = match options.tls_certificate_key_file_password {
            None => check_identity(path),
            Some(_) => read(path).map(drop),
        };
        checked.map_err(unusable("tlsCertificateKeyFile in the MongoDB URI"))?;
    }
    if let Some(path) = &options.ca_file_path {
        Authorities::in_file(path).map_err(unusable("tlsCAFile in the MongoDB URI"))?;
        return Ok(None);
    }
    let authorities = Authorities::of_system_and(ca_bundle).map_err(unusable("--ca-bundle"))?;
    let (file, path) = file_with(authorities.pem().as_bytes()).map_err(Error::Tls)?;
    options.ca_file_path = Some(path);
    Ok(Some(file))
}

fn unusable(setting: &'static str) -> impl Fn(TrustError) -> Error {
    move |source| Error::Certificates { setting, source }
}

/// A file that exists as long as this value.
#[cfg(target_os = "linux")]
pub(crate) type OpenFile = std::os::fd::OwnedFd;
/// A file that exists as long as this value.
#[cfg(not(target_os = "linux"))]
pub(crate) type OpenFile = tempfile::TempPath;

/// A file in memory and a path to it: containers often have no writable folder.
#[cfg(target_os = "linux")]
fn file_with(bytes: &[u8]) -> io::Result<(OpenFile, PathBuf)> {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = std::fs::File::from(memfd_create("authorities", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok((file.into(), path.into()))
}

/// A temporary file and its path.
#[cfg(not(target_os = "linux"))]
fn file_with(bytes: &[u8]) -> io::Result<(OpenFile, PathBuf)> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    let path = file.path().to_owned();
    Ok((file.into_temp_path(), path))
}
