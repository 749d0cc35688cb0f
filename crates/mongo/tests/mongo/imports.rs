//! The collections and entries of an import in these tests.

use lob_mongo::{Blueprint, Entries, FinishedFiles, Opened, SplitImport, Staging, WriteSettings};

use crate::fixture::Fixture;

pub(crate) const STAGING: &str = "split_1_input__lob_0badcafe";
pub(crate) const TARGET: &str = "split_1_input";

/// An import of a run with this manifest.
pub(crate) fn import_of(manifest: &str) -> SplitImport {
    SplitImport {
        manifest: manifest.to_owned(),
        target: TARGET.to_owned(),
        staging: STAGING.to_owned(),
    }
}

impl Fixture {
    pub(crate) fn entries(&self) -> Entries {
        Entries::new(&self.database, &WriteSettings::default())
    }

    pub(crate) async fn open(&self, import: &SplitImport) -> lob_mongo::Result<Opened> {
        self.open_as(import, &Blueprint::default()).await
    }

    /// The same, built from a blueprint.
    pub(crate) async fn open_as(
        &self,
        import: &SplitImport,
        blueprint: &Blueprint,
    ) -> lob_mongo::Result<Opened> {
        let settings = WriteSettings::default();
        Staging::open(&self.entries(), import, blueprint, &settings).await
    }

    /// The staging of an import, and the data files in it.
    pub(crate) async fn staging_of(&self, import: &SplitImport) -> (Staging, FinishedFiles) {
        match self.open(import).await.unwrap() {
            Opened::Staging(staging, finished) => (staging, finished),
            Opened::InPlace(target) => panic!("`{}` is in its place", target.name()),
        }
    }

    /// The staging of always the same import.
    pub(crate) async fn staging(&self) -> Staging {
        self.staging_of(&import_of("manifest")).await.0
    }
}
