//! Objects in a folder of a run that the run does not know: a reader of the folder would take them
//! for part of its data.

use std::collections::HashSet;

use super::OpenRun;
use crate::store::StoreError;

impl OpenRun {
    /// The keys below `folder`, which is relative to the run's folder, that readers do not skip and
    /// that are not among the `known` names, also relative to the run's folder.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn strays(
        &self,
        folder: &str,
        known: &HashSet<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let root = self.key("");
        let keys = self.store.list(&self.key(folder), None).await?;
        let keys = keys.into_iter().map(|(key, _)| key);
        let is_stray = |key: &String| {
            let name = key.strip_prefix(&root).unwrap_or(key);
            is_read(name) && !known.contains(name)
        };
        Ok(keys.filter(is_stray).collect())
    }
}

/// Whether readers read the object: they skip markers of folders and what is hidden.
fn is_read(name: &str) -> bool {
    !name.ends_with('/') && !name.split('/').any(is_hidden)
}

/// Whether Spark and pyarrow skip a file or folder with this name: `_x` or `.x`, unless it is the
/// value of a partition.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_readers_skip_is_no_stray() {
        for skipped in ["a/", "a/_SUCCESS", "a/.x.crc", "_progress/plan.json"] {
            assert!(!is_read(skipped), "{skipped}");
        }
        for read in [
            "a/b",
            "a/copy.parquet",
            "a/day=1/c.parquet",
            "a/_day=1/c.parquet",
        ] {
            assert!(is_read(read), "{read}");
        }
    }
}
