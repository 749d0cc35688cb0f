//! How much memory a tool takes by default: a share of what it is allowed, which in a container or
//! a Slurm job is less than the machine has.
//!
//! What a tool keeps in memory decides how much can be under way at once, so a large machine gets
//! more connections and a small one none that it cannot hold.

use std::sync::OnceLock;
use std::thread;

use clap::Args;
use serde::Serialize;
use sysinfo::{MemoryRefreshKind, Process, ProcessRefreshKind, ProcessesToUpdate, System};

use super::{ByteSize, SettingOrigin};

/// What a tool takes besides what it moves: its code, connections and small buffers.
pub const BASE_MEMORY: ByteSize = ByteSize::mib(24);

/// The key of the setting.
const KEY: &str = "memory";

/// The share of a tool, before it is known how much there is.
#[derive(Debug, Clone, Copy)]
pub struct MemoryShare {
    /// One part of this many of the memory that is allowed.
    pub one_of: u64,
    /// Most for each core: more than its cores can fill is of no use.
    pub per_core: ByteSize,
    /// Least, unless that would be more than three quarters of what is allowed.
    pub least: ByteSize,
}

/// What this process is allowed.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    /// Zero if nothing tells, as without /proc.
    bytes: u64,
    is_of_cgroup: bool,
    cores: u64,
}

impl Allowed {
    /// By the limit of this process's control group, if it has one, or by the machine. Asked once:
    /// help and settings both need it.
    fn here() -> Self {
        static HERE: OnceLock<Allowed> = OnceLock::new();
        *HERE.get_or_init(Self::ask)
    }

    fn ask() -> Self {
        let (machine, group) = memory().unwrap_or_default();
        let bytes = group.unwrap_or(machine).min(machine);
        Self {
            bytes,
            is_of_cgroup: bytes < machine,
            cores: thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        }
    }
}

/// The bytes that the machine has and the control group of this process allows, if that is known.
fn memory() -> Option<(u64, Option<u64>)> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let this = sysinfo::get_current_pid().ok()?;
    let (only, nothing) = ([this], ProcessRefreshKind::nothing());
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&only), false, nothing);
    let limits = system.process(this).and_then(Process::cgroup_limits);
    let group = limits.map(|limits| limits.total_memory);
    Some((system.total_memory(), group))
}

impl MemoryShare {
    /// The default on this machine.
    pub fn here(self) -> ByteSize {
        self.of(Allowed::here())
    }

    fn of(self, allowed: Allowed) -> ByteSize {
        if allowed.bytes == 0 {
            return self.least;
        }
        let share = allowed.bytes / self.one_of;
        let most = self.per_core.0.saturating_mul(allowed.cores);
        let least = self.least.0.min(allowed.bytes / 4 * 3);
        ByteSize::mib(share.min(most).max(least) >> 20)
    }

    /// Says in the origin of a default what it was derived from.
    pub(crate) fn explain(self, origins: &mut [SettingOrigin]) {
        let found = origins.iter_mut().find(|origin| origin.key == KEY);
        if let Some(memory) = found.filter(|memory| memory.origin == "default") {
            let Allowed {
                bytes,
                is_of_cgroup,
                cores,
            } = Allowed::here();
            if bytes == 0 {
                "default, as nothing tells how much there is".clone_into(&mut memory.origin);
                return;
            }
            let whose = match is_of_cgroup {
                true => "its control group allows",
                false => "the machine has",
            };
            let (mib, cores) = (bytes >> 20, crate::text::counted(cores, "core"));
            memory.origin = format!("default, for the {mib} MiB that {whose} and {cores}");
        }
    }
}

/// Warns if a tool needs more than the memory that it should take.
pub fn warn_of_need(memory: ByteSize, need: ByteSize, remedy: &str) {
    if memory < need {
        let need = need.0 >> 20;
        tracing::warn!("`memory` is {memory}, but {need} MiB may be needed: {remedy}");
    }
}

/// The flag for the memory.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct MemoryArgs {
    /// Most memory to take, about: it decides how much is moved at once [default: a share of what
    /// the container, the job or the machine allows]
    #[arg(long, value_name = "SIZE", help_heading = "Memory")]
    pub memory: Option<ByteSize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_follows_memory_and_cores_and_is_never_less_than_the_least() {
        let share = MemoryShare {
            one_of: 32,
            per_core: ByteSize::mib(512),
            least: ByteSize::mib(64),
        };
        let of = |gib: u64, cores| {
            let bytes = gib << 30;
            let is_of_cgroup = false;
            share.of(Allowed {
                bytes,
                is_of_cgroup,
                cores,
            })
        };
        assert_eq!(of(0, 2), ByteSize::mib(64));
        assert_eq!(of(1, 2), ByteSize::mib(64));
        assert_eq!(of(4, 2), ByteSize::mib(128));
        assert_eq!(of(256, 2), ByteSize::mib(1024));
        assert_eq!(of(256, 32), ByteSize::mib(8192));
    }

    #[test]
    fn a_small_container_is_not_filled() {
        let share = MemoryShare {
            one_of: 16,
            per_core: ByteSize::mib(128),
            least: ByteSize::mib(256),
        };
        let allowed = Allowed {
            bytes: 128 << 20,
            is_of_cgroup: true,
            cores: 2,
        };
        assert_eq!(share.of(allowed), ByteSize::mib(96));
    }

    #[test]
    fn this_machine_allows_some_memory() {
        let allowed = Allowed::here();
        assert!(allowed.bytes > 64 << 20 && allowed.cores > 0, "{allowed:?}");
    }
}
