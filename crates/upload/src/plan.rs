//! Decides what a run will do before anything is sent: every file with its state and its footer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context as _;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use lob_core::failure::{ExitStatus, Failure};
use lob_core::manifest::{FailedFile, MAX_FILES, bounded};
use lob_core::run::PLAN_NAME;
use lob_core::settings::{ByteSize, MAX_OBJECT_BYTES, MAX_PARTS, ObjectSettings};
use lob_core::text::MIB;
use lob_core::transfer::PartBudget;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::is_of_the_file;
use crate::footer::{Footer, Schemas};
use crate::freeze::Fingerprint;
use crate::selection::Selection;
use crate::settings::{HashKind, Settings};
use crate::source::{self, SourceFile};

const TIB: f64 = MIB * MIB;

/// The tool's name in plans and manifests.
pub(crate) const TOOL: &str = "lob-upload";

/// How many files to look at concurrently: over a network, each look is a wait.
const LOOKS_AT_ONCE: usize = 16;

/// The tool's part of the plan in the bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UploadWork {
    pub(crate) source_directory: String,
    pub(crate) settings: ByteSettings,
    #[serde(deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub(crate) files: Vec<PlannedFile>,
    /// Files that could not be uploaded from the start; empty without `--allow-partial`.
    #[serde(deserialize_with = "bounded::list::<MAX_FILES, _, _>")]
    pub(crate) failed: Vec<FailedFile>,
}

/// The settings that determine the objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ByteSettings {
    part_size_bytes: u64,
    multipart_threshold_bytes: u64,
    hash: HashKind,
    objects: ObjectSettings,
}

/// A file as recorded in the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedFile {
    pub(crate) relative_path: String,
    pub(crate) size_bytes: u64,
    /// Since 1970.
    pub(crate) modified_nanoseconds: i128,
    pub(crate) row_count: u64,
}

/// The files that were looked at: those that can be uploaded and those that cannot.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) failed: Vec<FailedFile>,
}

impl ByteSettings {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            part_size_bytes: settings.limits().part_size.0,
            multipart_threshold_bytes: settings.multipart_threshold.0,
            hash: settings.hash,
            objects: settings.objects.clone(),
        }
    }

    /// These settings for `settings` that leave them to the tool: what memory there is now must
    /// not decide whether a run can be resumed.
    pub(crate) fn complete(&self, settings: &Settings) -> Settings {
        let mut complete = settings.clone();
        let planned = ByteSize::b(self.part_size_bytes);
        complete.parts.part_size.get_or_insert(planned);
        complete
    }

    /// Each setting as text, with its key.
    fn told(&self) -> [(&'static str, String); 7] {
        let size = |bytes| ByteSize::b(bytes).to_string();
        let text = |value| match value {
            Value::String(text) => text,
            Value::Null => "not set".to_owned(),
            value => value.to_string(),
        };
        let objects = &self.objects;
        [
            ("part_size", size(self.part_size_bytes)),
            ("multipart_threshold", size(self.multipart_threshold_bytes)),
            ("hash", text(json!(self.hash))),
            ("storage_class", text(json!(objects.storage_class))),
            ("sse", text(json!(objects.sse))),
            ("sse_kms_key_id", text(json!(objects.sse_kms_key_id))),
            ("metadata", text(json!(objects.metadata))),
        ]
    }
}

impl UploadWork {
    pub(crate) fn new(settings: &Settings, examined: &Examined) -> Self {
        let files = examined.files.iter().map(|file| PlannedFile {
            relative_path: file.relative_path.clone(),
            size_bytes: file.fingerprint.size,
            modified_nanoseconds: file.fingerprint.modified,
            row_count: file.footer.rows.unwrap_or_default(),
        });
        Self {
            source_directory: settings.source_dir.display().to_string(),
            settings: ByteSettings::of(settings),
            files: files.collect(),
            failed: examined.failed.clone(),
        }
    }

    /// The planned files that are sent in parts.
    pub(crate) fn in_parts(&self) -> impl Iterator<Item = &PlannedFile> {
        let threshold = self.settings.multipart_threshold_bytes;
        self.files
            .iter()
            .filter(move |file| file.size_bytes > threshold)
    }

    /// Whether any planned file is sent in parts.
    pub(crate) fn has_multipart(&self) -> bool {
        self.in_parts().next().is_some()
    }

    /// The objects that may have open multipart uploads: the files sent in parts, and the plan,
    /// which is used to probe the endpoint.
    pub(crate) fn uploads(&self) -> Vec<String> {
        let files = self.in_parts().map(|file| file.relative_path.clone());
        files.chain([PLAN_NAME.to_owned()]).collect()
    }

    /// Refuses settings that would produce objects other than the planned ones.
    ///
    /// # Errors
    /// The setting that differs.
    pub(crate) fn check_settings(&self, settings: &Settings) -> Result<(), Failure> {
        if !self.failed.is_empty() && !settings.allow_partial {
            let message = "the run was started with --allow-partial, and files have failed";
            return Err(Failure::new(ExitStatus::Failed, message)
                .with_hint("set --allow-partial again, or use another --run-id"));
        }
        let now = ByteSettings::of(settings).told();
        let different = self.settings.told().into_iter().zip(now);
        let different = different.filter(|(then, now)| then != now);
        let different: Vec<_> = different.map(|(then, _)| then).collect();
        if different.is_empty() {
            return Ok(());
        }
        let told = different
            .iter()
            .map(|(key, value)| format!("`{key}` {value}"));
        let told = told.collect::<Vec<_>>().join(", ");
        let keys: Vec<_> = different.iter().map(|(key, _)| *key).collect();
        Err(Failure::new(
            ExitStatus::Failed,
            format!("the run was started with {told}"),
        )
        .about(&keys)
        .with_hint("resume it with the same settings, or use another --run-id"))
    }
}

impl PlannedFile {
    /// Whether the file is still as planned.
    pub(crate) fn is(&self, now: &Fingerprint) -> bool {
        self.size_bytes == now.size && self.modified_nanoseconds == now.modified
    }
}

/// Looks at several files at once, on threads that may block, and yields the results in input
/// order.
pub(crate) fn looks<F: Send + 'static, T: Send + 'static>(
    files: impl IntoIterator<Item = F>,
    look: fn(&F) -> anyhow::Result<T>,
) -> impl Stream<Item = anyhow::Result<(F, anyhow::Result<T>)>> {
    let look_at = move |file| async move {
        let looking = tokio::task::spawn_blocking(move || {
            let found = look(&file);
            (file, found)
        });
        looking
            .await
            .context("the check of the files stopped unexpectedly")
    };
    stream::iter(files).map(look_at).buffered(LOOKS_AT_ONCE)
}

/// Reads the state and the footer of each file.
///
/// # Errors
/// The first file that cannot be uploaded, unless partial runs are allowed.
pub(crate) async fn examine(
    found: impl IntoIterator<Item = (String, PathBuf)>,
    settings: &Settings,
    budget: &PartBudget,
) -> anyhow::Result<Examined> {
    let (mut examined, mut schemas) = (Examined::default(), Schemas::default());
    let mut looks = pin!(looks(found, |(_, path)| examine_one(path)));
    while let Some(((relative_path, path), looked)) = looks.try_next().await? {
        let looked = looked.and_then(|(fingerprint, footer)| {
            check_parts(&path, &fingerprint, settings, budget)?;
            Ok((fingerprint, footer))
        });
        match looked {
            Ok((fingerprint, footer)) => {
                if footer.rows.is_none() {
                    let path = path.display();
                    tracing::warn!(
                        "`{path}` has an encrypted footer: the manifest has 0 rows and no columns \
                         for it"
                    );
                }
                examined.files.push(SourceFile {
                    relative_path,
                    path,
                    fingerprint,
                    footer: schemas.share(footer),
                });
            }
            Err(error) if settings.allow_partial && is_of_the_file(&error) => {
                tracing::warn!("{error:#}");
                examined.failed.push(FailedFile::new(relative_path, &error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(examined)
}

/// The state of a file, or `None` if it is gone or not a regular file. Blocks.
///
/// # Errors
/// The file cannot be opened, which says nothing about its state.
pub(crate) fn fingerprint(path: &Path) -> anyhow::Result<Option<Fingerprint>> {
    let now = source::open(path).and_then(|file| Ok(Fingerprint::of(&file)?));
    match now {
        Ok(now) => Ok(Some(now)),
        Err(error) if error.is_of_the_file() => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("`{}` cannot be inspected", path.display()))
        }
    }
}

/// Reads one file's state and footer. Blocks.
fn examine_one(path: &Path) -> anyhow::Result<(Fingerprint, Footer)> {
    let named = || format!("`{}` cannot be uploaded", path.display());
    let file = source::open(path).with_context(named)?;
    let fingerprint = Fingerprint::of(&file).with_context(named)?;
    let footer = Footer::read(&file)
        .with_context(|| format!("`{}` is not a whole Parquet file", path.display()))?;
    Ok((fingerprint, footer))
}

fn check_parts(
    path: &Path,
    fingerprint: &Fingerprint,
    settings: &Settings,
    budget: &PartBudget,
) -> Result<(), Failure> {
    if fingerprint.size > MAX_OBJECT_BYTES {
        let message = format!(
            "`{}` has {:.1} TiB, but an object has at most {:.1} TiB: {MAX_PARTS} parts of 5 GiB",
            path.display(),
            fingerprint.size as f64 / TIB,
            MAX_OBJECT_BYTES as f64 / TIB
        );
        return Err(Failure::new(ExitStatus::Failed, message));
    }
    let buffer_size = settings.limits().buffer_size;
    if budget.part_size_for(fingerprint.size) <= buffer_size.0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "`{}` needs larger parts than the {buffer_size} of memory for them can hold",
        path.display()
    ))
    .about(&[match settings.parts.buffer_size {
        Some(_) => "buffer_size",
        None => "memory",
    }]))
}

/// Examines the files of a resumed plan as they are now; selected files that are not in it are only
/// reported.
///
/// # Errors
/// A file that the settings leave out now; one that is gone or has changed, unless partial runs are
/// allowed: what was sent of it belongs to a different file.
pub(crate) async fn examine_again(
    work: &UploadWork,
    there: Vec<(String, PathBuf)>,
    settings: &Settings,
    budget: &PartBudget,
) -> anyhow::Result<Examined> {
    let selection = settings.selection()?;
    check_selection(work, &selection)?;
    let mut there: BTreeMap<_, _> = there.into_iter().collect();
    let path_of = |name: &String| {
        let found = there.remove(name);
        found.unwrap_or_else(|| settings.source_dir.join(name))
    };
    let paths = work.files.iter().map(|file| &file.relative_path);
    let paths: Vec<_> = paths.map(path_of).collect();
    let looks = looks(paths, |path| fingerprint(path));
    let mut looks = pin!(stream::iter(&work.files).zip(looks));
    let (mut as_planned, mut changed) = (Vec::new(), Vec::new());
    while let Some((planned, look)) = looks.next().await {
        let name = &planned.relative_path;
        let (path, now) = look?;
        match now? {
            Some(now) if planned.is(&now) => as_planned.push((name.clone(), path)),
            now => {
                let gone = if now.is_none() { ": it is gone" } else { "" };
                let message = format!("`{name}` has changed since the run was started{gone}");
                if !settings.allow_partial {
                    return Err(Failure::new(ExitStatus::Failed, message)
                        .with_hint("use another --run-id for the files as they are now")
                        .into());
                }
                tracing::warn!("{message}");
                changed.push(FailedFile {
                    relative_path: name.clone(),
                    error: message,
                });
            }
        }
    }
    let mut again = examine(as_planned, settings, budget).await?;
    again.failed.extend(changed);
    again.failed.extend(work.failed.iter().cloned());
    for failed in &work.failed {
        there.remove(&failed.relative_path);
    }
    for name in there.keys().filter(|name| selection.takes(name.as_ref())) {
        tracing::warn!(file = name, "not uploaded: it is not in the run's plan");
    }
    Ok(again)
}

/// Refuses to send what the settings now leave out: whoever set them expects them to apply.
fn check_selection(work: &UploadWork, selection: &Selection) -> Result<(), Failure> {
    let names = work.files.iter().map(|file| &file.relative_path);
    let mut left_out = names.filter(|name| !selection.takes(name.as_ref()));
    let Some(name) = left_out.next() else {
        return Ok(());
    };
    let more = match left_out.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "the run was started with `{name}`{more}, which --include and --exclude leave out now"
    );
    Err(Failure::new(ExitStatus::Failed, message)
        .about(&["include", "exclude"])
        .with_hint("resume it with the same --include and --exclude, or use another --run-id"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use super::*;

    /// Looks that have started.
    static BEGUN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

    /// Waits until the maximum number of looks have started, and returns how many have.
    fn look(file: &usize) -> anyhow::Result<usize> {
        let (begun, changed) = &BEGUN;
        let mut begun = begun.lock().unwrap();
        *begun += 1;
        changed.notify_all();
        let is_waiting = |begun: &mut usize| *file < LOOKS_AT_ONCE && *begun < LOOKS_AT_ONCE;
        let time = Duration::from_secs(60);
        let (begun, _) = changed.wait_timeout_while(begun, time, is_waiting).unwrap();
        Ok(*begun)
    }

    #[tokio::test]
    async fn files_are_examined_concurrently_and_returned_in_order() {
        let looked: Vec<_> = looks(0..100, look).try_collect().await.unwrap();
        assert!(looked.iter().map(|(file, _)| *file).eq(0..100));
        for (file, begun) in looked {
            let begun = begun.unwrap();
            assert!(begun >= LOOKS_AT_ONCE, "{file}");
            assert!(begun <= file + LOOKS_AT_ONCE, "{file}");
        }
    }
}
