//! Settings from four layers: flag over environment variable over `lob.toml` over default, each
//! value with its origin.
//!
//! A tool defines one struct with all its settings. Its serialised defaults define which keys exist
//! and of which kind, so that a text from the environment is parsed as the right kind and an
//! unknown key is noticed. A setting is a text, a number, a boolean, a list of texts or a table of
//! texts.

mod bucket;
mod byte_size;
mod common_args;
mod endpoint_url;
mod file;
mod keys;
mod memory;
mod named_run;
mod objects;
mod old_names;
mod origin;
mod parts;
mod percent;
mod run_id;
mod s3;
mod split_selection;
mod toml;
mod typed;
mod value;

pub use self::byte_size::ByteSize;
pub(crate) use self::endpoint_url::{EndpointUrl, InvalidEndpointUrl, is_loopback};
pub use self::memory::{BASE_MEMORY, MemoryArgs, MemoryShare, warn_of_need};
pub use self::named_run::RunArg;
pub(crate) use self::objects::{Encryption, fits_a_header};
pub use self::objects::{ObjectArgs, ObjectSettings};
pub(crate) use self::old_names::flags as old_flags;
pub(crate) use self::parts::{FIRST_IN_FLIGHT, PART_SIZE_RANGE};
pub use self::parts::{
    MAX_OBJECT_BYTES, MAX_PARTS, PART_SIZE, PartArgs, PartLimits, PartSettings, at_pace,
};
pub use self::percent::Percent;
pub use self::run_id::{Prefix, RunId};
pub(crate) use self::s3::PathStyle;
pub use self::s3::{S3Args, S3Settings};
pub use self::split_selection::SplitSelection;

pub use common_args::{CommonArgs, is_of};
pub(crate) use common_args::{LogFormat, ProgressForm};
pub use origin::{Origins, SettingOrigin};
pub use typed::{duration, optional_number, whole};

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};
use figment::{Error, Profile, Provider as _};
use serde::{Serialize, de::DeserializeOwned};

use self::value::NOT_SET;
use crate::failure::Failure;
use crate::text::bare;

/// The settings file that is read if it exists in the working directory.
const DEFAULT_FILE: &str = "lob.toml";

/// Names that other tools use for the same thing, weakest first; `LOB_` names take precedence.
const STANDARD_VARIABLES: [(&str, &str); 7] = [
    ("AWS_DEFAULT_REGION", "region"),
    ("AWS_REGION", "region"),
    ("AWS_PROFILE", "profile"),
    ("AWS_CA_BUNDLE", "ca_bundle"),
    ("AWS_ENDPOINT_URL", "endpoint_url"),
    ("AWS_ENDPOINT_URL_S3", "endpoint_url"),
    ("MONGODB_URI", "mongodb_uri"),
];

/// Settings and where each of them came from.
#[derive(Debug, Clone)]
pub struct Resolved<S> {
    /// The settings.
    pub settings: S,
    /// One line per setting.
    pub origins: Vec<SettingOrigin>,
}

/// Where to look for settings.
#[derive(Debug)]
pub struct Sources<'a, A> {
    /// The tool's short name: its section in the file and part of its environment variables.
    pub tool: &'a str,
    /// Variables of other tools that count here too, with the keys that they set; weaker than the
    /// tool's own.
    pub borrowed: &'a [(&'a str, &'a str)],
    /// The flags, by the names of their settings; those that were not typed are nothing, false or
    /// empty.
    pub flags: &'a A,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The file, if one is named.
    pub file: Option<&'a Path>,
}

/// Resolves settings over `defaults`.
///
/// # Errors
/// A file that is missing or not TOML, an unknown key or section in it, or a value of the wrong
/// kind for its setting. A variable `LOB_…` that no tool knows only causes a warning.
pub fn resolve<S, A>(defaults: &S, sources: &Sources<'_, A>) -> Result<Resolved<S>, Failure>
where
    S: Serialize + DeserializeOwned,
    A: Serialize,
{
    let invalid = |error: Box<Error>| Failure::usage(format!("invalid setting: {error}"));
    let defaults = dict(defaults).map_err(invalid)?;
    warn_of_variables(sources.environment);
    let mut layers = vec![Layer::new("default", defaults.clone())];
    layers.extend(file_layers(sources.file, sources.tool, &defaults)?);
    layers.extend(environment_layers(sources, &defaults)?);
    for (key, value) in dict(sources.flags).map_err(invalid)? {
        if is_typed(&value) && defaults.contains_key(&key) {
            let flag = format!("flag `--{}`", key.replace('_', "-"));
            layers.push(Layer::new(flag, Dict::from([(key, value)])));
        }
    }
    // A value hides weaker ones as a whole, even lists and tables, so each has a single origin.
    let (mut values, mut origins) = (Dict::new(), BTreeMap::new());
    for layer in layers {
        for (key, value) in layer.values {
            origins.insert(key.clone(), layer.name.clone());
            values.insert(key, value);
        }
    }
    let settings: S = Value::from(values.clone()).deserialize().map_err(|error| {
        let key = culprit::<S>(&values, &defaults).unwrap_or_default();
        let origin = origins.get(&key).cloned().unwrap_or_default();
        Failure::usage(format!(
            "invalid setting `{key}`, from {origin}: {}",
            value::refusal(&error.kind)
        ))
    })?;
    let shown = dict(&settings).map_err(invalid)?.into_iter();
    let origins = shown.map(|(key, value)| {
        let origin = origins.get(&key).cloned().unwrap_or_default();
        SettingOrigin::new(key, &value, origin)
    });
    Ok(Resolved {
        origins: origins.collect(),
        settings,
    })
}

/// The defaults that are a value, each as it would be written in an environment variable. A flag
/// that takes no value has none.
pub(crate) fn default_texts(defaults: &impl Serialize) -> BTreeMap<String, String> {
    let defaults = dict(defaults).unwrap_or_default().into_iter();
    let values = defaults.filter(|(_, value)| !matches!(value, Value::Bool(..)));
    let texts = values.map(|(key, value)| (key, value::shown(&value)));
    texts.filter(|(_, text)| text != NOT_SET).collect()
}

/// Whether a flag was typed. One that was not is serialised as nothing, false or empty.
fn is_typed(flag: &Value) -> bool {
    match flag {
        Value::Empty(..) | Value::Bool(_, false) => false,
        Value::Array(_, items) => !items.is_empty(),
        Value::Dict(_, table) => !table.is_empty(),
        _ => true,
    }
}

/// The setting that cannot be read. Settings grouped by `#[serde(flatten)]` lose the name of the
/// failing one, so each is tried alone.
fn culprit<S: DeserializeOwned>(values: &Dict, defaults: &Dict) -> Option<String> {
    let found = values.iter().find(|(key, value)| {
        let mut alone = defaults.clone();
        alone.insert((*key).clone(), (*value).clone());
        Value::from(alone).deserialize::<S>().is_err()
    });
    found.map(|(key, _)| key.clone())
}

/// One named source of values.
struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    fn new(name: impl Into<String>, values: Dict) -> Self {
        Self {
            name: name.into(),
            values,
        }
    }
}

fn dict(values: &impl Serialize) -> Result<Dict, Box<Error>> {
    Ok(Value::serialize(values)?.into_dict().unwrap_or_default())
}

/// The top level of the file, which all tools share, and above it the section of this tool.
fn file_layers(file: Option<&Path>, tool: &str, known: &Dict) -> Result<Vec<Layer>, Failure> {
    let Some((name, text)) = file::read(file, Path::new(DEFAULT_FILE))? else {
        return Ok(Vec::new());
    };
    let mut shared = Toml::string(&text)
        .data()
        .map_err(|error| {
            let error = without_excerpt(&error.kind.to_string());
            Failure::usage(format!("settings {name} cannot be read: {error}"))
        })?
        .remove(&Profile::Default)
        .unwrap_or_default();
    check_file(&name, &shared)?;
    let own = shared.remove(tool).and_then(Value::into_dict);
    let (mut own, section) = (
        own.unwrap_or_default(),
        format!("{name}, section `[{tool}]`"),
    );
    old_names::rename_shared(&mut shared, tool);
    old_names::rename(&mut own, tool, &section)?;
    // Anything else at the top level may belong to another tool.
    shared.retain(|key, _| known.contains_key(key));
    Ok(vec![Layer::new(name, shared), Layer::new(section, own)])
}

/// Everything in the file must be the key of a tool, or a section with keys of its tool: a mistyped
/// key would be ignored, and the tool would do something nobody asked for.
fn check_file(name: &str, file: &Dict) -> Result<(), Failure> {
    let unknown = |path: &str, hint: String| {
        Failure::usage(format!("settings {name} has the unknown key `{path}`")).with_hint(hint)
    };
    for (key, value) in file {
        let Some(keys) = keys::of_tool(key) else {
            if !keys::all().contains(key.as_str()) && !old_names::is_known(key, None) {
                return Err(unknown(key, keys::hint(key, None)));
            }
            continue;
        };
        let Value::Dict(_, section) = value else {
            let message = format!("`{key}` in settings {name} is a section: write `[{key}]`");
            return Err(Failure::usage(message));
        };
        let is_known = |own: &str| keys.contains(own) || old_names::is_known(own, Some(key));
        let mistyped = section.keys().find(|own| !is_known(own));
        if let Some(own) = mistyped {
            return Err(unknown(&format!("{key}.{own}"), keys::hint(own, Some(key))));
        }
    }
    Ok(())
}

/// Whether this environment variable sets something here or in the SDK.
pub(crate) fn is_variable(name: &str) -> bool {
    let is_standard = |(known, _): &(&str, &str)| *known == name;
    name.starts_with("AWS_")
        || STANDARD_VARIABLES.iter().any(is_standard)
        || keys::variables().contains(name)
        || old_names::is_variable(name)
}

/// Warns of variables that look like settings but are not. Kubernetes derives some from the names
/// of services, so they are not an error.
fn warn_of_variables(environment: &BTreeMap<String, String>) {
    let known = keys::variables();
    let ours = environment.keys().filter(|name| name.starts_with("LOB_"));
    for name in ours.filter(|name| !known.contains(*name) && !old_names::is_variable(name)) {
        tracing::warn!(
            "environment variable `{name}` {}",
            keys::about_variable(name)
        );
    }
}

/// The text of a TOML error without the lines that it quotes from the file, which may contain a
/// password.
fn without_excerpt(error: &str) -> String {
    let is_excerpt = |line: &&str| {
        let number = |c: char| c == ' ' || c.is_ascii_digit();
        line.trim_start_matches(number).starts_with('|')
    };
    let told: Vec<_> = error.lines().filter(|line| !is_excerpt(line)).collect();
    told.join(": ")
}

/// Weakest first: other tools' names for the same setting, ours, borrowed ones, the tool's own.
fn environment_layers<A>(sources: &Sources<'_, A>, known: &Dict) -> Result<Vec<Layer>, Failure> {
    let own = format!("LOB_{}_", sources.tool.to_uppercase());
    let others = STANDARD_VARIABLES.iter().map(owned).collect();
    let borrowed = sources.borrowed.iter().map(owned).collect();
    let variables = [
        others,
        prefixed(SHARED_PREFIX, sources, known)?,
        borrowed,
        prefixed(&own, sources, known)?,
    ];
    let variables = variables.into_iter().flatten();
    let layers = variables
        .filter(|(_, key)| known.contains_key(key))
        .filter_map(|(variable, key)| {
            let value = value::of_kind(known.get(&key), set(sources, &variable)?);
            let name = format!("environment variable `{variable}`");
            Some(Layer::new(name, Dict::from([(key, value)])))
        });
    Ok(layers.collect())
}

fn owned(&(variable, key): &(&str, &str)) -> (String, String) {
    (variable.to_owned(), key.to_owned())
}

/// How the variables begin that all tools read.
const SHARED_PREFIX: &str = "LOB_";

/// The text of a variable, if it is set and not empty. A file of variables, such as that of `docker
/// run --env-file`, keeps the quotes and the white space around a value.
fn set<'a, A>(sources: &Sources<'a, A>, variable: &str) -> Option<&'a str> {
    let text = bare(sources.environment.get(variable)?);
    (!text.is_empty()).then_some(text)
}

/// The variables that begin with `prefix`, including those with old names, and the keys that they
/// set.
fn prefixed<A>(
    prefix: &str,
    sources: &Sources<'_, A>,
    known: &Dict,
) -> Result<Vec<(String, String)>, Failure> {
    let variable = |key: &str| keys::variable(prefix, key);
    let mut variables: Vec<_> = known
        .keys()
        .map(|key| (variable(key), key.clone()))
        .collect();
    for (old, new) in old_names::of_tool(sources.tool) {
        let (old, of_today) = (variable(old), variable(new));
        if set(sources, &old).is_some() && set(sources, &of_today).is_some() {
            if prefix != SHARED_PREFIX {
                let names = format!("environment variables `{of_today}` and `{old}`");
                return Err(old_names::both(&names, &old));
            }
            // The new name may be meant for another tool.
            variables.retain(|(name, _)| *name != of_today);
        }
        variables.push((old, new.to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use crate::settings::byte_size::ByteSize;

    use super::*;
    use crate::settings::parts::PartSettings;
    use crate::settings::s3::{S3Args, S3Settings};
    use crate::text::Secret;

    #[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
    struct Settings {
        #[serde(flatten)]
        s3: S3Settings,
        #[serde(flatten)]
        parts: PartSettings,
        password: Secret,
        replace: bool,
        include: Vec<String>,
        metadata: BTreeMap<String, String>,
    }

    #[derive(Default, Serialize)]
    struct Flags {
        #[serde(flatten)]
        s3: S3Args,
        include: Vec<String>,
    }

    fn resolve_with(
        flags: &Flags,
        environment: &[(&str, &str)],
        file: &str,
    ) -> Result<Resolved<Settings>, Failure> {
        let defaults = Settings {
            s3: S3Settings::defaults("lob-data"),
            parts: PartSettings::default(),
            password: Secret::default(),
            replace: true,
            include: Vec::new(),
            metadata: BTreeMap::new(),
        };
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let environment = environment.iter().map(own).collect();
        let sources = Sources {
            tool: "upload",
            borrowed: &[("LOB_LENDER_REGION", "region")],
            flags,
            environment: &environment,
            file: Some(path.path()),
        };
        resolve(&defaults, &sources)
    }

    fn origin(resolved: &Resolved<Settings>, key: &str) -> String {
        let found = resolved.origins.iter().find(|o| o.key == key).unwrap();
        format!(
            "{} <- {}",
            found.text,
            found.origin.split('`').next().unwrap().trim()
        )
    }

    #[test]
    fn flag_wins_over_environment_over_file_over_default() {
        let mut flags = Flags::default();
        flags.s3.bucket = Some("typed".into());
        let environment = [
            ("LOB_BUCKET", "exported"),
            ("LOB_PART_SIZE", "16MiB"),
            ("AWS_REGION", "eu-west-1"),
            ("LOB_LENDER_REGION", "eu-west-2"),
            ("LOB_PARTS_IN_FLIGHT", "3"),
            ("LOB_REPLACE", "false"),
            ("LOB_PREFIX", "1234"),
            ("LOB_UPLOAD_PREFIX", "2025"),
        ];
        let file = "bucket = 'written'\nregion = 'us-west-2'\n[upload]\nattempt_timeout = '1m'\n\
                    [export]\nprefix = 'other'\n";
        let resolved = resolve_with(&flags, &environment, file).unwrap();
        let settings = &resolved.settings;
        assert_eq!(settings.s3.bucket().unwrap(), "typed");
        assert_eq!(settings.parts.part_size, Some(ByteSize::mib(16)));
        assert_eq!(settings.parts.parts_in_flight, NonZeroUsize::new(3));
        assert_eq!(settings.s3.attempt_timeout, Duration::from_secs(60));
        assert_eq!(settings.s3.prefix, "2025");
        assert!(!settings.replace);
        assert_eq!(origin(&resolved, "bucket"), "typed <- flag");
        assert_eq!(
            origin(&resolved, "region"),
            "eu-west-2 <- environment variable"
        );
        assert_eq!(origin(&resolved, "attempt_timeout"), "1m <- file");
        assert_eq!(origin(&resolved, "connect_timeout"), "30s <- default");
        assert_eq!(origin(&resolved, "profile"), "(not set) <- default");
    }

    #[test]
    fn an_invalid_value_or_unknown_key_is_refused_by_name() {
        let flags = Flags::default();
        let wrong = resolve_with(&flags, &[("LOB_PARTS_IN_FLIGHT", "many")], "").unwrap_err();
        assert!(wrong.to_string().contains("parts_in_flight"), "{wrong}");
        let unknown = resolve_with(&flags, &[], "[upload]\npart_sise = '8MiB'\n").unwrap_err();
        assert!(
            unknown.to_string().contains("upload.part_sise"),
            "{unknown}"
        );
        assert!(resolve_with(&flags, &[], "not toml").is_err());
    }

    #[test]
    fn a_typo_in_a_file_is_refused_with_the_name_that_was_meant() {
        for (file, path, hint) in [
            (
                "[imprt]\nno_replace = true\n",
                "`imprt`",
                "did you mean `import`?",
            ),
            ("buckt = 'lob'\n", "`buckt`", "did you mean `bucket`?"),
            (
                "[import]\nno_repalce = true\n",
                "`import.no_repalce`",
                "did you mean `no_replace`?",
            ),
            (
                "[export]\nsource_dir = 'd'\n",
                "`export.source_dir`",
                "did you mean `source_dir` in `[upload]`?",
            ),
            (
                "[upload]\nmongodb_ur = 'u'\n",
                "`upload.mongodb_ur`",
                "did you mean `mongodb_uri` in `[export]` or `[import]`?",
            ),
            ("json = true\n", "`json`", "use the flag `--json`"),
            (
                "[import]\ndry_run = true\n",
                "`import.dry_run`",
                "use the flag `--dry-run`",
            ),
            ("[upload.parts]\nsize = 1\n", "`upload.parts`", "remove it"),
            ("import = true\n", "`import`", "`[import]`"),
        ] {
            let refused = resolve_with(&Flags::default(), &[], file).unwrap_err();
            let told = format!("{refused} {}", refused.hint.clone().unwrap_or_default());
            assert!(told.contains(path) && told.contains(hint), "{file}: {told}");
        }
        // Keys of other tools are fine.
        resolve_with(&Flags::default(), &[], "jobs = 3\n[export]\nranges = 7\n").unwrap();
    }

    #[test]
    fn the_password_of_an_endpoint_is_never_shown() {
        let url = "http://user:opensesame@h:9000";
        let mut typed = Flags::default();
        typed.s3.endpoint_url = Some(url.to_owned());
        let (none, file) = (Flags::default(), format!("endpoint_url = '{url}'\n"));
        for (flags, environment, file) in [
            (&typed, vec![], ""),
            (&none, vec![("AWS_ENDPOINT_URL", url)], ""),
            (&none, vec![], &file),
        ] {
            let refused = resolve_with(flags, &environment, file).unwrap_err();
            let told = refused.to_string();
            assert!(told.contains("cannot hold a user and password"), "{told}");
            assert!(!told.contains("opensesame"), "{told}");
        }
    }

    #[test]
    fn quotes_and_white_space_that_a_file_of_variables_leaves_around_a_value_are_dropped() {
        let environment = [("LOB_REGION", "\"eu-west-2\" "), ("LOB_PROFILE", " ")];
        let resolved = resolve_with(&Flags::default(), &environment, "").unwrap();
        assert_eq!(
            origin(&resolved, "region"),
            "eu-west-2 <- environment variable"
        );
        assert_eq!(origin(&resolved, "profile"), "(not set) <- default");
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = [("LOB_PASSWORD", "opensesame")];
        let resolved = resolve_with(&Flags::default(), &secret, "").unwrap();
        assert_eq!(resolved.settings.password.expose(), "opensesame");
        assert_eq!(origin(&resolved, "password"), "*** <- environment variable");
    }

    #[test]
    fn lists_and_tables_can_come_from_any_layer_and_replace_weaker_ones() {
        let file = "include = ['a*', 'b*']\nmetadata = { team = 'x', desk = 'y' }\n";
        let resolved = resolve_with(&Flags::default(), &[], file).unwrap();
        assert_eq!(resolved.settings.include, ["a*", "b*"]);
        assert_eq!(origin(&resolved, "include"), "a*,b* <- file");
        assert_eq!(origin(&resolved, "metadata"), "desk=y,team=x <- file");

        let environment = [("LOB_INCLUDE", "{c,d}*, e*"), ("LOB_METADATA", "team=z")];
        let resolved = resolve_with(&Flags::default(), &environment, file).unwrap();
        assert_eq!(resolved.settings.include, ["{c,d}*", "e*"]);
        let shown = "team=z <- environment variable";
        assert_eq!(origin(&resolved, "metadata"), shown);

        let flags = Flags {
            include: vec!["f,g".into()],
            ..Flags::default()
        };
        let resolved = resolve_with(&flags, &environment, file).unwrap();
        assert_eq!(resolved.settings.include, ["f,g"]);
        let resolved = resolve_with(&Flags::default(), &[], "").unwrap();
        assert_eq!(origin(&resolved, "include"), "(not set) <- default");
        assert_eq!(origin(&resolved, "metadata"), "(not set) <- default");
    }

    #[test]
    fn an_invalid_value_is_refused_with_what_to_write_instead() {
        for (file, told) in [
            (
                "parts_in_flight = 'many'",
                "a whole number of at least 1, not `many`",
            ),
            (
                "parts_in_flight = 0",
                "a whole number of at least 1, not `0`",
            ),
            ("include = 'a*'", "a list of strings, not `a*`"),
            ("metadata = []", "a table of `NAME=VALUE`"),
            ("prefix = 1", "a string, not `1`"),
            (
                "attempt_timeout = 'soon'",
                "a duration such as 30s, 5m or 1h 30m, not `soon`",
            ),
            ("part_size = true", "a size such as 8MiB, 500KB or 1048576"),
            (
                "path_style = 'host'",
                "one of `auto`, `path`, `virtual`, not `host`",
            ),
        ] {
            let refused = resolve_with(&Flags::default(), &[], file).unwrap_err();
            let refused = refused.to_string();
            assert!(
                refused.ends_with(&format!(": expected {told}")),
                "{refused}"
            );
        }
        let exported = [("LOB_REPLACE", "maybe")];
        let refused = resolve_with(&Flags::default(), &exported, "").unwrap_err();
        let told = ": expected true or false, not `maybe`";
        assert!(refused.to_string().ends_with(told), "{refused}");
        let own = "[upload]\nprefix = 1";
        let refused = resolve_with(&Flags::default(), &[], own).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("`, section `[upload]`: expected"),
            "{refused}"
        );
    }

    #[test]
    fn a_malformed_list_or_table_is_refused_by_name_and_origin() {
        let refused = |environment: &[(&str, &str)], file: &str| {
            let refused = resolve_with(&Flags::default(), environment, file);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            refused(&[("LOB_METADATA", "team=x,desk")], ""),
            "invalid setting `metadata`, from environment variable `LOB_METADATA`: expected a \
             table of `NAME=VALUE`, not `team=x,desk`"
        );
        for file in ["include = 'a*'", "include = [1]", "metadata = { a = 1 }"] {
            let key = file.split(' ').next().unwrap();
            let found = refused(&[], file);
            assert!(
                found.starts_with(&format!("invalid setting `{key}`, from file")),
                "{found}"
            );
        }
    }
}
