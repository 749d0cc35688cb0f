//! Whom the driver trusts, and who it says it is: read and proved before it connects.
//!
//! The driver (3.9.1) has a list of authorities of its own, takes another one by path alone, and
//! leaves out in silence what is damaged in it. It reads the files once, when a client is made.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use lob_core::trust::{Authorities, TrustError, check_identity, read};
use mongodb::options::TlsOptions;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::error::{Error, Result};

/// Checks the files that `options` name. Where they name no authorities, those of the system and of
/// the CA bundle are trusted; the driver finds them in the file that is returned, which must be
/// open until a client is made.
///
/// # Errors
/// Files that are not what they should be, and no memory for such a file.
pub(crate) fn prepare(
    options: &mut TlsOptions,
    ca_bundle: Option<&Path>,
) -> Result<Option<OwnedFd>> {
    if let Some(path) = &options.cert_key_file_path {
        // The driver decrypts a key itself.
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

/// A file without a name: containers often have no folder that can be written to.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("authorities", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}
