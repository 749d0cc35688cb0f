//! Imports between the files of a crate run one way: there are no import cycles.
//!
//! A name that a module re-exports with `pub use` counts as belonging to the file that defines it.
//! Methods are not followed, so an `impl` may be spread over several files.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{SHIPPED, SourceFile, files, none};

/// A path from the crate root, to a module or to an item in one.
type Path = Vec<String>;

/// The files of a crate by module.
#[derive(Default)]
struct Modules {
    /// The tokens of the code, without comments and tests.
    code: BTreeMap<Path, Vec<String>>,
    /// Where the names that a module re-exports come from.
    handed_on: BTreeMap<(Path, String), Path>,
}

/// What a file imports.
struct Import {
    path: Path,
    /// Its name in the importing file.
    name: String,
    is_handed_on: bool,
}

impl Modules {
    /// From files and their paths below `src`.
    fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut modules = Self::default();
        for (path, text) in files {
            let module = match path.trim_end_matches(".rs") {
                "lib" | "main" => Path::new(),
                path => path.split('/').map(str::to_owned).collect(),
            };
            modules.code.entry(module).or_default().extend(tokens(text));
        }
        for (module, code) in &modules.code {
            let handed_on = imports(code).into_iter().filter(|found| found.is_handed_on);
            for import in handed_on {
                if let Some(path) = modules.absolute(module, &import.path) {
                    let name = (module.clone(), import.name);
                    modules.handed_on.insert(name, path);
                }
            }
        }
        modules
    }

    /// Resolves a path, as written in `module`, from the crate root; `None` for other crates and
    /// for the module's own items.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Path> {
        let parents = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first()?.as_str() {
            "crate" => (&[][..], &path[1..]),
            "self" => (module, &path[1..]),
            "super" => (
                &module[..module.len().checked_sub(parents)?],
                &path[parents..],
            ),
            child => {
                let child = [module, &[child.to_owned()]].concat();
                self.code.contains_key(&child).then_some((module, path))?
            }
        };
        let rest = rest.iter().filter(|part| *part != "self").cloned();
        Some(base.iter().cloned().chain(rest).collect())
    }

    /// The module whose file defines the item at `path`.
    fn owner(&self, path: &[String]) -> Path {
        let is_module = |len: &usize| self.code.contains_key(&path[..*len]);
        let len = (0..=path.len()).take_while(is_module).last().unwrap_or(0);
        let (module, rest) = path.split_at(len);
        let origin = rest
            .first()
            .and_then(|name| self.handed_on.get(&(module.to_vec(), name.clone())));
        match origin {
            Some(origin) => self.owner(&[origin, &rest[1..]].concat()),
            None => module.to_vec(),
        }
    }

    /// Maps each module to those it imports from.
    fn arrows(&self) -> BTreeMap<Path, BTreeSet<Path>> {
        let of = |(module, code): (&Path, &Vec<String>)| {
            let taken = imports(code)
                .into_iter()
                .filter(|found| !found.is_handed_on);
            let paths = taken.filter_map(|import| self.absolute(module, &import.path));
            let owners = paths.map(|path| self.owner(&path));
            (
                module.clone(),
                owners.filter(|owner| owner != module).collect(),
            )
        };
        self.code.iter().map(of).collect()
    }

    /// The imports between modules of a cycle, one per line.
    fn circles(&self) -> Vec<String> {
        let arrows = self.arrows();
        let from = |start: &Path| {
            let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
            while let Some(module) = open.pop() {
                for next in &arrows[module] {
                    if reached.insert(next) {
                        open.push(next);
                    }
                }
            }
            reached
        };
        let reached: BTreeMap<_, _> = arrows.keys().map(|module| (module, from(module))).collect();
        let all = arrows
            .iter()
            .flat_map(|(a, to)| to.iter().map(move |b| (a, b)));
        all.filter(|(a, b)| reached[b].contains(a))
            .map(|(a, b)| format!("{} -> {}", a.join("::"), b.join("::")))
            .collect()
    }
}

/// Words and signs; `::` is one sign.
fn tokens(text: &str) -> Vec<String> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let code = lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut tokens: Vec<String> = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut last = ' ';
    for c in code.chars() {
        match tokens.last_mut() {
            _ if c.is_whitespace() => {}
            Some(token) if is_word(c) && is_word(last) || c == ':' && token == ":" => token.push(c),
            _ => tokens.push(c.to_string()),
        }
        last = c;
    }
    tokens
}

/// What a file imports with `use`, or names by path in its code.
fn imports(code: &[String]) -> Vec<Import> {
    let (mut imports, mut at) = (Vec::new(), 0);
    while at < code.len() {
        if code[at] == "use" {
            let is_handed_on = at > 0 && ["pub", ")"].contains(&code[at - 1].as_str());
            at += 1;
            tree(code, &mut at, &[], is_handed_on, &mut imports);
        } else if code.get(at + 1).is_some_and(|next| next == "::") {
            let mut path = vec![code[at].clone()];
            while code.get(at + 1).is_some_and(|next| next == "::") {
                path.extend(code.get(at + 2).cloned());
                at += 2;
            }
            imports.push(Import {
                name: String::new(),
                path,
                is_handed_on: false,
            });
        }
        at += 1;
    }
    imports
}

/// Reads a `use` tree from `at` to the sign that ends it.
fn tree(
    code: &[String],
    at: &mut usize,
    prefix: &[String],
    is_handed_on: bool,
    found: &mut Vec<Import>,
) {
    let (mut path, mut name) = (prefix.to_vec(), None);
    while let Some(token) = code.get(*at) {
        match token.as_str() {
            "," | "}" | ";" => break,
            "::" => {}
            "as" => {
                *at += 1;
                name = code.get(*at).cloned();
            }
            "{" => {
                while code
                    .get(*at)
                    .is_some_and(|token| token == "{" || token == ",")
                {
                    *at += 1;
                    tree(code, at, &path, is_handed_on, found);
                }
                *at += 1;
                return;
            }
            part => path.push(part.to_owned()),
        }
        *at += 1;
    }
    if path.len() > prefix.len() {
        let last = path.iter().rfind(|part| *part != "self").cloned();
        found.push(Import {
            name: name.or(last).unwrap_or_default(),
            path,
            is_handed_on,
        });
    }
}

#[test]
fn import_cycles_are_found_through_re_exports() {
    let circles = |files: &[(&str, &str)]| Modules::of(files.iter().copied()).circles();
    let root = ("lib.rs", "mod a;\nmod d;\n");
    let facade = (
        "a.rs",
        "mod b;\nmod c;\npub use b::B;\npub(crate) use c::{C as D};\n",
    );
    let down = ("a/b.rs", "use super::{D};\nstruct B;\n");
    assert!(circles(&[root, facade, down, ("a/c.rs", "struct C;")]).is_empty());
    let up = ("a/c.rs", "fn c() { crate::a::B::new(); } // super::D\n");
    let expected = ["a::b -> a::c", "a::c -> a::b"];
    assert_eq!(circles(&[root, facade, down, up]), expected);
    let tested = ("a/c.rs", "struct C;\n#[cfg(test)]\nuse super::B;\n");
    assert!(circles(&[root, facade, down, tested]).is_empty());
    let parent = ("d.rs", "mod e;\nfn d() { e::e() }\n");
    assert_eq!(
        circles(&[root, parent, ("d/e.rs", "use super::d;\n")]).len(),
        2
    );
}

#[test]
fn no_files_import_each_other() {
    let files = files();
    let mut breaches = Vec::new();
    let crates = SHIPPED.iter().chain(&["testkit"]);
    let folders = crates.map(|name| format!("crates/{name}/src/"));
    for folder in folders.chain(["xtask/src/".to_owned()]) {
        let below = |file: &'_ SourceFile| file.path.strip_prefix(&folder).map(str::to_owned);
        let of_crate: Vec<_> = files
            .iter()
            .filter(|file| file.is_rust())
            .filter_map(|file| Some((below(file)?, file.text.as_str())))
            .collect();
        let of_crate = of_crate.iter().map(|(path, text)| (path.as_str(), *text));
        let circles = Modules::of(of_crate).circles();
        breaches.extend(
            circles
                .into_iter()
                .map(|arrow| format!("{folder}: {arrow}")),
        );
    }
    none("files import each other:", breaches);
}
