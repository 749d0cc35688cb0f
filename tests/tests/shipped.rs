//! What every binary carries with it, however it was built.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lob_tests::servers::{Gates, Servers};

const TOOLS: [&str; 3] = ["lob-upload", "lob-export", "lob-import"];

/// What `--version` prints with this environment and no other, on stdout and stderr.
async fn version(tool: &str, environment: &[(&str, &str)]) -> (String, String) {
    let servers = Servers::doubles(Gates::default()).await;
    let mut command = servers.tool(tool, &["--version"]);
    let command = command.env_clear().envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_version_names_the_target() {
    for tool in TOOLS {
        let (version, _) = version(tool, &[]).await;
        let start = format!("{tool} {} (", env!("CARGO_PKG_VERSION"));
        let build = version.strip_prefix(&start).unwrap();
        assert!(build.contains(std::env::consts::ARCH), "{version}");
        assert!(build.contains(std::env::consts::OS), "{version}");
    }
}

#[cfg(not(windows))]
#[tokio::test]
async fn the_settings_of_the_allocator_are_part_of_the_binary() {
    for tool in TOOLS {
        let tell = [("_RJEM_MALLOC_CONF", "stats_print:true")];
        let (_, told) = version(tool, &tell).await;
        for setting in [
            "opt.narenas: 1\n",
            "opt.dirty_decay_ms: 1000 ",
            "opt.oversize_threshold: 1073741824\n",
        ] {
            assert!(told.contains(setting), "{tool} has no {setting}: {told}");
        }
    }
}
