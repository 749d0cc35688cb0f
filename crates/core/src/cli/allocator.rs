//! The memory allocator of the binaries; Windows keeps its own.
//!
//! Buffers of several megabytes are allocated on one thread and freed on another. With glibc's
//! allocator, the resident memory of an export grew by a third between 200 MB and 1 GB of input;
//! with jemalloc it stays flat.
//!
//! It has two arenas instead of four per core, since each holds on to freed memory. And it keeps that
//! memory instead of giving it back to the system: row groups come and go, and clearing fresh pages
//! for each took half of an import's CPU time. The price is that a tool stays as large as it was at
//! its largest: 190 MiB instead of 130 for an import of 600 MB.

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
static SETTINGS: &[u8; 28] = b"narenas:2,dirty_decay_ms:-1\0";
