//! Finds out which of several descriptions matches an object, for data files that were described
//! before they became objects, perhaps more than once.

use super::{OpenRun, Proved};
use crate::store::{Expected, StoreError, StoreErrorKind, WrittenObject};
use crate::transfer::Contents;

/// What an object is supposed to be.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name, relative to the run's folder.
    pub name: String,
    /// The contents that it may have.
    pub candidates: Vec<Contents>,
}

/// An object that matches its claim.
#[derive(Debug)]
pub struct Attested {
    /// The index of the candidate that it matches.
    pub candidate: usize,
    /// What the server says about it.
    pub object: WrittenObject,
    proved: Proved,
}

impl Proved {
    /// The proof for a run whose data files are exactly these.
    pub fn of(attested: impl IntoIterator<Item = Attested>) -> Self {
        attested
            .into_iter()
            .fold(Self(()), |_, attested| attested.proved)
    }
}

impl OpenRun {
    /// Asks the server which of its candidates a multipart object matches; `None` if there is no
    /// object.
    ///
    /// # Errors
    /// [`StoreErrorKind::AlreadyExists`] if it matches none of them; any error of the store.
    pub async fn identify(&self, claim: &Claim) -> Result<Option<Attested>, StoreError> {
        let key = self.key(&claim.name);
        let Some(there) = self.store.head(&key).await? else {
            return Ok(None);
        };
        let proof = self.store.endpoint().proof_of_multipart();
        let is_there = |contents: &Contents| {
            let expected = Expected {
                size: contents.size_bytes,
                crc: contents.crc64nvme,
                token: self.store.token(),
                proof,
                etag: None,
            };
            expected.is(&there)
        };
        match claim.candidates.iter().position(is_there) {
            Some(candidate) => Ok(Some(Attested {
                candidate,
                object: WrittenObject {
                    etag: there.etag,
                    version_id: there.version_id,
                    verified: proof,
                },
                proved: Proved(()),
            })),
            None => {
                let (kind, url) = (StoreErrorKind::AlreadyExists, self.store.url(&key));
                let detail = "a different object is there";
                Err(StoreError::new(kind, "HeadObject", url, detail))
            }
        }
    }
}
