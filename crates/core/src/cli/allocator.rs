//! The memory allocator of the binaries.
//!
//! Buffers of several megabytes are allocated on one thread and freed on another. With glibc's
//! allocator, the resident memory of an export grew by a third between 200 MB and 1 GB of input;
//! with jemalloc it stays flat.
//!
//! It has two arenas (`.cargo/config.toml`) instead of four per core, since each holds on to freed
//! memory. And it keeps that memory instead of giving it back to the system: row groups come and
//! go, and clearing fresh pages for each took half of an import's CPU time. The price is that a tool
//! stays as large as it was at its largest: 190 MiB instead of 130 for an import of 600 MB.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
