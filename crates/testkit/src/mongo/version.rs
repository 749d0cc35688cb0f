//! Versions of MongoDB by what they can do, for tests that run on several.
//!
//! A test says what must happen on a server that cannot do something, and never leaves it out.

use bson::{Document, RawBsonRef, RawDocument, Timestamp};

use super::handshake::VERSION;

/// The version of a MongoDB server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MongoVersion([u32; 3]);

impl MongoVersion {
    /// The one that the kit's server imitates.
    pub const KIT: Self = Self(VERSION);

    /// That of a server with this reply to `buildInfo`; `None` if it does not say.
    #[must_use]
    pub fn of(build_info: &Document) -> Option<Self> {
        let version = build_info.get_str("version").ok()?;
        let mut parts = version.split(['.', '-']).map(str::parse);
        let mut part = || parts.next()?.ok();
        Some(Self([part()?, part()?, part()?]))
    }

    /// Reads without a transaction can be as of a time in the past. The kit's server, which keeps no
    /// past, is an exception.
    #[must_use]
    pub fn reads_snapshots(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// Names of fields at the top of a document may begin with a dollar sign.
    #[must_use]
    pub fn keeps_dollar_names(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// There are time-series collections.
    #[must_use]
    pub fn has_time_series(self) -> bool {
        self >= Self([5, 0, 0])
    }

    /// There are collections that are kept in the order of their `_id`s.
    #[must_use]
    pub fn has_clustered_collections(self) -> bool {
        self >= Self([5, 3, 0])
    }

    /// Commands take `collectionUUID`.
    #[must_use]
    pub fn takes_collection_uuid(self) -> bool {
        self >= Self([6, 0, 0])
    }

    /// Inserts take `bypassEmptyTsReplacement`: all of 8.0, and late versions of others.
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

    /// Whether a document is kept as it is, or else refused or changed.
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
    fn versions_are_told_apart_by_what_they_can_do() {
        let version = |text| MongoVersion::of(&doc! { "version": text }).unwrap();
        assert!(version("4.4.2") < version("5.0.0-rc1"));
        assert!(version("6.0.17").keeps_zero_timestamps());
        assert!(!version("6.0.16").keeps_zero_timestamps());
        assert!(!version("7.3.13").keeps_zero_timestamps());
        assert_eq!(MongoVersion::of(&doc! { "version": "six" }), None);
    }

    #[test]
    fn what_an_old_server_does_not_keep_is_among_the_samples() {
        let old = MongoVersion([4, 4, 2]);
        let lost = samples().into_iter().filter(|s| !old.keeps(&s.document));
        let lost: Vec<_> = lost.map(|sample| sample.name).collect();
        assert_eq!(lost, ["zero timestamp at the top", "name with a dollar"]);
        let new = MongoVersion::KIT;
        assert!(samples().iter().all(|s| new.keeps(&s.document)));
    }
}
