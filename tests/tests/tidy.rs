//! The rules of this code base that no compiler knows: who may depend on whom, which names stand
//! where, how long a file may be, and that each promise has a test.
//!
//! They are tests, so that `cargo xtask test` finds a breach before anyone else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Lines of a file outside its tests.
const MAX_LINES: usize = 500;
/// Lines of a tool's `main.rs`.
const MAX_MAIN_LINES: usize = 20;
const TOOLS: [&str; 3] = ["upload", "export", "import"];
const SHIPPED: [&str; 6] = ["core", "columns", "mongo", "upload", "export", "import"];

/// A file that is or could be committed.
struct SourceFile {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// Lines before the tests at its bottom.
    fn code_lines(&self) -> usize {
        let mut lines = self.text.lines();
        lines
            .position(|line| line == "#[cfg(test)]")
            .unwrap_or(self.text.lines().count())
    }

    /// Whether it is in the `src` of the crate in folder `name`.
    fn is_of(&self, name: &str) -> bool {
        self.path.starts_with(&format!("crates/{name}/src/"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All text files that git tracks or would take.
fn files() -> Vec<SourceFile> {
    let mut git = Command::new("git");
    git.current_dir(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]);
    let listed = git.output().expect("git lists the files");
    assert!(
        listed.status.success(),
        "`git ls-files` failed: this is no clone"
    );
    let paths = String::from_utf8(listed.stdout).unwrap();
    let paths = paths.split_terminator('\0');
    // A file may be gone and not yet committed as such, or hold no text.
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    let files = paths.filter_map(|path| {
        let path = path.to_owned();
        read(&path).map(|text| SourceFile { path, text })
    });
    files.collect()
}

/// Fails with one line for each breach.
fn none(rule: &str, breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<_> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "{rule}\n  {}", breaches.join("\n  "));
}

/// The members that each member of the workspace ships with, directly or not, and their other
/// direct dependencies.
fn shipped_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(root()).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let metadata: Value = serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let mut all = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        let names = shipped.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        let name = package["name"].as_str().unwrap().to_owned();
        all.insert(name, names.collect::<BTreeSet<_>>());
    }
    // One round for each link of the longest possible chain.
    for _ in 0..all.len() {
        let direct = all.clone();
        for names in all.values_mut() {
            let next = names.iter().filter_map(|name| direct.get(name)).flatten();
            let next: Vec<_> = next.cloned().collect();
            names.extend(next);
        }
    }
    all
}

#[test]
fn the_core_knows_no_other_member() {
    let dependencies = &shipped_dependencies()["lob-core"];
    let members = dependencies.iter().filter(|name| name.starts_with("lob-"));
    none("lob-core depends on no member:", members.cloned());
}

#[test]
fn tools_never_depend_on_each_other() {
    let all = shipped_dependencies();
    let pairs = TOOLS
        .iter()
        .flat_map(|tool| TOOLS.iter().map(move |other| (tool, other)));
    let breaches =
        pairs.filter(|(tool, other)| all[&format!("lob-{tool}")].contains(&format!("lob-{other}")));
    let breaches = breaches.map(|(tool, other)| format!("lob-{tool} on lob-{other}"));
    none("a tool depends on another:", breaches);
}

#[test]
fn the_upload_ships_without_mongodb_and_columns() {
    let dependencies = &shipped_dependencies()["lob-upload"];
    let unwanted = ["mongodb", "bson", "lob-mongo", "lob-columns"].into_iter();
    let breaches = unwanted.filter(|name| dependencies.contains(*name));
    none("lob-upload ships with:", breaches.map(str::to_owned));
}

#[test]
fn what_is_for_tests_never_ships() {
    let all = shipped_dependencies();
    let breaches = SHIPPED.iter().filter(|name| {
        let dependencies = &all[&format!("lob-{name}")];
        ["lob-testkit", "lob-tests", "xtask"]
            .iter()
            .any(|test| dependencies.contains(*test))
    });
    none(
        "a test crate ships with:",
        breaches.map(|name| (*name).to_owned()),
    );
}

/// The packages that a build of these members takes, each with its features.
fn features(selection: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(root());
    cargo.args(["tree", "--offline", "--prefix=none", "--format={p} {f}"]);
    let tree = cargo.args(selection).output().unwrap();
    assert!(tree.status.success(), "{tree:?}");
    let lines = String::from_utf8(tree.stdout).unwrap();
    let lines = lines.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_build_has_the_same_features() {
    let all = features(&["--workspace"]);
    let without_tests = "--edges=normal,build";
    let builds: [&[&str]; 4] = [
        &[without_tests],
        &["--workspace", without_tests],
        &["--package=xtask", without_tests],
        &["--package=lob-tests", "--package=lob-mongo"],
    ];
    let breaches = builds.into_iter().flat_map(|build| {
        let other = features(build)
            .difference(&all)
            .cloned()
            .collect::<Vec<_>>();
        other
            .into_iter()
            .map(|package| format!("`cargo tree {}`: {package}", build.join(" ")))
    });
    none(
        "a dependency is compiled twice; state its other features in the root and in lob-core:",
        breaches,
    );
}

#[test]
fn each_library_is_named_in_one_place() {
    let allowed: [(&str, &[&str]); 4] = [
        ("aws_sdk_s3", &["crates/core/src/store"]),
        ("mongodb::", &["crates/mongo/src/"]),
        (
            "polars_arrow",
            &["crates/columns/src/", "crates/upload/src/footer"],
        ),
        (
            "polars_parquet",
            &["crates/columns/src/", "crates/upload/src/footer"],
        ),
    ];
    let files = files();
    let shipped = files
        .iter()
        .filter(|file| SHIPPED.iter().any(|name| file.is_of(name)));
    let breaches = shipped.flat_map(|file| {
        let breached = allowed.iter().filter(|(name, places)| {
            file.text.contains(name) && !places.iter().any(|place| file.path.starts_with(place))
        });
        breached.map(|(name, _)| format!("{}: {name}", file.path))
    });
    none("a library is named outside its place:", breaches);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let files = files().into_iter().filter(|file| file.is_rust());
    let breaches = files.filter(|file| !file.text.starts_with("//! "));
    none("no module doc in line 1:", breaches.map(|file| file.path));
}

#[test]
fn no_file_is_too_long() {
    let files = files()
        .into_iter()
        .filter(|file| file.is_rust() && !file.is_test());
    let breaches = files.filter(|file| {
        let main = TOOLS
            .iter()
            .any(|tool| file.path == format!("crates/{tool}/src/main.rs"));
        file.code_lines() > if main { MAX_MAIN_LINES } else { MAX_LINES }
    });
    let breaches = breaches.map(|file| format!("{}: {} lines", file.path, file.code_lines()));
    none("too long:", breaches);
}

#[test]
fn no_file_name_says_nothing() {
    let vague = [
        "mod.rs",
        "utils.rs",
        "util.rs",
        "types.rs",
        "helpers.rs",
        "common.rs",
        "misc.rs",
    ];
    let named = |file: &SourceFile| file.path.rsplit('/').next().map(str::to_owned);
    let breaches = files()
        .into_iter()
        .filter(|file| named(file).is_some_and(|name| vague.contains(&name.as_str())));
    none("a name without a meaning:", breaches.map(|file| file.path));
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file does not breach its own rule.
    let stubs = [
        concat!("to", "do!"),
        concat!("unimpl", "emented!"),
        concat!("db", "g!("),
        concat!("#[", "ignore"),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
    ];
    let files = files();
    let breaches = files
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| {
            let lines = (1..).zip(file.text.lines());
            let breaches = lines.filter(|(_, line)| stubs.iter().any(|stub| line.contains(stub)));
            breaches.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
        });
    none("left for later:", breaches);
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    let folders = ["work", "tmp", "root", "home"].map(|name| format!("/{name}"));
    let files = files();
    let lines = files
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| {
            let lines = (1..).zip(file.text.lines());
            lines.map(move |(number, line)| (&file.path, number, line))
        });
    let breaches = lines.filter(|(_, _, line)| folders.iter().any(|folder| is_path(line, folder)));
    let breaches = breaches.map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()));
    none("a machine's path:", breaches);
}

/// Whether an absolute path in `line` begins with `folder`.
fn is_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-./}*~".contains(c));
        let rest = &line[at + folder.len()..];
        begins && !rest.starts_with(|c: char| c.is_alphanumeric() || "_-".contains(c))
    })
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let manifests = files()
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    let breaches = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true\n"));
    none(
        "no `[lints] workspace = true`:",
        breaches.map(|file| file.path),
    );
}

#[test]
fn every_promise_names_tests_that_exist() {
    let promises = fs::read_to_string(root().join("docs/SEMANTICS.md")).expect("the promises");
    let files: Vec<_> = files().into_iter().filter(SourceFile::is_rust).collect();
    let exists = |test: &str| {
        let head = format!("fn {test}(");
        files.iter().any(|file| file.text.contains(&head))
    };
    let mut breaches = Vec::new();
    let mut expected = 1;
    for item in numbered(&promises) {
        let number = item.split('.').next().unwrap();
        if number != expected.to_string() {
            breaches.push(format!("promise {expected} is missing before {number}"));
        }
        expected = number.parse::<u32>().unwrap() + 1;
        let tests = item.split_once("Held by:").map(|(_, tests)| quoted(tests));
        let tests = tests.unwrap_or_default();
        if tests.is_empty() {
            breaches.push(format!("promise {number} names no test"));
        }
        let missing = tests.iter().filter(|test| !exists(test));
        breaches.extend(missing.map(|test| format!("promise {number}: there is no `{test}`")));
    }
    assert!(expected > 1, "no promise in docs/SEMANTICS.md");
    none("docs/SEMANTICS.md:", breaches);
}

#[test]
fn the_script_that_is_shown_is_the_one_that_is_run() {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let script = fs::read_to_string(root().join("docs/slurm/export.sbatch")).unwrap();
    assert!(page.contains(&format!("```bash\n{script}```\n")));
}

/// The items of the form `1. …` with the lines that follow until the next item, heading or rule.
fn numbered(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let number = line.split_once(". ").map(|(number, _)| number);
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            items.push(String::new());
            inside = true;
        } else if line.starts_with('#') {
            inside = false;
        }
        if let Some(item) = items.last_mut().filter(|_| inside) {
            item.push_str(line);
            item.push('\n');
        }
    }
    items
}

/// The names in backticks, without the path in front.
fn quoted(text: &str) -> Vec<&str> {
    let names = text.split('`').skip(1).step_by(2);
    names
        .map(|name| name.rsplit("::").next().unwrap_or(name))
        .collect()
}

/// The texts between quotes in Rust code, with lines that go on put together.
fn literals(code: &str) -> Vec<String> {
    let lines = code.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.starts_with("//"));
    // Neither an escaped quote nor the end of a line that goes on ends a text.
    let code = lines.collect::<Vec<_>>().join("\n");
    let code = code.replace("\\\"", "'").replace("\\\n", "");
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_hint_that_names_a_command_is_followed_by_a_test() {
    let files = files();
    let tests = files.iter().filter(|file| file.is_rust() && file.is_test());
    let followed: Vec<_> = tests
        .flat_map(|file| {
            let calls = file.text.split("follow").skip(1);
            let calls = calls.filter(|call| call.starts_with('(') || call.starts_with("ed("));
            calls.filter_map(|call| literals(call.split(';').next()?).pop())
        })
        .collect();
    let names_a_command = |text: &String| {
        let is_command = text.contains("same command") || text.contains("`lob-");
        is_command && !text.contains("would fail again")
    };
    let mut breaches = Vec::new();
    let shipped = |file: &&SourceFile| {
        let is_shipped = SHIPPED.iter().any(|name| file.is_of(name));
        is_shipped && file.is_rust() && !file.is_test()
    };
    for file in files.iter().filter(shipped) {
        let code: Vec<_> = file.text.lines().take(file.code_lines()).collect();
        let texts = literals(&code.join("\n")).into_iter();
        let hints = texts.filter(names_a_command);
        let untested = hints.filter(|hint| !followed.iter().any(|text| hint.contains(text)));
        breaches.extend(untested.map(|hint| format!("{}: {hint}", file.path)));
    }
    none(
        "a hint that names a command is followed by a test:",
        breaches,
    );
}
