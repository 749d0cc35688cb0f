//! What binaries are built for: a processor, a system and, on Linux, an age of it.

/// The glibc that binaries may ask for, at most; Rust's own minimum.
pub(super) const GLIBC: (u32, u32) = (2, 17);

/// What binaries are built for.
#[derive(Clone)]
pub(crate) struct Target {
    /// Rust's name for it, such as `x86_64-unknown-linux-gnu`.
    pub(super) triple: String,
}

impl Target {
    /// The part of its name that says which processor.
    pub(super) fn processor(&self) -> &str {
        self.triple.split('-').next().unwrap_or_default()
    }

    pub(super) fn is_linux(&self) -> bool {
        self.triple.contains("-linux-")
    }

    pub(super) fn is_windows(&self) -> bool {
        self.triple.contains("-windows-")
    }
}
