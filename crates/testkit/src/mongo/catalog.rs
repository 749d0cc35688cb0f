//! The state of the server: databases, collections and their documents.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use super::element::{Value, get};
use super::failure::Failure;
use super::order::Key;
use crate::document_writer::DocumentWriter;

/// Everything stored, by database and collection.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) databases: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// What a name in a database stands for.
#[derive(Clone)]
pub(crate) enum Entry {
    Collection(Collection),
    /// A view or a time-series collection: listed, and refused by every other command.
    Special {
        kind: &'static str,
        options: Vec<u8>,
    },
}

#[derive(Clone)]
pub(crate) struct Collection {
    pub(crate) uuid: Uuid,
    /// The options document of `create`.
    pub(crate) options: Vec<u8>,
    /// Index specifications; the one for `_id` comes first.
    pub(crate) indexes: Vec<Vec<u8>>,
    pub(crate) documents: BTreeMap<Key, Bytes>,
    /// If the collection is sharded: documents on another shard whose `_id`s also exist here.
    pub(crate) second_shard: Option<BTreeMap<Key, Bytes>>,
}

/// The full name of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub(crate) database: String,
    pub(crate) collection: String,
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.database, self.collection)
    }
}

impl Namespace {
    pub(crate) fn new(database: &str, collection: &str) -> Self {
        let (database, collection) = (database.to_owned(), collection.to_owned());
        Self {
            database,
            collection,
        }
    }
}

impl Collection {
    /// The document with the same `_id` on the second shard.
    pub(crate) fn twin(&self, id: &Key) -> Option<&Bytes> {
        self.second_shard.as_ref()?.get(id)
    }

    /// The documents of all shards, in no particular order.
    pub(crate) fn everywhere(&self) -> impl Iterator<Item = &Bytes> {
        let second = self.second_shard.iter().flat_map(BTreeMap::values);
        self.documents.values().chain(second)
    }

    pub(crate) fn new(options: Vec<u8>) -> Self {
        let indexes = vec![id_index()];
        Self {
            uuid: Uuid::new_v4(),
            options,
            indexes,
            documents: BTreeMap::new(),
            second_shard: None,
        }
    }

    /// Whether writes must ask to bypass validation.
    pub(crate) fn has_validator(&self) -> bool {
        get(&self.options, "validator").is_some()
    }
}

/// `{_id: 1}`.
pub(crate) fn id_pattern() -> Vec<u8> {
    DocumentWriter::new().int32("_id", 1).finish()
}

/// The specification of the index that every collection has.
pub(crate) fn id_index() -> Vec<u8> {
    DocumentWriter::new()
        .int32("v", 2)
        .document("key", &id_pattern())
        .string("name", "_id_")
        .finish()
}

impl Catalog {
    /// The collection with that name, if there is one.
    ///
    /// # Errors
    ///
    /// The name belongs to a view, or `uuid` is given and is not the collection's.
    pub(crate) fn find(
        &self,
        namespace: &Namespace,
        uuid: Option<Value<'_>>,
    ) -> Result<Option<&Collection>, Failure> {
        self.check_uuid(namespace, uuid)?;
        let names = self.databases.get(&namespace.database);
        match names.and_then(|names| names.get(&namespace.collection)) {
            None => Ok(None),
            Some(Entry::Collection(collection)) => Ok(Some(collection)),
            Some(Entry::Special { kind, .. }) => Err(special(namespace, kind)),
        }
    }

    /// Like [`Catalog::find`], but mutable.
    pub(crate) fn find_mut(
        &mut self,
        namespace: &Namespace,
        uuid: Option<Value<'_>>,
    ) -> Result<Option<&mut Collection>, Failure> {
        self.check_uuid(namespace, uuid)?;
        let names = self.databases.get_mut(&namespace.database);
        match names.and_then(|names| names.get_mut(&namespace.collection)) {
            None => Ok(None),
            Some(Entry::Collection(collection)) => Ok(Some(collection)),
            Some(Entry::Special { kind, .. }) => Err(special(namespace, kind)),
        }
    }

    /// The collection with that name. It is created if it does not exist and no `uuid` is required.
    pub(crate) fn find_or_create(
        &mut self,
        namespace: &Namespace,
        uuid: Option<Value<'_>>,
    ) -> Result<&mut Collection, Failure> {
        self.check_uuid(namespace, uuid)?;
        let names = self
            .databases
            .entry(namespace.database.clone())
            .or_default();
        let new = || Entry::Collection(Collection::new(DocumentWriter::new().finish()));
        match names
            .entry(namespace.collection.clone())
            .or_insert_with(new)
        {
            Entry::Collection(collection) => Ok(collection),
            Entry::Special { kind, .. } => Err(special(namespace, kind)),
        }
    }

    pub(crate) fn insert(&mut self, namespace: &Namespace, entry: Entry) {
        let names = self
            .databases
            .entry(namespace.database.clone())
            .or_default();
        names.insert(namespace.collection.clone(), entry);
    }

    pub(crate) fn remove(&mut self, namespace: &Namespace) -> Option<Entry> {
        let names = self.databases.get_mut(&namespace.database)?;
        let removed = names.remove(&namespace.collection);
        if names.is_empty() {
            self.databases.remove(&namespace.database);
        }
        removed
    }

    pub(crate) fn contains(&self, namespace: &Namespace) -> bool {
        let names = self.databases.get(&namespace.database);
        names.is_some_and(|names| names.contains_key(&namespace.collection))
    }

    fn check_uuid(&self, namespace: &Namespace, uuid: Option<Value<'_>>) -> Result<(), Failure> {
        let Some(uuid) = uuid else { return Ok(()) };
        let names = self.databases.get(&namespace.database);
        let holder = names
            .into_iter()
            .flatten()
            .find_map(|(name, entry)| match entry {
                Entry::Collection(held) if held.uuid.as_bytes() == &uuid.bytes[5..] => {
                    Some(&**name)
                }
                _ => None,
            });
        if holder == Some(&namespace.collection) {
            return Ok(());
        }
        Err(Failure::uuid_mismatch(
            &namespace.database,
            uuid,
            &namespace.collection,
            holder,
        ))
    }
}

fn special(namespace: &Namespace, kind: &str) -> Failure {
    Failure::new(
        166,
        format!("Namespace {namespace} is a {kind}, not a collection"),
    )
}
