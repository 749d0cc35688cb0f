//! The memory allocator of the binaries; Windows keeps its own.
//!
//! Buffers of several megabytes are allocated on one thread and freed on another. With glibc's
//! allocator, the resident memory of an export grew by a third between 200 MB and 1 GB of input;
//! with jemalloc it stays flat.
//!
//! It has one arena instead of four per core, since each holds on to freed memory, and threads cache
//! what is small anyway. Memory that was free for a second is joined with its neighbours and offered
//! to the system, which takes it if it is short of memory, and gets it after ten seconds otherwise:
//! row groups come and go, and clearing fresh pages for each took half of an import's CPU time. Kept
//! without being joined, it was of no use for anything larger: an export of wide documents grew to
//! 1.2 GB instead of 0.3.
//!
//! By default, 8 MiB or more that are free in one piece go back at once. A threshold of 0 switches that
//! off for later arenas only: the first one exists before the settings are read, and keeps its 8 MiB
//! unless the threshold is a valid size (`arena_init_huge`). So it is one that hardly anything reaches,
//! which saved an import a quarter of its CPU time.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The settings above, where jemalloc looks for them. They are part of the code, so that every build
/// has them, that of `cargo install` too; `_RJEM_MALLOC_CONF` in the environment still wins.
#[allow(
    unsafe_code,
    reason = "jemalloc finds its settings by the name of a symbol"
)]
// SAFETY: jemalloc declares a `const char *` of this name for programs to define; a reference to an
// array is such a pointer, and the array ends with a NUL.
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 81] =
    b"narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:10000,oversize_threshold:1073741824\0";
