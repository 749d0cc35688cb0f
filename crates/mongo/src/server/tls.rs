//! Which authorities the driver trusts, and which certificate it presents: read and checked before
//! it connects.
//!
//! The driver (3.9.1) has its own list of authorities, accepts another one only by path, and
//! silently skips damaged parts of it. It reads the files once, when a client is created.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use lob_core::trust::{Authorities, TrustError, check_identity, read};
use mongodb::options::TlsOptions;
use rustix::fs::{MemfdFlags, memfd_create};

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
) -> Result<Option<OwnedFd>> {
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
    let file = in_memory(authorities.pem().as_bytes()).map_err(Error::Tls)?;
    options.ca_file_path = Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into());
    Ok(Some(file))
}

fn unusable(setting: &'static str) -> impl Fn(TrustError) -> Error {
    move |source| Error::Certificates { setting, source }
}

/// A file without a name, because containers often have no writable folder.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("authorities", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}
