//! What an endpoint can do to prove what it stores, and thus how much can be proved there.
//!
//! S3-compatible servers differ. Every run probes what its server can do (`run/probe.rs`); what it
//! cannot do is logged and recorded in the manifest.

use serde::{Deserialize, Serialize};

use super::Verified;

/// What the endpoint can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCapabilities {
    /// Whether it honours `If-None-Match` on objects put in one request.
    pub conditional_writes: bool,
    /// Whether it keeps the CRC64NVME of objects put in one request.
    pub crc64nvme: bool,
    /// Whether its ETags of objects put in one request are the MD5 of their bytes, and likewise
    /// those of parts if nothing else proves them.
    pub md5_etags: bool,
    /// What it can do with multipart uploads; `None` if the run has none.
    pub(crate) multipart: Option<MultipartAbilities>,
}

/// What the endpoint can do with multipart uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MultipartAbilities {
    /// Whether it honours `If-None-Match` when an upload is completed.
    pub(crate) conditional_completes: bool,
    /// Whether it computes the CRC64NVME of the whole object.
    pub(crate) full_object_crc64nvme: bool,
}

impl EndpointCapabilities {
    /// What S3 and MinIO can do; assumed until the endpoint has shown otherwise.
    pub const S3: Self = Self {
        conditional_writes: true,
        crc64nvme: true,
        md5_etags: true,
        multipart: Some(MultipartAbilities {
            conditional_completes: true,
            full_object_crc64nvme: true,
        }),
    };

    /// The forms in which to put the plan, tried in turn until none of the headers is refused.
    pub(crate) const FORMS_OF_A_PUT: [Self; 4] = [
        Self::S3,
        Self::of_a_put(true, false),
        Self::of_a_put(false, true),
        Self::of_a_put(false, false),
    ];

    const fn of_a_put(conditional_writes: bool, has_crc: bool) -> Self {
        Self {
            conditional_writes,
            crc64nvme: has_crc,
            md5_etags: has_crc,
            ..Self::S3
        }
    }

    /// How an object put in one request is proved on this endpoint.
    pub fn proof_of_put(self) -> Verified {
        self.proof(self.crc64nvme)
    }

    /// How a multipart object is proved on this endpoint.
    pub fn proof_of_multipart(self) -> Verified {
        self.proof(
            self.multipart
                .is_some_and(|abilities| abilities.full_object_crc64nvme),
        )
    }

    fn proof(self, crc: bool) -> Verified {
        match (crc, self.md5_etags) {
            (true, _) => Verified::FullObjectCrc,
            (false, true) => Verified::PartMd5,
            (false, false) => Verified::SizeOnly,
        }
    }

    /// Whether some objects can only be proved by the MD5 of their parts.
    pub fn needs_md5(self) -> bool {
        let multipart = self.multipart.map(|_| self.proof_of_multipart());
        [Some(self.proof_of_put()), multipart].contains(&Some(Verified::PartMd5))
    }

    /// Whether multipart uploads declare and carry CRC64NVME.
    pub(super) fn has_full_object_crc(self) -> bool {
        self.proof_of_multipart() == Verified::FullObjectCrc
    }

    /// Whether Complete honours its condition.
    pub(super) fn has_conditional_completes(self) -> bool {
        self.multipart
            .is_some_and(|abilities| abilities.conditional_completes)
    }

    /// What to tell the user, one sentence each.
    pub fn weaknesses(self) -> Vec<&'static str> {
        let multipart = self.multipart;
        let lacks =
            |ability: fn(MultipartAbilities) -> bool| multipart.is_some_and(|m| !ability(m));
        let mut told = Vec::new();
        if !self.conditional_writes || lacks(|m| m.conditional_completes) {
            told.push(
                "the server ignores conditional writes: make sure that only one process writes to \
                 a run",
            );
        }
        if !self.crc64nvme || lacks(|m| m.full_object_crc64nvme) {
            told.push(match (self.crc64nvme, self.md5_etags) {
                (true, true) => {
                    "the server reports no CRC64NVME for multipart uploads: they are verified by \
                     the MD5 of their parts"
                }
                (true, false) => {
                    "the server reports no checksum for multipart uploads: they are verified by \
                     their size alone"
                }
                (false, true) => {
                    "the server reports no CRC64NVME: files are verified by the MD5 of their parts"
                }
                (false, false) => {
                    "the server reports no checksum at all: files are verified by their size alone"
                }
            });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_guarantee_is_reported_and_never_taken_for_a_stronger_one() {
        assert_eq!(EndpointCapabilities::S3.weaknesses(), [""; 0]);
        assert!(!EndpointCapabilities::S3.needs_md5());
        let no_crc = EndpointCapabilities {
            crc64nvme: false,
            multipart: None,
            ..EndpointCapabilities::S3
        };
        assert_eq!(no_crc.proof_of_put(), Verified::PartMd5);
        assert!(no_crc.needs_md5());
        assert_eq!(no_crc.weaknesses().len(), 1);
        let nothing = EndpointCapabilities {
            conditional_writes: false,
            md5_etags: false,
            ..no_crc
        };
        assert_eq!(nothing.proof_of_put(), Verified::SizeOnly);
        assert_eq!(nothing.weaknesses().len(), 2);
        let parts_only = EndpointCapabilities {
            multipart: Some(MultipartAbilities {
                conditional_completes: false,
                full_object_crc64nvme: false,
            }),
            ..EndpointCapabilities::S3
        };
        assert_eq!(parts_only.proof_of_put(), Verified::FullObjectCrc);
        assert_eq!(parts_only.proof_of_multipart(), Verified::PartMd5);
        assert!(parts_only.needs_md5());
        assert_eq!(parts_only.weaknesses().len(), 2);
    }
}
