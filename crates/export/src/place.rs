//! Where a data file belongs: its split, its range and its turn there, as its name tells.

use lob_core::manifest::split_folder;
use lob_core::run::PROGRESS_FOLDER;
use serde::{Deserialize, Serialize};

/// Identifies a data file by split, range and sequence number; names the file and its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) split_id: u32,
    pub(crate) range: u32,
    pub(crate) sequence: u32,
}

impl Place {
    /// The first data file of a range.
    pub(crate) fn first(split_id: u32, range: u32) -> Self {
        Self {
            split_id,
            range,
            sequence: 0,
        }
    }

    pub(crate) fn next(self) -> Self {
        Self {
            sequence: self.sequence.saturating_add(1),
            ..self
        }
    }

    /// The data file's name below the run's folder.
    pub(crate) fn file_name(self) -> String {
        let folder = split_folder(self.split_id);
        format!(
            "{folder}part-{:05}-{:05}.parquet",
            self.range, self.sequence
        )
    }

    /// Parses the name of a data file; `None` if it is not one of ours.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        let (folder, file) = name.split_once('/')?;
        let split_id = folder.strip_prefix("split_")?.strip_suffix(".parquet")?;
        let numbers = file.strip_prefix("part-")?.strip_suffix(".parquet")?;
        let (range, sequence) = numbers.split_once('-')?;
        let place = Self {
            split_id: split_id.parse().ok()?,
            range: range.parse().ok()?,
            sequence: sequence.parse().ok()?,
        };
        (place.file_name() == name).then_some(place)
    }

    /// The record's name below the run's folder.
    pub(crate) fn record_name(self) -> String {
        let Self {
            split_id,
            range,
            sequence,
        } = self;
        format!("{PROGRESS_FOLDER}/split_{split_id}/{range:05}-{sequence:05}.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_files_name_tells_its_place() {
        for place in [
            Place::first(0, 0),
            Place::first(12, 99_999).next(),
            Place {
                split_id: u32::MAX,
                range: 100_000,
                sequence: u32::MAX,
            },
        ] {
            assert_eq!(Place::of_file(&place.file_name()), Some(place));
        }
        for none in [
            "part-00000-00000.parquet",
            "split_0.parquet/part-0-0.parquet",
            "split_0.parquet/part-00000-00000.parquet/x",
            "split_00.parquet/part-00000-00000.parquet",
            "split_0.parquet/part-00000--0001.parquet",
            "split_0.parquet/part-00000-99999999999.parquet",
        ] {
            assert_eq!(Place::of_file(none), None, "{none}");
        }
    }
}
