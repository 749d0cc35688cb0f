//! One split: its documents in `_id` order into data files, each recorded before it is completed.

use bson::RawDocument;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::DataFile as DataFileEntry;
use lob_core::part::PartBudget;
use lob_core::run::OpenRun;
use lob_mongo::DocumentBatch;

use crate::data_file::DataFile;
use crate::plan::SplitPlan;
use crate::record::{CompletedFile, Id, Place, Record};
use crate::settings::ByteSettings;

/// The one range that a split has: all of it.
const RANGE: u32 = 0;

/// Writes the data files of one split.
pub(crate) struct SplitWriter<'a> {
    run: &'a OpenRun,
    split: &'a SplitPlan,
    settings: &'a ByteSettings,
    budget: &'a PartBudget,
    context: &'a Context,
    open: Option<DataFile>,
    /// The `_id` after which the open data file begins.
    after: Option<Id>,
    /// The `_id` of the last document taken.
    last: Option<Id>,
    sequence: u32,
    completed: Vec<CompletedFile>,
}

impl<'a> SplitWriter<'a> {
    pub(crate) fn new(
        run: &'a OpenRun,
        split: &'a SplitPlan,
        settings: &'a ByteSettings,
        budget: &'a PartBudget,
        context: &'a Context,
    ) -> Self {
        Self {
            run,
            split,
            settings,
            budget,
            context,
            open: None,
            after: None,
            last: None,
            sequence: 0,
            completed: Vec::new(),
        }
    }

    /// Takes in the next documents.
    pub(crate) async fn push(&mut self, batch: &DocumentBatch) -> anyhow::Result<()> {
        let mut documents = batch.documents()?.peekable();
        while documents.peek().is_some() {
            let mut file = match self.open.take() {
                Some(file) => file,
                None => self.next_file().await?,
            };
            // Encoding is work, not waiting: other tasks of this thread move over meanwhile.
            let taken = tokio::task::block_in_place(|| fill(&mut file, &mut documents));
            let is_row_group = file.has_row_group();
            self.open = Some(file);
            let (count, last) = taken?;
            self.last = last;
            self.context.progress.advance(0, count);
            if is_row_group {
                self.cut_row_group().await?;
            }
        }
        Ok(())
    }

    async fn next_file(&self) -> anyhow::Result<DataFile> {
        let (name, progress) = (self.place().file_name(), &self.context.progress);
        let columns = &self.split.columns;
        DataFile::open(
            self.run,
            name,
            columns,
            self.settings,
            self.budget,
            progress,
        )
        .await
    }

    async fn cut_row_group(&mut self) -> anyhow::Result<()> {
        let Some(file) = &mut self.open else {
            return Ok(());
        };
        self.context.interrupt.or(file.cut_row_group()).await?;
        if file.is_full() {
            self.complete(false).await
        } else {
            Ok(())
        }
    }

    /// Ends the split: there are no more documents.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Vec<CompletedFile>> {
        if self.open.is_some() {
            self.complete(true).await?;
        } else {
            let nothing = Record::of_nothing(self.place(), self.after.take());
            nothing.put(self.run, self.place()).await?;
        }
        Ok(std::mem::take(&mut self.completed))
    }

    /// Record, then complete: the order that makes an object without a record impossible.
    async fn complete(&mut self, range_ends: bool) -> anyhow::Result<()> {
        let Some(file) = &mut self.open else {
            return Ok(());
        };
        self.context.interrupt.or(file.write_out()).await?;
        let Some(file) = self.open.take() else {
            return Ok(());
        };
        let file = file.close(&self.context.interrupt).await?;
        let (place, after) = (self.place(), self.after.take());
        let record = Record::of_file(place, &file, after, self.last.clone(), range_ends);
        if let Err(error) = record.put(self.run, place).await {
            // A record that may be there must find its upload.
            if ExitStatus::of(&error) != ExitStatus::Unknown {
                file.parts.abort().await;
            }
            return Err(error);
        }
        let object = file.parts.complete(&file.hashes).await?;
        self.completed.push(CompletedFile {
            object: DataFileEntry::new(file.name, &file.hashes, &object),
            statistics: file.statistics,
            digest: file.digest,
            residual_rows: file.residual_rows,
        });
        self.after = self.last.clone();
        self.sequence += 1;
        Ok(())
    }

    /// Gives the open data file up; what is recorded stays.
    pub(crate) async fn abort(self) {
        if let Some(file) = self.open {
            file.abort().await;
        }
    }

    fn place(&self) -> Place {
        Place {
            split_id: self.split.split_id,
            range: RANGE,
            sequence: self.sequence,
        }
    }
}

/// Pushes documents until they end or fill a row group: how many, and the `_id` of the last.
fn fill<'d>(
    file: &mut DataFile,
    documents: &mut impl Iterator<Item = lob_mongo::Result<&'d RawDocument>>,
) -> anyhow::Result<(u64, Option<Id>)> {
    let (mut count, mut last) = (0, None);
    for document in documents {
        let document = document.map_err(Failure::from)?;
        file.push(document)?;
        (count, last) = (count + 1, Some(document));
        if file.has_row_group() {
            break;
        }
    }
    Ok((count, last.map(Id::of).transpose().map_err(Failure::from)?))
}
