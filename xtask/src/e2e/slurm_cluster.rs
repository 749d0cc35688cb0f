//! A single-machine Slurm cluster with all that an array job needs, in folders that are removed
//! with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use xshell::{Cmd, Shell, cmd};

use crate::command::{self, works};
use crate::permissions::set_mode;
use crate::server_process::{ServerProcess, free_port};
use crate::tools::Tools;

/// The Debian packages.
const PACKAGES: [&str; 2] = ["slurm-wlm", "munge"];
const PROGRAMS: [&str; 4] = ["sbatch", "slurmctld", "slurmd", "munged"];
/// The resources that the node claims, whatever the machine has, so that all tasks run at once.
const CPUS: u32 = 8;
const MEMORY_MIB: u32 = 4096;
/// How long a job may take to end when the cluster stops.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs until it is dropped.
pub(super) struct SlurmCluster {
    config: PathBuf,
    /// Dropped in this order: each one needs those below.
    _slurmd: ServerProcess,
    _slurmctld: ServerProcess,
    _munged: ServerProcess,
    _folder: TempDir,
}

impl SlurmCluster {
    /// Starts Slurm, installing it first if needed.
    pub(super) async fn start<'a>(sh: &'a Shell) -> anyhow::Result<Self> {
        install(sh).await?;
        let tools = Tools::new(sh);
        let folder = tempfile::tempdir()?;
        let (munge, state, spool) = (public_folder()?, tempfile::tempdir()?, tempfile::tempdir()?);
        let socket = munge.path().join("socket");
        let config = folder.path().join("slurm.conf");
        let text = configuration(&socket, &state, &spool, &folder)?;
        fs::write(&config, text)?;

        let munged = start_munged(sh, &socket, munge, &tools).await?;
        let slurmctld = cmd!(sh, "slurmctld -D -f {config}");
        let log = tools.log("slurmctld");
        let mut slurmctld = ServerProcess::start("slurmctld", slurmctld, log, state)?;
        let ask = |command: Cmd<'a>| command.env("SLURM_CONF", &config);
        let answers = async || works(ask(cmd!(sh, "scontrol ping"))).await;
        slurmctld.wait_until(answers).await?;
        let slurmd = cmd!(sh, "slurmd -D -f {config}");
        let mut slurmd = ServerProcess::start("slurmd", slurmd, tools.log("slurmd"), spool)?;
        let runs_jobs = async || works(ask(cmd!(sh, "srun --immediate --quiet true"))).await;
        slurmd.wait_until(runs_jobs).await?;
        Ok(Self {
            config,
            _slurmd: slurmd,
            _slurmctld: slurmctld,
            _munged: munged,
            _folder: folder,
        })
    }

    /// Makes Slurm commands talk to this cluster.
    pub(super) fn of<'a>(&self, command: Cmd<'a>) -> Cmd<'a> {
        command.env("SLURM_CONF", &self.config)
    }

    fn speak(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", &self.config);
        command
    }
}

impl Drop for SlurmCluster {
    /// Jobs are separate processes that would outlive the cluster.
    fn drop(&mut self) {
        let deadline = Instant::now() + CANCEL_TIMEOUT;
        let queue = || {
            let queue = self.speak("squeue").arg("--noheader").output();
            queue.map_or(0, |queue| queue.stdout.len())
        };
        while queue() > 0 && Instant::now() < deadline {
            // Nobody is left to report a failure to, and the next look at the queue shows it.
            let _ = self.speak("scancel").arg("--state=RUNNING").status();
            let _ = self.speak("scancel").arg("--state=PENDING").status();
            thread::sleep(Duration::from_millis(500));
        }
    }
}

async fn install(sh: &Shell) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for program in PROGRAMS {
        if !works(cmd!(sh, "which {program}")).await {
            missing.push(program);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let user = command::output(cmd!(sh, "id --user")).await?;
    if user.trim() != "0" {
        bail!(
            "{} are missing: `apt-get install {}` as root brings them",
            missing.join(", "),
            PACKAGES.join(" ")
        );
    }
    command::run(cmd!(sh, "apt-get install --yes --quiet").args(PACKAGES)).await
}

/// A folder that other users can traverse, which `munged` requires of its socket's folder.
fn public_folder() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    set_mode(folder.path(), 0o711)?;
    Ok(folder)
}

async fn start_munged(
    sh: &Shell,
    socket: &Path,
    folder: TempDir,
    tools: &Tools,
) -> anyhow::Result<ServerProcess> {
    let at = |name| folder.path().join(name);
    let (key, pid, seed, log) = (at("key"), at("pid"), at("seed"), at("log"));
    command::run(cmd!(sh, "mungekey --create --keyfile={key}")).await?;
    let command = cmd!(
        sh,
        "munged --foreground --socket={socket} --key-file={key} --pid-file={pid}
         --seed-file={seed} --log-file={log}"
    );
    let mut munged = ServerProcess::start("munged", command, tools.log("munged"), folder)?;
    let answers = async || works(cmd!(sh, "munge --socket={socket} --no-input")).await;
    munged.wait_until(answers).await?;
    Ok(munged)
}

fn configuration(
    socket: &Path,
    state: &TempDir,
    spool: &TempDir,
    folder: &TempDir,
) -> anyhow::Result<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let host = host.trim().split('.').next().context("no host name")?;
    let (socket, folder) = (socket.display(), folder.path().display());
    let (state, spool) = (state.path().display(), spool.path().display());
    let (controller, node) = (free_port()?, free_port()?);
    Ok(format!(
        "ClusterName=lob
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={socket}
StateSaveLocation={state}
SlurmdSpoolDir={spool}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MIB}
PartitionName=main Nodes={host} Default=YES State=UP
"
    ))
}
