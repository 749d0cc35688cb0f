//! Sends all files of a run, several at once and largest first, so that the last one to finish is
//! short.

use std::cmp::Reverse;
use std::time::Instant;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use lob_core::cli::Context;
use lob_core::failure::worst;
use lob_core::manifest::{FailedFile, UploadedFile};
use lob_core::run::OpenRun;
use lob_core::text::MIB;
use lob_core::transfer::{Hashing, PartBudget};

use crate::fault::{EveryFileFailed, is_of_the_file};
use crate::manifest;
use crate::plan::Examined;
use crate::send::{Kept, Sender};
use crate::settings::{HashKind, Settings};
use crate::source::SourceFile;

/// What became of a run's files, sorted by path.
#[derive(Debug)]
pub(crate) struct SentFiles {
    pub(crate) files: Vec<UploadedFile>,
    pub(crate) failed: Vec<FailedFile>,
    pub(crate) kept: Kept,
}

/// Sends all files. The first failure stops the others, unless the file itself is at fault and
/// partial runs are allowed. Returns once every file has released what it had open.
pub(crate) async fn send_all(
    run: &OpenRun,
    examined: Examined,
    resumed: bool,
    budget: &PartBudget,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<SentFiles> {
    let stop = context.interrupt.child();
    let sender = Sender {
        run,
        resumed,
        budget,
        hashing: Hashing {
            md5: settings.hash == HashKind::Md5,
            part_md5: run.store.endpoint().needs_md5(),
        },
        multipart_threshold: settings.multipart_threshold.0,
        stop: &stop,
        progress: &context.progress,
    };
    let Examined { mut files, failed } = examined;
    files.sort_by_key(|file| Reverse(file.fingerprint.size));
    let mut waiting = files.iter().peekable();
    let mut sending = FuturesUnordered::new();
    let mut sent = SentFiles {
        files: Vec::with_capacity(files.len()),
        failed,
        kept: Kept::default(),
    };
    let mut failures: Vec<anyhow::Error> = Vec::new();
    loop {
        while !stop.is_raised()
            && let Some(file) = waiting
                .next_if(|file| sending.len() < settings.files_at_once(file.fingerprint.size))
        {
            let sender = &sender;
            sending.push(async move { (file, send_one(sender, file).await) });
        }
        let Some((file, result)) = sending.next().await else {
            break;
        };
        match result {
            Ok((uploaded, kept)) => {
                sent.files.push(uploaded);
                sent.kept.add(kept);
            }
            Err(failure) if settings.allow_partial && is_of_the_file(&failure) => {
                tracing::warn!("{failure:#}");
                let path = file.relative_path.clone();
                sent.failed.push(FailedFile::new(path, &failure));
            }
            Err(failure) => {
                stop.stop();
                failures.push(failure);
            }
        }
    }
    worst(failures)?;
    context.interrupt.check()?;
    if sent.files.is_empty() {
        return Err(EveryFileFailed.into());
    }
    sent.files
        .sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
    sent.failed
        .sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
    Ok(sent)
}

async fn send_one(sender: &Sender<'_>, file: &SourceFile) -> anyhow::Result<(UploadedFile, Kept)> {
    let start = Instant::now();
    let sent = sender
        .send(file)
        .await
        .with_context(|| format!("`{}` is not uploaded", file.path.display()))?;
    let bytes = sent.hashes.contents.size_bytes;
    let (megabytes, seconds) = (bytes as f64 / MIB, start.elapsed().as_secs_f64());
    if sent.kept.bytes == bytes && sent.kept.bytes > 0 {
        tracing::info!(
            file = file.relative_path,
            bytes,
            "nothing to send: the server has everything"
        );
    } else {
        tracing::info!(
            file = file.relative_path,
            bytes,
            kept_bytes = sent.kept.bytes,
            seconds,
            "S3 Upload: {megabytes:.2}MB in {seconds:.2}s ({:.2}MB/s)",
            megabytes / seconds,
        );
    }
    let uploaded = manifest::uploaded_file(sender.run, file, &sent);
    Ok((uploaded, sent.kept))
}
