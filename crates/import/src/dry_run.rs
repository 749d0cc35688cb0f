//! `lob-import --dry-run`: reports what an import would do, without leaving a trace in the
//! database.
//!
//! It refuses whatever the import would refuse before writing anything.

use bytesize::ByteSize;
use lob_core::cli::{Context, Outcome};
use lob_core::failure::Failure;
use lob_core::text::counted;
use lob_mongo::{Entries, ExistingTarget};
use serde_json::{Value, json};

use crate::choose::{Chosen, choose};
use crate::presence::{differs, missing};
use crate::settings::ImportSettings;
use crate::targets::{self, Existing, PlannedSplit};

/// Lists the run, its splits, and the collections that exist under the names of their targets.
///
/// # Errors
/// Anything that an import is refused for, or a server error.
pub(crate) async fn dry_run(
    settings: &ImportSettings,
    latest: bool,
    context: &Context,
) -> anyhow::Result<Outcome> {
    settings.check_database()?;
    let chosen = choose(settings, settings.run_id.as_ref(), latest, context).await?;
    let Chosen {
        store,
        run,
        database,
    } = chosen;
    let splits = run.select(&settings.split)?;
    let entries = Entries::new(&database, &settings.write);
    let planned = targets::look(&entries, settings, &run, &splits, context).await?;
    let id = run.location.id();
    context.step("checking every data file in S3");
    let mut files = Vec::new();
    for (position, planned) in planned.iter().enumerate() {
        // An earlier import may have loaded some, which are not fetched again.
        let is_begun = matches!(planned.existing, Existing::ThisSplit)
            || database
                .collection(&planned.import.staging)
                .await
                .map_err(Failure::from)?
                .is_some();
        if !is_begun {
            files.extend(planned.split.files.iter().map(|file| (position, file)));
        }
    }
    let looking = missing(&store, &run.location, files.into_iter());
    let missing = context.interrupt.or(looking).await?;
    if !missing.is_empty() {
        return Err(differs(id, &missing).into());
    }

    let documents: u64 = splits.iter().map(|split| split.num_documents).sum();
    let bytes: u64 = splits.iter().map(|split| split.size_bytes()).sum();
    let name = database.name();
    let size = ByteSize(bytes);
    let mut lines = vec![format!(
        "run {id}: {} of {} would be imported into `{name}`, {size} of data files",
        counted(documents, "document"),
        counted(splits.len(), "split")
    )];
    for split in &planned {
        let (documents, files) = (split.split.num_documents, split.split.files.len());
        let size = ByteSize(split.split.size_bytes());
        let target = &split.import.target;
        let existing = in_words(split, settings);
        lines.push(format!(
            "  {target}: {}, {size} in {}",
            counted(documents, "document"),
            counted(files, "data file")
        ));
        lines.push(format!("    {existing}"));
        lines.extend(of_expiring(split));
    }
    let json = json!({
        "run_id": id,
        "database": name,
        "dry_run": true,
        "documents": documents,
        "bytes": bytes,
        "splits": planned.iter().map(|split| in_json(split, settings)).collect::<Vec<_>>(),
    });
    Ok(Outcome::answer(lines, json))
}

/// The new name of an existing collection that is to be kept.
fn kept_as(split: &PlannedSplit<'_>, settings: &ImportSettings) -> Option<String> {
    match &split.existing {
        Existing::Other { collection, .. }
            if settings.existing_target() == ExistingTarget::Keep =>
        {
            Some(collection.kept_name())
        }
        _ => None,
    }
}

fn in_words(split: &PlannedSplit<'_>, settings: &ImportSettings) -> String {
    match (&split.existing, kept_as(split, settings)) {
        (Existing::Nothing, _) => "replaces nothing".to_owned(),
        (Existing::ThisSplit, _) => {
            "was already swapped in by another import of this run".to_owned()
        }
        (Existing::Other { documents, .. }, None) => {
            format!(
                "replaces a collection of about {}",
                counted(*documents, "document")
            )
        }
        (Existing::Other { documents, .. }, Some(name)) => {
            let documents = counted(*documents, "document");
            format!("the collection of about {documents} is kept as `{name}`")
        }
    }
}

/// What is known about documents that would expire: only the import has them and can count them.
fn of_expiring(split: &PlannedSplit<'_>) -> Option<String> {
    let names: Vec<_> = split.blueprint.expiring_names().collect();
    let names = (!names.is_empty()).then(|| names.join("`, `"))?;
    Some(format!(
        "    documents expire by `{names}`: before it replaces anything, the import counts those \
         that would expire within the hour; --no-ttl skips such indexes"
    ))
}

fn in_json(split: &PlannedSplit<'_>, settings: &ImportSettings) -> Value {
    let replaced = match split.existing {
        Existing::Other { documents, .. } => Some(documents),
        Existing::Nothing | Existing::ThisSplit => None,
    };
    json!({
        "split_id": split.split.split_id,
        "collection": split.import.target,
        "documents": split.split.num_documents,
        "bytes": split.split.size_bytes(),
        "data_files": split.split.files.len(),
        "is_in_place": matches!(split.existing, Existing::ThisSplit),
        "existing_documents": replaced,
        "previous": kept_as(split, settings),
        "ttl_indexes": split.blueprint.expiring_names().collect::<Vec<_>>(),
    })
}
