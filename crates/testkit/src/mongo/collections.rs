//! Commands on whole collections and databases: create, drop, rename, list, sizes.

use super::arguments::Arguments;
use super::catalog::{Catalog, Collection, Entry, Namespace, id_index};
use super::element::elements;
use super::failure::Failure;
use super::filter::Filter;
use super::options::MongoOptions;
use super::outcome::Outcome;
use super::replica_set::Deployment;
use crate::document_writer::DocumentWriter;

pub(crate) fn create(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let mut options = DocumentWriter::new();
    let mut kind = None;
    for name in [
        "viewOn",
        "pipeline",
        "timeseries",
        "collation",
        "validator",
        "validationLevel",
        "validationAction",
    ] {
        if let Some(value) = arguments.take(name) {
            options.element(value.kind, name, value.bytes);
            kind = kind.or(match name {
                "viewOn" => Some("view"),
                "timeseries" => Some("timeseries"),
                _ => None,
            });
        }
    }
    arguments.finish()?;
    if catalog.contains(namespace) {
        return Err(Failure::new(
            48,
            format!("Collection {namespace} already exists."),
        ));
    }
    let options = options.finish();
    let entry = match kind {
        Some(kind) => Entry::Special { kind, options },
        None => Entry::Collection(Collection::new(options)),
    };
    catalog.insert(namespace, entry);
    Ok(DocumentWriter::new().into())
}

pub(crate) fn drop_collection(
    catalog: &mut Catalog,
    namespace: &Namespace,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let uuid = arguments.collection_uuid()?;
    arguments.finish()?;
    if uuid.is_some() {
        catalog.find(namespace, uuid)?;
    }
    let mut reply = DocumentWriter::new();
    match catalog.remove(namespace) {
        None => return Err(Failure::new(26, "ns not found")),
        Some(Entry::Collection(dropped)) => {
            reply.int32("nIndexesWas", dropped.indexes.len() as i32);
        }
        Some(Entry::Special { .. }) => {}
    }
    reply.string("ns", namespace.to_string());
    Ok(reply.into())
}

/// Works within one database. The collection keeps its UUID, documents and indexes.
pub(crate) fn rename(
    catalog: &mut Catalog,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    require_admin(&arguments)?;
    let source = namespace(arguments.target()?)?;
    let to = arguments.string("to")?.unwrap_or_default();
    let to = namespace(to)?;
    let drop_target = arguments.boolean("dropTarget")?.unwrap_or(false);
    let uuid = arguments.collection_uuid()?;
    arguments.finish()?;
    if source == to {
        return Err(Failure::new(20, "Can't rename a collection to itself"));
    }
    if source.database != to.database {
        return Err(Failure::unsupported("renaming to another database"));
    }
    if catalog.find(&source, uuid)?.is_none() {
        return Err(Failure::new(
            26,
            format!("Source collection {source} does not exist"),
        ));
    }
    catalog.find(&to, None)?;
    if catalog.contains(&to) && !drop_target {
        return Err(Failure::new(48, "target namespace exists"));
    }
    if let Some(entry) = catalog.remove(&source) {
        catalog.insert(&to, entry);
    }
    Ok(DocumentWriter::new().into())
}

pub(crate) fn drop_database(
    catalog: &mut Catalog,
    arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let database = arguments.database;
    arguments.finish()?;
    let mut reply = DocumentWriter::new();
    if catalog.databases.remove(database).is_some() {
        reply.string("dropped", database);
    }
    Ok(reply.into())
}

pub(crate) fn list_databases(
    catalog: &Catalog,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    require_admin(&arguments)?;
    let name_only = arguments.boolean("nameOnly")?.unwrap_or(false);
    arguments.finish()?;
    let mut databases = DocumentWriter::new();
    for (position, name) in catalog.databases.keys().enumerate() {
        let mut entry = DocumentWriter::new();
        entry.string("name", name);
        if !name_only {
            entry.int64("sizeOnDisk", 0).boolean("empty", false);
        }
        databases.document(position.to_string(), &entry.finish());
    }
    let mut reply = DocumentWriter::new();
    reply.array("databases", &databases.finish());
    if !name_only {
        reply.int64("totalSize", 0);
    }
    Ok(reply.into())
}

pub(crate) fn list_collections(
    catalog: &Catalog,
    mut arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let filter = Filter::parse(arguments.document("filter")?.unwrap_or_default())?;
    let name_only = arguments.boolean("nameOnly")?.unwrap_or(false);
    let _no_users_here = arguments.boolean("authorizedCollections")?;
    if arguments
        .document("cursor")?
        .is_some_and(|cursor| elements(cursor).next().is_some())
    {
        return Err(Failure::unsupported("a batch size for listCollections"));
    }
    let database = arguments.database;
    arguments.finish()?;
    let entries = catalog.databases.get(database).into_iter().flatten();
    let listed = entries.map(|(name, entry)| description(name, entry, name_only));
    let listed: Vec<_> = listed
        .filter(|description| filter.accepts(description))
        .collect();
    Ok(Outcome::whole_result(
        &format!("{database}.$cmd.listCollections"),
        &listed,
    ))
}

/// The size of the imaginary disk.
const DISK_BYTES: u64 = 1 << 40;

/// How full the disk is, and how many collections there are. Like the real server, it reports
/// doubles.
pub(crate) fn database_statistics(
    catalog: &Catalog,
    options: &MongoOptions,
    arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    let name = arguments.database;
    arguments.finish()?;
    let collections = catalog.databases.get(name).map_or(0, |found| found.len());
    let free = options.free_disk.unwrap_or(DISK_BYTES / 2).min(DISK_BYTES);
    let mut reply = DocumentWriter::new();
    reply
        .string("db", name)
        .int32("collections", collections as i32)
        .double("scaleFactor", 1.0)
        .double("fsUsedSize", (DISK_BYTES - free) as f64)
        .double("fsTotalSize", DISK_BYTES as f64);
    Ok(reply.into())
}

/// Sizes in bytes. All are zero for a collection that does not exist.
pub(crate) fn collection_statistics(
    catalog: &Catalog,
    options: &MongoOptions,
    namespace: &Namespace,
    arguments: Arguments<'_>,
) -> Result<Outcome, Failure> {
    arguments.finish()?;
    let mut reply = DocumentWriter::new();
    reply.string("ns", namespace.to_string());
    let (count, size, indexes) = match catalog.find(namespace, None)? {
        None => (0, 0, 0),
        Some(collection) => {
            let size = collection
                .everywhere()
                .map(|document| document.len() as i64)
                .sum();
            if options.deployment == Deployment::Mongos {
                reply.boolean("sharded", collection.second_shard.is_some());
            }
            (
                collection.everywhere().count() as i64,
                size,
                collection.indexes.len() as i32,
            )
        }
    };
    let count = options.believed_documents.map_or(count, i64::from);
    number(&mut reply, "size", size);
    number(&mut reply, "count", count);
    if let Some(mean) = size.checked_div(count) {
        number(&mut reply, "avgObjSize", mean);
    }
    number(&mut reply, "storageSize", size);
    number(&mut reply, "totalIndexSize", 0);
    reply.int32("nindexes", indexes).int32("scaleFactor", 1);
    Ok(reply.into())
}

/// Writes sizes like the real server: as 32 bits if they fit.
fn number(document: &mut DocumentWriter, name: &str, value: i64) {
    match i32::try_from(value) {
        Ok(value) => document.int32(name, value),
        Err(_) => document.int64(name, value),
    };
}

fn description(name: &str, entry: &Entry, name_only: bool) -> Vec<u8> {
    let mut description = DocumentWriter::new();
    description.string("name", name);
    let (kind, options, uuid) = match entry {
        Entry::Collection(collection) => ("collection", &collection.options, Some(collection.uuid)),
        Entry::Special { kind, options } => (*kind, options, None),
    };
    description.string("type", kind);
    if name_only {
        return description.finish();
    }
    let mut info = DocumentWriter::new();
    info.boolean("readOnly", kind == "view");
    if let Some(uuid) = uuid {
        info.binary("uuid", 4, uuid.as_bytes());
    }
    description
        .document("options", options)
        .document("info", &info.finish());
    if uuid.is_some() {
        description.document("idIndex", &id_index());
    }
    description.finish()
}

fn require_admin(arguments: &Arguments<'_>) -> Result<(), Failure> {
    match arguments.database {
        "admin" => Ok(()),
        _ => {
            let message = format!(
                "{} may only be run against the admin database.",
                arguments.command
            );
            Err(Failure::new(13, message))
        }
    }
}

fn namespace(name: &str) -> Result<Namespace, Failure> {
    match name.split_once('.') {
        Some((database, collection)) if !database.is_empty() && !collection.is_empty() => {
            let (database, collection) = (database.to_owned(), collection.to_owned());
            Ok(Namespace {
                database,
                collection,
            })
        }
        _ => Err(Failure::new(
            73,
            format!("Invalid namespace specified '{name}'"),
        )),
    }
}
