//! Which share of a run this process takes: worker K of N.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use lob_core::failure::Failure;
use serde::{Deserialize, Serialize};

/// One of several processes that share a run; its text form is `K/N`, and K counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Worker {
    number: u32,
    count: NonZeroU32,
}

/// How array jobs say which one a process is: number, number of the first, how many there are.
const ARRAYS: [(&str, Option<&str>, Option<&str>); 3] = [
    (
        "SLURM_ARRAY_TASK_ID",
        Some("SLURM_ARRAY_TASK_MIN"),
        Some("SLURM_ARRAY_TASK_COUNT"),
    ),
    (
        "AWS_BATCH_JOB_ARRAY_INDEX",
        None,
        Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    ),
    // Kubernetes does not say how many there are: `--workers` does.
    ("JOB_COMPLETION_INDEX", None, None),
];

impl Worker {
    /// The one process that does it all.
    pub(crate) const ALONE: Self = Self {
        number: 0,
        count: NonZeroU32::MIN,
    };

    /// Whether the item at this position is this worker's.
    pub(crate) fn takes(self, position: usize) -> bool {
        position % self.count.get() as usize == self.number as usize
    }

    /// The worker that an array job makes of this process, if it is part of one.
    ///
    /// # Errors
    /// Variables that contradict each other, or that do not say how many workers there are; several
    /// workers and no array job.
    pub(crate) fn of_array(
        environment: &BTreeMap<String, String>,
        workers: Option<NonZeroU32>,
    ) -> Result<Option<Self>, Failure> {
        let read = |name: &str| {
            let text = environment.get(name).filter(|text| !text.is_empty());
            let number = text.map(|text| text.parse::<u32>());
            number.transpose().map_err(|_| {
                Failure::usage(format!("the environment variable `{name}` is not a number"))
            })
        };
        for (name, first, count) in ARRAYS {
            let Some(number) = read(name)? else {
                continue;
            };
            let first = first.map_or(Ok(None), read)?.unwrap_or_default();
            let count = match workers {
                Some(workers) => Some(workers),
                None => count.map_or(Ok(None), read)?.and_then(NonZeroU32::new),
            };
            let Some(count) = count else {
                let message = format!("`{name}` does not say how many workers there are");
                return Err(Failure::usage(message).with_hint("say it with --workers"));
            };
            let number = number
                .checked_sub(first)
                .filter(|&number| number < count.get());
            return match number {
                Some(number) => Ok(Some(Self { number, count })),
                None => Err(Failure::usage(format!(
                    "`{name}` is none of {count} numbers from {first} on"
                ))
                .with_hint("say which worker this is with --worker")),
            };
        }
        match workers {
            None => Ok(None),
            // To take all of the run would be to do what the others do as well.
            Some(count) => Err(Failure::usage(format!(
                "nothing says which of {count} workers this is"
            ))
            .with_hint("say it with --worker")),
        }
    }
}

impl FromStr for Worker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let worker = text.split_once('/').and_then(|(number, count)| {
            let (number, count) = (number.parse().ok()?, count.parse::<NonZeroU32>().ok()?);
            (number < count.get()).then_some(Self { number, count })
        });
        worker.ok_or_else(|| format!("`{text}` is not a worker such as 0/4, counted from 0"))
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl TryFrom<String> for Worker {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Worker> for String {
    fn from(worker: Worker) -> Self {
        worker.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(variables: &[(&str, &str)], workers: Option<u32>) -> Result<Option<String>, Failure> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let worker = Worker::of_array(&environment, workers.and_then(NonZeroU32::new))?;
        Ok(worker.map(|worker| worker.to_string()))
    }

    #[test]
    fn every_item_is_taken_by_exactly_one_worker() {
        let workers: Vec<Worker> = ["0/3", "1/3", "2/3"].map(|w| w.parse().unwrap()).into();
        for position in 0..10 {
            let takers = workers.iter().filter(|worker| worker.takes(position));
            assert_eq!(takers.count(), 1);
            assert!(Worker::ALONE.takes(position));
        }
        for text in ["", "1", "3/3", "-1/3", "1/0", "a/b"] {
            assert!(text.parse::<Worker>().is_err(), "{text}");
        }
    }

    #[test]
    fn array_jobs_say_which_worker_a_process_is() {
        let slurm = |id| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", "4"),
                ("SLURM_ARRAY_TASK_MIN", "1"),
            ]
        };
        assert_eq!(worker(&slurm("1"), None).unwrap().unwrap(), "0/4");
        assert_eq!(worker(&slurm("4"), None).unwrap().unwrap(), "3/4");
        assert!(worker(&slurm("5"), None).is_err());
        assert!(worker(&slurm("0"), None).is_err());
        let batch = [
            ("AWS_BATCH_JOB_ARRAY_INDEX", "2"),
            ("AWS_BATCH_JOB_ARRAY_SIZE", "3"),
        ];
        assert_eq!(worker(&batch, None).unwrap().unwrap(), "2/3");
        let kubernetes = [("JOB_COMPLETION_INDEX", "1")];
        assert_eq!(worker(&kubernetes, Some(2)).unwrap().unwrap(), "1/2");
        assert!(worker(&kubernetes, None).is_err());
        assert!(worker(&[("JOB_COMPLETION_INDEX", "x")], Some(2)).is_err());
        assert_eq!(worker(&[], None).unwrap(), None);
        assert!(worker(&[], Some(2)).is_err());
    }
}
