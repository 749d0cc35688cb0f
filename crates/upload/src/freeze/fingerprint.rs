//! What the file system says about an open file, so that two looks at it can be compared.

use std::fs::File;
use std::io;

/// What the file system says about a file; any change to its bytes changes this.
///
/// Windows shows no time that programs cannot set, but there a file that is open for an upload is
/// closed to writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(super) device: u64,
    /// Its number on the device.
    pub(super) inode: u64,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Time of the last change to its bytes, in nanoseconds since 1970.
    pub(crate) modified: i128,
    /// Time of the last change to its bytes or attributes, in nanoseconds since 1970. No program
    /// can set it; on Windows the same as `modified`.
    pub(super) changed: i128,
}

impl Fingerprint {
    /// Fingerprints the open file, whatever its path points to by now.
    #[cfg(unix)]
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        const NANOSECONDS: i128 = 1_000_000_000;
        let metadata = file.metadata()?;
        let time = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * NANOSECONDS + i128::from(nanoseconds)
        };
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Fingerprints the open file, whatever its path points to by now.
    #[cfg(windows)]
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        /// Nanoseconds in a tick of Windows's file times.
        const TICK: i128 = 100;
        /// 1970 in ticks since 1601.
        const EPOCH: i128 = 116_444_736_000_000_000;
        let found = winapi_util::file::information(file)?;
        let time = |ticks: Option<u64>| (i128::from(ticks.unwrap_or_default()) - EPOCH) * TICK;
        let modified = time(found.last_write_time());
        Ok(Self {
            device: found.volume_serial_number(),
            inode: found.file_index(),
            size: found.file_size(),
            modified,
            changed: modified,
        })
    }

    /// The first difference to what the file system says now.
    pub(super) fn difference(&self, now: &Self) -> Option<&'static str> {
        if (self.device, self.inode) != (now.device, now.inode) {
            Some("another file has taken its place")
        } else if self.size != now.size {
            Some("its size differs")
        } else if self.modified != now.modified {
            Some("its modification time differs")
        } else if self.changed != now.changed {
            Some("its change time differs")
        } else {
            None
        }
    }
}
