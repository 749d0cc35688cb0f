//! Proves that a file did not change between the plan and its last read.
//!
//! We compare file system metadata on the open descriptor. File timestamps advance in ticks of the
//! kernel's clock, so a file changed within the current tick could change again and look the same:
//! reading waits until that tick is over.

mod fingerprint;

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

pub(crate) use self::fingerprint::Fingerprint;

/// Longer than the tick of any kernel (10 ms at 100 Hz).
const TICK: Duration = Duration::from_millis(20);
/// Longer than that of a file system that knows only seconds (ext3, HFS+) or every other (FAT).
const LONG_TICK: Duration = Duration::from_millis(2100);
const NANOSECONDS: i128 = 1_000_000_000;

/// Why a file cannot be read as one consistent state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FreezeError {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it is gone")]
    Gone(#[source] io::Error),
    #[error("it is no longer a regular file")]
    Special,
    #[error("it changed after the plan was made: {0}")]
    ChangedBefore(&'static str),
    #[error("it changed while being read: {0}")]
    Changed(&'static str),
}

impl FreezeError {
    /// Classifies the error when a file that was found cannot be opened.
    pub(crate) fn opening(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Gone(error),
            _ => Self::Io(error),
        }
    }

    /// Whether the problem is the file, not the machine.
    pub(crate) fn is_of_the_file(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// A file while it is being read.
#[derive(Debug)]
pub(crate) struct Freeze {
    before: Fingerprint,
    /// When reading began, in nanoseconds since 1970.
    begin: i128,
}

impl Freeze {
    /// Call before the first read. Blocks briefly if the file has only just changed.
    pub(crate) fn begin(file: &File, planned: &Fingerprint) -> Result<Self, FreezeError> {
        let mut begin = now();
        let tick = tick(planned.changed);
        while (0..=nanoseconds(tick)).contains(&(begin - planned.changed)) {
            std::thread::sleep(TICK);
            begin = now();
        }
        let before = Fingerprint::of(file)?;
        match planned.difference(&before) {
            Some(difference) => Err(FreezeError::ChangedBefore(difference)),
            None => Ok(Self { before, begin }),
        }
    }

    /// Call after the last read.
    pub(crate) fn end(&self, file: &File) -> Result<(), FreezeError> {
        self.judge(&Fingerprint::of(file)?, now())
    }

    fn judge(&self, after: &Fingerprint, end: i128) -> Result<(), FreezeError> {
        // A file server's clock may run ahead; equal timestamps then prove nothing.
        let in_reading = (self.begin..=end).contains(&after.changed);
        let unproved = in_reading.then_some("its change time falls within the read");
        match self.before.difference(after).or(unproved) {
            Some(difference) => Err(FreezeError::Changed(difference)),
            None => Ok(()),
        }
    }
}

/// How long after this change another one may have the same time.
fn tick(changed: i128) -> Duration {
    match changed % NANOSECONDS {
        0 => LONG_TICK,
        _ => TICK,
    }
}

fn now() -> i128 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => nanoseconds(since),
        Err(before) => -nanoseconds(before.duration()),
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * NANOSECONDS + i128::from(duration.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const AT_REST: Fingerprint = Fingerprint {
        device: 1,
        inode: 2,
        size: 3,
        modified: 100,
        changed: 100,
    };

    fn judged(after: Fingerprint) -> bool {
        let freeze = Freeze {
            before: AT_REST,
            begin: 200,
        };
        freeze.judge(&after, 300).is_ok()
    }

    #[test]
    fn times_in_whole_seconds_have_a_long_tick() {
        assert_eq!(tick(7 * NANOSECONDS + 1), TICK);
        assert_eq!(tick(7 * NANOSECONDS), LONG_TICK);
    }

    #[test]
    fn any_difference_is_a_change() {
        assert!(judged(AT_REST));
        for after in [
            Fingerprint {
                device: 9,
                ..AT_REST
            },
            Fingerprint {
                inode: 9,
                ..AT_REST
            },
            Fingerprint { size: 9, ..AT_REST },
            Fingerprint {
                modified: 99,
                ..AT_REST
            },
            Fingerprint {
                changed: 101,
                ..AT_REST
            },
        ] {
            assert!(!judged(after), "{after:?}");
        }
    }

    #[test]
    fn a_change_time_during_the_read_proves_nothing() {
        let before = Fingerprint {
            changed: 250,
            ..AT_REST
        };
        let freeze = Freeze { before, begin: 200 };
        assert!(freeze.judge(&before, 300).is_err());
        assert!(freeze.judge(&before, 249).is_ok());
    }

    #[test]
    fn a_freshly_changed_file_gets_time_to_show_its_next_change() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"old").unwrap();
        let planned = Fingerprint::of(file.as_file()).unwrap();
        let freeze = Freeze::begin(file.as_file(), &planned).unwrap();
        freeze.end(file.as_file()).unwrap();
        // Same size and the old modification time: only the change time gives it away.
        let modified = file.as_file().metadata().unwrap().modified().unwrap();
        std::os::unix::fs::FileExt::write_all_at(file.as_file(), b"new", 0).unwrap();
        file.as_file().set_modified(modified).unwrap();
        assert!(matches!(
            freeze.end(file.as_file()),
            Err(FreezeError::Changed(_))
        ));
    }
}
