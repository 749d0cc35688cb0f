//! Decides which failures are the file's own fault: it changed, is gone, or is not Parquet. If
//! partial runs are allowed, a run may be published without such a file. Any other failure, such as
//! too many open files, an unreadable disk or a refusal by S3, says nothing about the file, and
//! publishing without it would lose a good one.

use crate::footer::FooterError;
use crate::freeze::FreezeError;

/// None of the run's files is left.
#[derive(Debug, thiserror::Error)]
#[error("every file failed")]
pub(crate) struct EveryFileFailed;

/// Whether the failure would happen again no matter who reads the file.
pub(crate) fn is_of_the_file(failure: &anyhow::Error) -> bool {
    failure.chain().any(|cause| {
        let freeze = cause.downcast_ref::<FreezeError>();
        let footer = cause.downcast_ref::<FooterError>();
        freeze.is_some_and(FreezeError::is_of_the_file)
            || footer.is_some_and(FooterError::is_of_the_file)
            || cause.is::<EveryFileFailed>()
    })
}

/// Whether the disk failed, which may pass.
pub(crate) fn is_of_the_disk(failure: &anyhow::Error) -> bool {
    let mut causes = failure.chain();
    let freeze = causes.find_map(|cause| cause.downcast_ref::<FreezeError>());
    freeze.is_some_and(|freeze| !freeze.is_of_the_file())
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;

    /// Linux error numbers: EIO, EACCES, EMFILE, ENOSPC and ESTALE.
    const OF_THE_MACHINE: [i32; 5] = [5, 13, 24, 28, 116];

    fn is_fault(error: impl std::error::Error + Send + Sync + 'static) -> bool {
        is_of_the_file(&Err::<(), _>(error).context("`a` is not sent").unwrap_err())
    }

    #[test]
    fn machine_errors_are_not_blamed_on_a_file() {
        for code in OF_THE_MACHINE {
            let error = || io::Error::from_raw_os_error(code);
            assert!(!is_fault(error()), "{code}");
            assert!(!is_fault(FreezeError::opening(error())), "{code}");
            assert!(!is_fault(FooterError::Io(error())), "{code}");
        }
        let gone = FreezeError::opening(io::ErrorKind::NotFound.into());
        assert!(is_fault(gone));
        assert!(is_fault(FreezeError::Changed("its size differs")));
        assert!(is_fault(FooterError::Tail));
        assert!(is_fault(EveryFileFailed));
    }
}
