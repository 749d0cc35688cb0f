//! The archive: its documents, and its binary with its size, how fast it starts and the glibc that
//! it asks for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use xshell::{Shell, cmd};

use super::links::lead_somewhere;
use super::version::says_version;
use crate::command;
use crate::dist::release::Release;
use crate::dist::target::GLIBC;

/// The largest binary, in bytes: of the upload, and of the tools with MongoDB and Parquet.
const MAX_SIZES: (u64, u64) = (20_000_000, 36_000_000);
/// How long `--version` takes, at most.
const MAX_START: Duration = Duration::from_millis(20);
/// How often it is measured: the fastest start counts, since other programs only slow it down.
const STARTS: usize = 20;

/// Unpacks the archive and checks what is in it.
pub(super) async fn check(sh: &Shell, release: &Release, folder: &Path) -> anyhow::Result<()> {
    let name = format!(
        "{}-{}-{}",
        release.tool, release.version, release.target.triple
    );
    let (archive, unpacked) = (folder.join(format!("{name}.tar.gz")), tempfile::tempdir()?);
    let into = unpacked.path();
    command::run(cmd!(sh, "tar -xzf {archive} -C {into}")).await?;
    let binary = into.join(&name).join(&release.tool);
    says_version(release, cmd!(sh, "{binary} --version")).await?;
    lead_somewhere(&sh.current_dir(), &release.tool, &into.join(&name))?;

    let size = std::fs::metadata(&binary)?.len();
    let max = match release.tool.as_str() {
        "lob-upload" => MAX_SIZES.0,
        _ => MAX_SIZES.1,
    };
    ensure!(
        size <= max,
        "`{}` has {size} bytes, more than {max}",
        release.tool
    );

    let mut fastest = Duration::MAX;
    for _ in 0..STARTS {
        let begin = Instant::now();
        command::output(cmd!(sh, "{binary} --version")).await?;
        fastest = fastest.min(begin.elapsed());
    }
    ensure!(
        fastest <= MAX_START,
        "`{} --version` took {fastest:?}",
        release.tool
    );

    let symbols = command::output(cmd!(sh, "objdump -T {binary}")).await?;
    let newest = symbols.split("GLIBC_").skip(1).filter_map(version).max();
    ensure!(newest.is_some(), "objdump shows no symbol of glibc");
    ensure!(
        newest <= Some(GLIBC),
        "`{}` needs glibc {newest:?}",
        release.tool
    );
    eprintln!(
        "{}: {size} bytes, starts in {fastest:?}, needs glibc {newest:?}",
        release.tool
    );
    Ok(())
}

/// The version at the start of `text`, such as `2.17)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let mut numbers = text[..end.unwrap_or(text.len())].split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
