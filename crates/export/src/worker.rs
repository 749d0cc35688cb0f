//! Which share of a run this process takes: worker K of N.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use lob_core::failure::Failure;

/// One of several processes that share a run, written as `K/N`, with K counting from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worker {
    number: u32,
    count: NonZeroU32,
}

/// Array jobs that count from 0: the variable with the number, and the one with the total.
/// Kubernetes has no variable for the total: use `--workers`.
const ARRAYS: [(&str, Option<&str>); 2] = [
    (
        "AWS_BATCH_JOB_ARRAY_INDEX",
        Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    ),
    ("JOB_COMPLETION_INDEX", None),
];
/// The variable with the number of a Slurm task, which counts as configured.
const SLURM_TASK: &str = "SLURM_ARRAY_TASK_ID";

/// The tasks of a Slurm array, such as `0-30:10` or `3,7`, as far as a task knows them.
struct SlurmArray {
    first: u32,
    last: u32,
    step: u32,
    count: NonZeroU32,
}

impl SlurmArray {
    /// The position of a task among all tasks; `None` if they are unevenly spaced, since the
    /// position is unknown then.
    fn place(&self, task: u32) -> Option<u32> {
        let (width, gaps) = (self.last.checked_sub(self.first)?, self.count.get() - 1);
        let step = self.step.max(1);
        let step = if width / step == gaps {
            step
        } else if gaps > 0 && width.is_multiple_of(gaps) {
            width / gaps
        } else {
            return None;
        };
        let distance = task.checked_sub(self.first)?;
        distance.is_multiple_of(step).then(|| distance / step)
    }
}

impl Worker {
    /// The single process that does everything.
    pub(crate) const ALONE: Self = Self {
        number: 0,
        count: NonZeroU32::MIN,
    };

    /// Whether the item at this position belongs to this worker.
    pub(crate) fn takes(self, position: usize) -> bool {
        position % self.count.get() as usize == self.number as usize
    }

    /// The worker with this number, which came from the variable `name`.
    fn numbered(name: &str, number: Option<u32>, count: NonZeroU32) -> Result<Self, Failure> {
        match number.filter(|&number| number < count.get()) {
            Some(number) => Ok(Self { number, count }),
            None => Err(Failure::usage(format!(
                "`{name}` does not say which of {count} workers this is"
            ))
            .with_hint(
                "set --worker, or set --workers to the number of tasks in the whole array, counted \
                 from 0",
            )),
        }
    }

    /// The worker that an array job assigns to this process, if it is part of one.
    ///
    /// # Errors
    /// Variables that contradict each other or do not say how many workers there are, or several
    /// workers without an array job.
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
        if let Some(task) = read(SLURM_TASK)? {
            let count = read("SLURM_ARRAY_TASK_COUNT")?.and_then(NonZeroU32::new);
            // A resubmitted part of an array does its own shares if the number of workers is known,
            // and everything left if not.
            if let Some(workers) = workers.filter(|workers| Some(*workers) != count) {
                return Self::numbered(SLURM_TASK, Some(task), workers).map(Some);
            }
            let count = count.ok_or_else(|| uncounted(SLURM_TASK))?;
            let first = read("SLURM_ARRAY_TASK_MIN")?.unwrap_or_default();
            let step = read("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1);
            let last = read("SLURM_ARRAY_TASK_MAX")?;
            let last =
                last.unwrap_or_else(|| first.saturating_add(step.saturating_mul(count.get() - 1)));
            let array = SlurmArray {
                first,
                last,
                step,
                count,
            };
            return Self::numbered(SLURM_TASK, array.place(task), count).map(Some);
        }
        for (name, count) in ARRAYS {
            let Some(number) = read(name)? else {
                continue;
            };
            let count = match workers {
                Some(workers) => Some(workers),
                None => count.map_or(Ok(None), read)?.and_then(NonZeroU32::new),
            };
            let count = count.ok_or_else(|| uncounted(name))?;
            return Self::numbered(name, Some(number), count).map(Some);
        }
        match workers {
            None => Ok(None),
            // Taking the whole run would duplicate what the others do.
            Some(count) => Err(Failure::usage(format!(
                "nothing says which of {count} workers this is"
            ))
            .about(&["workers"])
            .with_hint("set --worker")),
        }
    }
}

/// The error for an unknown number of workers.
fn uncounted(name: &str) -> Failure {
    let message = format!("`{name}` does not say how many workers there are");
    Failure::usage(message).with_hint("set --workers")
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

lob_core::serialize_as_text!(Worker);

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

    /// What the task `id` of a Slurm array is told: count, first, last and step.
    fn slurm(id: u32, [count, min, max, step]: [u32; 4], workers: Option<u32>) -> Option<String> {
        let texts = [id, count, min, max, step].map(|number| number.to_string());
        let names = ["ID", "COUNT", "MIN", "MAX", "STEP"].map(|n| format!("SLURM_ARRAY_TASK_{n}"));
        let variables = names.iter().zip(&texts);
        let variables: Vec<_> = variables.map(|(n, t)| (n.as_str(), t.as_str())).collect();
        worker(&variables, workers).ok()?
    }

    #[test]
    fn an_array_job_assigns_the_worker() {
        let slurm = |id| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", "4"),
                ("SLURM_ARRAY_TASK_MIN", "1"),
            ]
        };
        assert_eq!(worker(&slurm("1"), None).unwrap().unwrap(), "0/4");
        assert_eq!(worker(&slurm("4"), None).unwrap().unwrap(), "3/4");
        assert_eq!(worker(&slurm("4"), Some(4)).unwrap().unwrap(), "3/4");
        assert!(worker(&slurm("5"), None).is_err());
        assert!(worker(&slurm("0"), None).is_err());
        assert!(worker(&slurm("0")[..1], None).is_err());
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

    #[test]
    fn the_tasks_of_a_stepped_array_share_a_run_without_gaps() {
        for (ids, array) in [
            (vec![0, 10, 20, 30], [4, 0, 30, 10]),
            (vec![1, 5, 9], [3, 1, 9, 4]),
            // As if the last number were the end of the range rather than a task.
            (vec![1, 5, 9], [3, 1, 11, 4]),
            (vec![3, 7], [2, 3, 7, 1]),
            (vec![7], [1, 7, 7, 1]),
            (vec![0, 4_000_000_000], [2, 0, 4_000_000_000, 1]),
        ] {
            let workers: Vec<_> = ids.iter().map(|id| slurm(*id, array, None)).collect();
            let count = ids.len();
            let all: Vec<_> = (0..count).map(|k| Some(format!("{k}/{count}"))).collect();
            assert_eq!(workers, all, "{ids:?}");
        }
    }

    #[test]
    fn a_task_at_an_unknown_position_is_refused_unless_it_is_numbered() {
        let odd = [3, 0, 5, 1];
        for id in [0, 1, 5] {
            assert_eq!(slurm(id, odd, None), None);
            assert_eq!(slurm(id, odd, Some(6)), Some(format!("{id}/6")));
        }
        assert_eq!(slurm(7, [2, 3, 7, 1], Some(10)), Some("7/10".to_owned()));
        assert_eq!(slurm(7, [2, 3, 7, 1], Some(7)), None);
        assert_eq!(slurm(5, [4, 0, 30, 10], None), None);
        assert_eq!(slurm(0, [2, 7, 3, 0], None), None);
    }
}
