//! MongoDB versions by what they can do, for tests that run on several.
//!
//! A test states what must happen on a server that lacks a feature; it is never skipped.

use bson::{Document, RawBsonRef, RawDocument, Timestamp};

use super::handshake::VERSION;

/// The version of a MongoDB server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MongoVersion([u32; 3]);

impl MongoVersion {
    /// The version that the testkit's server imitates.
    pub const KIT: Self = Self(VERSION);

    /// Reads the version from a reply to `buildInfo`; `None` if it is missing.
    #[must_use]
    pub fn of(build_info: &Document) -> Option<Self> {
        let version = build_info.get_str("version").ok()?;
        let mut parts = version.split(['.', '-']).map(str::parse);
        let mut part = || parts.next()?.ok();
        Some(Self([part()?, part()?, part()?]))
    }

    /// Whether reads outside a transaction can be as of a past time. The testkit's server is an
    /// exception: it keeps no past.
    #[must_use]
    pub fn reads_snapshots(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// Whether top-level field names may begin with a dollar sign.
    #[must_use]
    pub fn keeps_dollar_names(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// Whether there are time-series collections.
    #[must_use]
    pub fn has_time_series(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// Whether there are clustered collections, which are stored in `_id` order.
    #[must_use]
    pub fn has_clustered_collections(self) -> bool {
        self >= Self([5, 3, 0])
    }

    /// Whether commands accept `collectionUUID`.
    #[must_use]
    pub fn takes_collection_uuid(self) -> bool {
        self >= Self([6, 0, 0])
    }

    /// Whether inserts accept `bypassEmptyTsReplacement`: all of 8.0 do, and late releases of
    /// earlier versions.
    #[must_use]
    pub fn keeps_zero_timestamps(self) -> bool {
        let Self([major, minor, patch]) = self;
        let since = match (major, minor) {
            (5, 0) => 29,
            (6, 0) => 17,
            (7, 0) => 13,
            _ => return major >= 8,
        };
        patch >= since
    }

    /// Whether a document is stored unchanged, rather than refused or modified.
    #[must_use]
    pub fn keeps(self, document: &RawDocument) -> bool {
        let zero = RawBsonRef::Timestamp(Timestamp {
            time: 0,
            increment: 0,
        });
        document.iter_elements().flatten().all(|element| {
            let name = element.key().as_str();
            let is_zero = name != "_id" && element.value().is_ok_and(|value| value == zero);
            (self.keeps_zero_timestamps() || !is_zero)
                && (self.keeps_dollar_names() || !name.starts_with('$'))
        })
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::bson_samples::samples;

    #[test]
    fn each_version_reports_what_it_can_do() {
        let version = |text| MongoVersion::of(&doc! { "version": text }).unwrap();
        assert!(version("4.4.2") < version("5.0.0-rc1"));
        assert!(version("6.0.17").keeps_zero_timestamps());
        assert!(!version("6.0.16").keeps_zero_timestamps());
        assert!(!version("7.3.13").keeps_zero_timestamps());
        assert_eq!(MongoVersion::of(&doc! { "version": "six" }), None);
    }

    #[test]
    fn the_samples_cover_what_an_old_server_does_not_keep() {
        let old = MongoVersion([4, 4, 2]);
        let lost = samples().into_iter().filter(|s| !old.keeps(&s.document));
        let lost: Vec<_> = lost.map(|sample| sample.name).collect();
        assert_eq!(lost, ["zero timestamp at the top", "name with a dollar"]);
        let new = MongoVersion::KIT;
        assert!(samples().iter().all(|s| new.keeps(&s.document)));
    }
}
