//! The memory allocator of the binaries.
//!
//! Buffers of several megabytes are allocated on one thread and freed on another. With glibc's
//! allocator, the resident memory of an export grew by a third between 200 MB and 1 GB of input;
//! with jemalloc it stays flat (README, "Memory").
//!
//! It has two arenas (`.cargo/config.toml`) instead of four per core: each arena holds on to freed
//! memory for a few seconds, which made an export of several ranges take 255 MiB instead of 185.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
