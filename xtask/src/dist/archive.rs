//! The archive: a tool and all that belongs to it in one folder, for any system.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::contents::Contents;
use super::release::Release;

/// Gzip's word for a system that does not matter.
const NO_SYSTEM: u8 = 255;

/// Writes the archive into `folder`; returns its path.
pub(super) fn write(
    release: &Release,
    contents: &Contents,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let (tool, version, triple) = (&release.tool, release.version, &release.target.triple);
    let name = format!("{tool}-{version}-{triple}");
    let path = folder.join(format!("{name}.tar.gz"));
    let mut archive = Builder::new(Vec::new());
    for (file, mode, bytes) in files(release, contents) {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(release.time);
        let added = archive.append_data(&mut header, format!("{name}/{file}"), bytes);
        added.with_context(|| format!("`{file}` cannot be archived"))?;
    }
    let written = fs::write(&path, compressed(&archive.into_inner()?)?);
    written.with_context(|| format!("`{}` cannot be written", path.display()))?;
    Ok(path)
}

/// Each file with its path in the archive and its mode, in order.
fn files<'a>(release: &Release, contents: &'a Contents) -> Vec<(String, u32, &'a [u8])> {
    let binary = if release.target.is_windows() {
        format!("{}.exe", release.tool)
    } else {
        release.tool.clone()
    };
    let mut files = vec![
        (binary, 0o755, contents.binary.as_slice()),
        (
            "THIRD-PARTY.txt".to_owned(),
            0o644,
            contents.notices.as_bytes(),
        ),
    ];
    for document in contents.documents.all() {
        files.push((document.path.clone(), 0o644, document.text.as_bytes()));
    }
    for page in &contents.man_pages {
        files.push((format!("man/man1/{}", page.name), 0o644, &page.text));
    }
    for completions in &contents.completions {
        let name = format!(
            "completions/{}/{}",
            completions.shell, completions.script.name
        );
        files.push((name, 0o644, &completions.script.text));
    }
    files.sort();
    files
}

/// Gzip's form of `bytes`, always the same.
pub(super) fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let writer = GzBuilder::new().operating_system(NO_SYSTEM);
    let mut writer = writer.write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}
