//! Indexes and options of the exported collection, and how the server's documents are checked.

use lob_testkit::mongo::{Command, Verdict};
use serde_json::{Value, json};

use crate::bed::{Bed, assert_shown};
use crate::trap::Trap;

const BY_ROLE: &str =
    r#"{"v":{"$numberInt":"2"},"key":{"role":{"$numberInt":"1"}},"name":"role","unique":true}"#;
const BY_TIME: &str = r#"{"key":{"timestamp":1,"role":-1},"name":"time"}"#;
const EXPIRING: &str = r#"{"key":{"timestamp":1},"name":"old","expireAfterSeconds":1e9}"#;

/// A run whose first split has these indexes.
async fn with_indexes(indexes: &[&str]) -> Bed {
    let bed = Bed::new().await;
    with_definition(&bed, json!(indexes), json!(null));
    bed
}

fn with_definition(bed: &Bed, indexes: Value, options: Value) {
    let mut manifest = bed.manifest();
    manifest["splits"][0]["indexes"] = indexes;
    manifest["splits"][0]["options"] = options;
    bed.put_manifest("run-1", &manifest.to_string());
}

/// The commands that build indexes or rename, each with its collection.
fn built(bed: &Bed) -> Vec<String> {
    let commands = bed.mongo.commands().into_iter();
    let meant = commands.filter(|c| ["createIndexes", "renameCollection"].contains(&&*c.name));
    let shown = meant.map(|c| {
        let collection = c.collection.unwrap_or_default();
        let digits = collection.find("__lob_").map(|at| at + "__lob_".len());
        let shown = digits.map_or(collection.as_str(), |end| &collection[..end]);
        format!("{} {shown}", c.name)
    });
    shown.collect()
}

#[tokio::test]
async fn indexes_are_built_before_the_swap_and_ttl_indexes_after_it() {
    let bed = with_indexes(&[BY_TIME, EXPIRING]).await;
    let output = bed.import(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    let expected = [
        "createIndexes split_0_input__lob_",
        "renameCollection split_0_input__lob_",
        "renameCollection split_1_input__lob_",
        "createIndexes split_0_input",
    ];
    assert_eq!(built(&bed), expected);
    bed.assert_imported();
}

#[tokio::test]
async fn an_import_indexing_after_anothers_swap_leaves_no_staging() {
    let (trap, mut holds) = Trap::new(|command| command.name == "createIndexes", 0);
    let bed = Bed::with_trap(&trap).await;
    with_definition(&bed, json!([BY_TIME]), json!(null));
    let late = bed.start(&[]);
    holds.recv().await.unwrap();
    trap.let_pass(1);
    let output = bed.import(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    trap.open(Verdict::Pass);
    let output = crate::bed::finish(late).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    bed.assert_imported();
}

#[tokio::test]
async fn a_violated_unique_index_stops_the_import_but_keeps_its_work() {
    let bed = with_indexes(&[BY_ROLE]).await;
    bed.put_old();
    let told = bed.import(&[]).await.expect(1).stderr;
    // Between these, MongoDB names the collection once more, and the values.
    for part in [
        "error: the import of run `run-1` is not complete\n  \
           Caused by: failed to import split 0 for `split_0_input`\n  \
           Caused by: the server cannot build the indexes of `raw.split_0_input__lob_",
        "E11000 duplicate key error collection: raw.split_0_input__lob_",
        " index: role",
        " (code 11000, DuplicateKey)\n\
         hint: the same command would fail again\n\
         hint: if the collection was changed while it was exported, export it with --snapshot; otherwise \
         fix the index or the documents at the source, or skip the indexes with --no-indexes\n",
    ] {
        assert!(told.contains(part), "{told}");
    }
    bed.assert_target_untouched();
    let fetched = bed.fetched().len();
    let output = bed.import(&["--no-indexes"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    // The two data files of the other split.
    assert_eq!(bed.fetched().len(), fetched + 2);
    bed.assert_imported();
    lob_testkit::fault_fired("E16");
}

#[tokio::test]
async fn unknown_index_fields_are_reported_and_never_sent() {
    let index = r#"{"key":{"role":1},"name":"a","storageEngine":{},"drop":"split_1_input"}"#;
    let bed = with_indexes(&[index]).await;
    let args = ["--run-id", "run-1", "--log-level", "warn"];
    let output = bed.run(&args).await.expect(0);
    let told = "split 0 had options that are not restored: storageEngine of the index `a`, drop of \
                the index `a`\n";
    let said = &output.stderr;
    assert!(said.ends_with(told), "{said}");
    let mut commands = bed.mongo.commands().into_iter();
    let build = commands.find(|c| c.name == "createIndexes").unwrap();
    let sent = bson::Document::try_from(build.arguments).unwrap();
    let known = bson::bson!([{ "key": { "role": 1 }, "name": "a" }]);
    assert_eq!(sent.get("indexes"), Some(&known));
    bed.assert_imported();
}

#[tokio::test]
async fn an_invalid_index_is_refused_before_anything_is_written() {
    let bed = with_indexes(&[r#"{"key":{"a":1}}"#]).await;
    bed.put_old();
    assert_shown!(bed.import(&[]).await, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the indexes or options of the exported collection cannot be read: an index has no name
    hint: use the version that wrote the run, or skip the indexes with --no-indexes
    "#);
    bed.assert_untouched();
    let output = bed.import(&["--no-indexes"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
}

#[tokio::test]
async fn options_are_set_and_skipped_ones_are_reported() {
    let bed = Bed::new().await;
    let options = r#"{"validator":{"z":{"$exists":true}},"capped":true,"size":4096}"#;
    with_definition(&bed, json!([]), json!(options));
    let args = ["--run-id", "run-1", "--log-level", "warn"];
    let output = bed.run(&args).await;
    assert_eq!(output.status.code(), Some(0));
    let told = "split 0 had options that are not restored: capped, size\n";
    assert!(output.stderr.ends_with(told), "{}", output.stderr);
    let commands = bed.mongo.commands();
    let bypass = |command: &&Command| {
        let bypass = command.arguments.get_bool("bypassDocumentValidation");
        command.name == "insert" && bypass.is_ok_and(|bypass| bypass)
    };
    // Only the data files of the first split.
    assert_eq!(commands.iter().filter(bypass).count(), 2);
    let created = commands.iter().filter(|command| command.name == "create");
    let validators: Vec<_> = created
        .map(|command| command.arguments.get_document("validator").is_ok())
        .collect();
    assert_eq!(validators, [true, false]);
}

fn is_last_count(command: &Command) -> bool {
    let collection = command.collection.as_deref().unwrap_or_default();
    command.name == "count" && collection.starts_with("split_0_input__lob_")
}

#[tokio::test]
async fn a_full_check_finds_a_document_changed_in_staging() {
    let (trap, mut holds) = Trap::new(is_last_count, 0);
    let bed = Bed::with_trap(&trap).await;
    let child = bed.start(&["--check", "full"]);
    holds.recv().await.unwrap();
    let staging = bed
        .collections()
        .into_iter()
        .find(|name| name.starts_with("split_0_input__"));
    let staging = staging.unwrap();
    let first = bed.mongo.documents("raw", &staging).unwrap().swap_remove(0);
    let first = bson::RawDocumentBuf::from_bytes(first).unwrap();
    let id = first.get("_id").unwrap().unwrap();
    let mut changed = bson::RawDocumentBuf::new();
    changed.append(bson::raw::cstr!("_id"), id);
    bed.mongo.load("raw", &staging, [changed]).unwrap();
    trap.open(Verdict::Pass);
    assert_shown!(crate::bed::finish(child).await, @r#"
    exit status: 3
    ----- stdout -----
    ----- stderr -----
    error: the import of run `run-1` is not complete
      Caused by: failed to import split 0 for `split_0_input`
      Caused by: digest of the documents in `split_0_input__lob_[HASH]`: [DIGEST], the decoded documents have [DIGEST]
    hint: the same command with `--run-id run-1 --split 1` imports the other splits
    "#);
    bed.assert_given_up(0);
}

/// For each count that an import requests, whether it is exact.
async fn counts(kind: &str) -> Vec<bool> {
    let bed = Bed::new().await;
    let output = bed.import(&["--check", kind]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    bed.assert_imported();
    exactness(&bed, 0)
}

/// For each count, starting with command number `from`, whether it is exact.
fn exactness(bed: &Bed, from: usize) -> Vec<bool> {
    let commands = bed.mongo.commands().into_iter().skip(from);
    let counts = commands.filter(|command| command.name == "count");
    counts
        .map(|count| count.arguments.get_str("hint").is_ok())
        .collect()
}

#[tokio::test]
async fn a_resumed_import_counts_only_as_it_was_told() {
    let (trap, mut holds) = Trap::new(is_last_count, 0);
    let bed = Bed::with_trap(&trap).await;
    let args = ["--run-id", "run-1", "--check", "estimated"];
    let mut child = bed.command(&args).spawn().unwrap();
    holds.recv().await.unwrap();
    child.start_kill().unwrap();
    crate::bed::finish(child).await;
    trap.open(Verdict::Disconnect);
    let before = bed.mongo.commands().len();
    let output = bed.import(&["--check", "estimated"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    bed.assert_imported();
    assert_eq!(bed.fetched().len(), 2 + 2);
    assert_eq!(exactness(&bed, before), [false, false]);
}

#[tokio::test]
async fn the_check_setting_decides_whether_counts_are_exact() {
    assert_eq!(counts("standard").await, [true, true]);
    assert_eq!(counts("estimated").await, [false, false]);
    assert_eq!(counts("full").await, [true, true]);
}

/// What an import logs about these indexes, at warning level.
async fn warned(indexes: &[&str], args: &[&str]) -> (Bed, String) {
    let bed = with_indexes(indexes).await;
    let given = ["--run-id", "run-1", "--log-level", "warn"];
    let output = bed.run(&[&given[..], args].concat()).await.expect(0);
    let said = output.stderr.to_owned();
    bed.assert_imported();
    (bed, said)
}

#[tokio::test]
async fn documents_that_would_expire_within_the_hour_are_counted_before_the_swap() {
    let soon = r#"{"key":{"timestamp":1},"name":"soon","expireAfterSeconds":60}"#;
    let (bed, said) = warned(&[soon], &[]).await;
    let told = "MongoDB will delete 30 documents of `split_0_input` within the hour";
    assert!(said.contains(told), "{said}");
    let commands = bed.mongo.commands();
    let counted = commands.iter().position(is_count_of_old).unwrap();
    let swapped = commands.iter().position(|c| c.name == "renameCollection");
    assert!(counted < swapped.unwrap());
    let (_, said) = warned(&[EXPIRING], &[]).await;
    assert_eq!(said, "");
}

#[tokio::test]
async fn with_a_partial_filter_expiring_documents_are_an_upper_bound() {
    let some = r#"{"key":{"timestamp":1},"name":"some","expireAfterSeconds":60,
        "partialFilterExpression":{"kind":7}}"#;
    let bed = with_indexes(&[some]).await;
    // The test server builds no index with a filter, but that comes after the warning.
    let args = ["--run-id", "run-1", "--log-level", "warn"];
    let said = bed.run(&args).await.stderr;
    let said = &said;
    let told = "MongoDB will delete up to 30 documents of `split_0_input` within the hour";
    assert!(said.contains(told), "{said}");
}

#[tokio::test]
async fn a_dry_run_names_the_ttl_indexes() {
    let soon = r#"{"key":{"timestamp":1},"name":"soon","expireAfterSeconds":60}"#;
    let bed = with_indexes(&[BY_TIME, soon, EXPIRING]).await;
    let told =
        "documents expire by `soon`, `old`: before it replaces anything, the import counts those";
    let dry = async |args: &[&str]| {
        let args = [&["--dry-run"], args].concat();
        bed.import(&args).await.expect(0).stdout.to_owned()
    };
    assert_eq!(dry(&[]).await.matches(told).count(), 1);
    assert!(!dry(&["--no-ttl"]).await.contains("expire"));
    let said: Value = serde_json::from_str(&dry(&["--json"]).await).unwrap();
    assert_eq!(said["splits"][0]["ttl_indexes"], json!(["soon", "old"]));
    assert_eq!(said["splits"][1]["ttl_indexes"], json!([]));
    assert_eq!(bed.fetched(), [""; 0]);
}

#[tokio::test]
async fn without_ttl_no_document_expires() {
    let soon = r#"{"key":{"timestamp":1},"name":"soon","expireAfterSeconds":60}"#;
    let (bed, said) = warned(&[BY_TIME, soon], &["--no-ttl"]).await;
    assert_eq!(said, "");
    let expected = [
        "createIndexes split_0_input__lob_",
        "renameCollection split_0_input__lob_",
        "renameCollection split_1_input__lob_",
    ];
    assert_eq!(built(&bed), expected);
    assert!(!bed.mongo.commands().iter().any(is_count_of_old));
}

fn is_count_of_old(command: &Command) -> bool {
    let query = command.arguments.get_document("query");
    command.name == "count" && query.is_ok_and(|query| !query.is_empty())
}
