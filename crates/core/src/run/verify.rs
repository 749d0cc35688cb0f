//! Checks that everything the manifest of a run promises is still there, and still the same.

use std::io;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::{CommittedRun, RunManifest};
use crate::manifest::DataFile;
use crate::progress::{Measure, Progress, Work};
use crate::settings::RunId;
use crate::text::MIB;

/// How many data files to check at once.
const FILES_AT_ONCE: usize = 16;

/// A run that matches its manifest.
#[derive(Debug)]
pub struct VerifiedRun {
    run_id: RunId,
    files: u64,
    bytes: u64,
    full: bool,
}

impl<M: RunManifest> CommittedRun<M> {
    /// Asks the server for every data file; with `full`, also downloads and hashes each one.
    /// `further` reports any other difference between a data file and the manifest, and `beside`
    /// what else the run has that its manifest does not say.
    ///
    /// # Errors
    /// Everything that differs from the manifest, exit status 3; any error of the store.
    pub async fn verify(
        &self,
        full: bool,
        progress: &dyn Progress,
        further: impl AsyncFn(&M::File) -> anyhow::Result<Option<String>>,
        beside: Vec<String>,
    ) -> anyhow::Result<VerifiedRun> {
        let (files, bytes) = (self.files().count() as u64, self.bytes());
        progress.begin(Work {
            bytes: full.then_some(bytes),
            items: Some(files),
            unit: "files",
            is_estimate: false,
            measure: if full { Measure::Bytes } else { Measure::Items },
        });
        let differences = futures::stream::iter(self.manifest.files())
            .map(async |file| {
                let of_object = self.difference(file.as_ref(), full, progress).await?;
                let differences = of_object.into_iter().chain(further(file).await?);
                progress.advance(0, 1);
                anyhow::Ok(differences)
            })
            .buffered(FILES_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        progress.end();
        let differences = differences.into_iter().flatten();
        self.refuse(differences.chain(beside).collect())?;
        Ok(VerifiedRun {
            run_id: self.run.location.id().clone(),
            files,
            bytes,
            full,
        })
    }

    /// Says how an object differs from the manifest, if it does.
    async fn difference(
        &self,
        file: &DataFile,
        full: bool,
        progress: &dyn Progress,
    ) -> anyhow::Result<Option<String>> {
        let difference = self.run.difference(file).await?;
        if !full || difference.is_some() {
            return Ok(difference);
        }
        let downloading = self.download(file, progress, || Ok(io::sink()));
        Ok(downloading.await?.err())
    }
}

impl VerifiedRun {
    /// The summary for people.
    pub fn lines(&self) -> Vec<String> {
        let how = match self.full {
            true => "every byte was read and hashed",
            false => "size, checksum and token of every object match",
        };
        vec![
            format!("run       {}", self.run_id),
            format!("files     {}", self.files),
            format!("size      {:.2} MiB", self.bytes as f64 / MIB),
            format!("verified  {how}"),
        ]
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "run_id": self.run_id,
            "files": self.files,
            "bytes": self.bytes,
            "full": self.full,
            "verified": true,
        })
    }
}
