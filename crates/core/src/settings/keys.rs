//! The keys of all tools, which share a file and an environment: each tool can tell another tool's
//! key from a mistyped one. A test compares these lists with the tools themselves.

use std::collections::BTreeSet;

use super::common_args::{CommonArgs, is_of};
use crate::text::nearest;

/// How S3 is reached.
const S3: &[&str] = &[
    "attempt_timeout",
    "bucket",
    "ca_bundle",
    "connect_timeout",
    "endpoint_url",
    "expected_bucket_owner",
    "path_style",
    "prefix",
    "profile",
    "region",
    "retry_timeout",
];
/// How MongoDB is reached.
const MONGODB: &[&str] = &[
    "mongodb_connect_timeout",
    "mongodb_operation_timeout",
    "mongodb_pool_size",
    "mongodb_retry_timeout",
    "mongodb_server_selection_timeout",
    "mongodb_uri",
    "mongodb_uri_file",
];
/// How files are cut into parts.
const PARTS: &[&str] = &[
    "buffer_size",
    "max_bandwidth",
    "part_size",
    "parts_in_flight",
];
/// How objects are stored.
const OBJECTS: &[&str] = &["metadata", "sse", "sse_kms_key_id", "storage_class"];

/// The keys of each tool, by its short name: groups that tools share, and its own.
const KEYS: [(&str, &[&[&str]]); 3] = [
    (
        "upload",
        &[
            S3,
            PARTS,
            OBJECTS,
            &[
                "allow_partial",
                "exclude",
                "hash",
                "include",
                "jobs",
                "manifest_dir",
                "memory",
                "multipart_threshold",
                "run_id",
                "source_dir",
            ],
        ],
    ),
    (
        "export",
        &[
            S3,
            MONGODB,
            PARTS,
            OBJECTS,
            &[
                "checksum",
                "collection_pattern",
                "columns_from",
                "columns_sample",
                "compression",
                "database",
                "file_size",
                "jobs",
                "manifest_dir",
                "map",
                "max_misfits",
                "max_shrink",
                "memory",
                "range_size",
                "ranges",
                "read_ahead",
                "row_group_size",
                "run_id",
                "snapshot",
                "split",
                "struct",
                "worker",
                "workers",
            ],
        ],
    ),
    (
        "import",
        &[
            S3,
            MONGODB,
            &[
                "check",
                "collection_pattern",
                "count_tolerance",
                "database",
                "insert_batch_documents",
                "insert_batch_size",
                "jobs",
                "keep_previous",
                "legacy_ids",
                "max_bandwidth",
                "max_shrink",
                "memory",
                "no_indexes",
                "no_replace",
                "no_ttl",
                "run_id",
                "split",
                "spool_dir",
                "write_concern",
                "write_concern_timeout",
            ],
        ],
    ),
];

/// Flags of the tools that are not settings, besides those that every tool has.
const FLAGS: [&str; 5] = ["dry_run", "full", "latest", "print_uri", "yes"];

/// The keys of one tool; `None` if there is no such tool.
pub(super) fn of_tool(tool: &str) -> Option<BTreeSet<&'static str>> {
    let mut tools = of_tools();
    tools.find_map(|(name, keys)| (name == tool).then_some(keys))
}

fn of_tools() -> impl Iterator<Item = (&'static str, BTreeSet<&'static str>)> {
    KEYS.iter()
        .map(|(tool, groups)| (*tool, groups.iter().copied().flatten().copied().collect()))
}

/// The short names of the tools, which are also the sections of a file.
pub(super) fn tools() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(tool, _)| *tool)
}

/// The keys of all tools together.
pub(super) fn all() -> BTreeSet<&'static str> {
    of_tools().flat_map(|(_, keys)| keys).collect()
}

/// What to do about a key that does not belong at the top level of a file, or in a tool's section.
pub(super) fn hint(key: &str, tool: Option<&str>) -> String {
    if let Some(flag) = flag(key) {
        return format!("it is not a setting: use the flag `{flag}`");
    }
    if let Some(section) = key
        .strip_prefix("lob-")
        .filter(|name| of_tool(name).is_some())
    {
        return format!("write `[{section}]`");
    }
    let own = tool.and_then(of_tool).unwrap_or_default().into_iter();
    let sections = tools().filter(|_| tool.is_none());
    if let Some(nearest) = nearest(key, own.chain(sections)) {
        return format!("did you mean `{nearest}`?");
    }
    let Some(nearest) = nearest(key, all()) else {
        return "remove it; docs/CONFIGURATION.md lists all settings".to_owned();
    };
    let tools = of_tools().filter(|(_, keys)| keys.contains(nearest));
    let sections: Vec<_> = tools.map(|(tool, _)| format!("`[{tool}]`")).collect();
    match tool {
        // The top level accepts the keys of every tool.
        None => format!("did you mean `{nearest}`?"),
        Some(_) => format!("did you mean `{nearest}` in {}?", sections.join(" or ")),
    }
}

/// What to say about a variable that belongs to no setting, as the rest of a sentence.
pub(super) fn about_variable(name: &str) -> String {
    let key = name.trim_start_matches("LOB_").to_lowercase();
    let of_tool = tools().find_map(|tool| key.strip_prefix(tool)?.strip_prefix('_'));
    if let Some(flag) = flag(of_tool.unwrap_or(&key)) {
        return format!("has no effect: use the flag `{flag}`");
    }
    match nearest(name, variables().iter().map(String::as_str)) {
        Some(nearest) => format!("is unknown: did you mean `{nearest}`?"),
        None => "is unknown".to_owned(),
    }
}

/// The flag with this name, if it is not a setting.
fn flag(key: &str) -> Option<String> {
    let is_flag = FLAGS.contains(&key) || is_of::<CommonArgs>(key);
    is_flag.then(|| format!("--{}", key.replace('_', "-")))
}

/// The environment variables of all tools.
pub(super) fn variables() -> BTreeSet<String> {
    let shared = all().into_iter().map(|key| variable("LOB_", key));
    let own = of_tools().flat_map(|(tool, keys)| {
        let prefix = variable("LOB_", &format!("{tool}_"));
        keys.into_iter().map(move |key| variable(&prefix, key))
    });
    shared.chain(own).collect()
}

/// The variable that sets a key.
pub(super) fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_gets_a_suggestion_but_a_kubernetes_variable_does_not() {
        for (name, told) in [
            ("LOB_BUKET", "is unknown: did you mean `LOB_BUCKET`?"),
            (
                "LOB_EXPROT_PREFIX",
                "is unknown: did you mean `LOB_EXPORT_PREFIX`?",
            ),
            ("LOB_UPLOAD_SERVICE_HOST", "is unknown"),
            ("LOB_IMPORT_PORT_80_TCP_ADDR", "is unknown"),
            ("LOB_JSON", "has no effect: use the flag `--json`"),
            (
                "LOB_IMPORT_DRY_RUN",
                "has no effect: use the flag `--dry-run`",
            ),
        ] {
            assert_eq!(about_variable(name), told, "{name}");
        }
    }
}
