//! Settings from four layers: flag over environment variable over `lob.toml` over default, each
//! value with its origin.
//!
//! A tool defines one struct of all its settings. Its serialised defaults tell which keys there are
//! and of which kind, so a text from the environment is read as the right kind and a key that
//! nobody knows is noticed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};
use serde::{Serialize, de::DeserializeOwned};

use crate::failure::Failure;

/// The settings file that is read where it exists in the working directory.
pub const DEFAULT_FILE: &str = "lob.toml";

/// Names that other tools use for the same thing, weakest first; `LOB_` names win over them.
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
    /// One line a setting.
    pub origins: Vec<SettingOrigin>,
}

/// The value of one setting as text, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingOrigin {
    /// The key, as in `lob.toml`.
    pub key: String,
    /// The value; `***` for a secret.
    pub value: String,
    /// Such as ``flag `--bucket` `` or `default`.
    pub origin: String,
}

/// Where settings are looked for.
#[derive(Debug)]
pub struct Sources<'a, A> {
    /// The tool's short name: its section in the file and part of its environment variables.
    pub tool: &'a str,
    /// Variables of other tools that count here as well, and the keys that they set: weaker than
    /// the tool's own.
    pub borrowed: &'a [(&'a str, &'a str)],
    /// What was typed: only the flags that were given are serialised.
    pub flags: &'a A,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The file, where one is named.
    pub file: Option<&'a Path>,
}

/// Resolves settings over `defaults`.
///
/// # Errors
/// A file that is missing or is not TOML, an unknown key in the tool's section of it, a value that
/// is not of its setting's kind.
pub fn resolve<S, A>(defaults: &S, sources: &Sources<'_, A>) -> Result<Resolved<S>, Failure>
where
    S: Serialize + DeserializeOwned,
    A: Serialize,
{
    let invalid = |error: Box<Error>| Failure::usage(format!("invalid setting: {error}"));
    let defaults = dict(defaults).map_err(invalid)?;
    let mut figment = Figment::from(Layer::new("default", defaults.clone()));
    for layer in file_layers(sources.file, sources.tool, &defaults)? {
        figment = figment.merge(layer);
    }
    for layer in environment_layers(sources, &defaults) {
        figment = figment.merge(layer);
    }
    for (key, value) in dict(sources.flags).map_err(invalid)? {
        if defaults.contains_key(&key) {
            let flag = format!("flag `--{}`", key.replace('_', "-"));
            figment = figment.merge(Layer::new(flag, Dict::from([(key, value)])));
        }
    }
    let settings: S = figment.extract().map_err(|error| {
        let (key, origin) = culprit::<S>(&figment, &defaults).unwrap_or_default();
        Failure::usage(format!(
            "invalid setting `{key}`, from {origin}: {}",
            error.kind
        ))
    })?;
    let origins = dict(&settings)
        .map_err(invalid)?
        .into_iter()
        .map(|(key, value)| {
            let origin = figment
                .find_metadata(&key)
                .map_or("default", |m| &m.name)
                .to_owned();
            SettingOrigin {
                value: text(&value),
                origin,
                key,
            }
        })
        .collect();
    Ok(Resolved { settings, origins })
}

/// The setting that cannot be read, and its origin. Settings that are grouped by
/// `#[serde(flatten)]` lose the name of the failing one, so each is tried alone.
fn culprit<S: DeserializeOwned>(figment: &Figment, defaults: &Dict) -> Option<(String, String)> {
    defaults.keys().find_map(|key| {
        let value = figment.find_value(key).ok()?;
        let alone = Layer::new("", Dict::from([(key.clone(), value)]));
        let tried = Figment::from(Layer::new("", defaults.clone())).merge(alone);
        tried.extract::<S>().is_err().then(|| {
            let origin = figment
                .find_metadata(key)
                .map_or("default", |metadata| &metadata.name);
            (key.clone(), origin.to_owned())
        })
    })
}

/// One named source of some values.
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

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn dict(values: &impl Serialize) -> Result<Dict, Box<Error>> {
    Ok(Value::serialize(values)?.into_dict().unwrap_or_default())
}

/// The file's top level, which all tools share, below the tool's own section.
fn file_layers(file: Option<&Path>, tool: &str, known: &Dict) -> Result<Vec<Layer>, Failure> {
    let path = match file {
        Some(path) => path.to_owned(),
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(Vec::new()),
    };
    let name = format!("file `{}`", path.display());
    if !path.is_file() {
        return Err(Failure::usage(format!("settings {name} does not exist")));
    }
    let mut shared = Toml::file_exact(&path)
        .data()
        .map_err(|error| {
            let error = without_excerpt(&error.kind.to_string());
            Failure::usage(format!("settings {name} cannot be read: {error}"))
        })?
        .remove(&Profile::Default)
        .unwrap_or_default();
    let own = shared
        .remove(tool)
        .and_then(Value::into_dict)
        .unwrap_or_default();
    if let Some(key) = own.keys().find(|key| !known.contains_key(*key)) {
        return Err(
            Failure::usage(format!("settings {name} has no setting `{tool}.{key}`"))
                .with_hint("leave it out; docs/CONFIGURATION.md lists the settings that there are"),
        );
    }
    // What is left at the top level may belong to another tool.
    shared.retain(|key, _| known.contains_key(key));
    Ok(vec![
        Layer::new(name.clone(), shared),
        Layer::new(name, own),
    ])
}

/// The text of a TOML error without the lines of the file that it quotes: a password may be there.
fn without_excerpt(error: &str) -> String {
    let is_excerpt = |line: &&str| {
        let number = |c: char| c == ' ' || c.is_ascii_digit();
        line.trim_start_matches(number).starts_with('|')
    };
    let told: Vec<_> = error.lines().filter(|line| !is_excerpt(line)).collect();
    told.join(": ")
}

/// Weakest first: other tools' names for the same thing, ours, borrowed ones, the tool's own.
fn environment_layers<A>(sources: &Sources<'_, A>, known: &Dict) -> Vec<Layer> {
    let owned = |&(variable, key): &(&str, &str)| (variable.to_owned(), key.to_owned());
    let prefixed = |prefix: String| {
        let variable = move |key: &String| format!("{prefix}{}", key.to_uppercase());
        known.keys().map(move |key| (variable(key), key.clone()))
    };
    STANDARD_VARIABLES
        .iter()
        .map(owned)
        .chain(prefixed("LOB_".to_owned()))
        .chain(sources.borrowed.iter().map(owned))
        .chain(prefixed(format!("LOB_{}_", sources.tool.to_uppercase())))
        .filter(|(_, key)| known.contains_key(key))
        .filter_map(|(variable, key)| {
            let text = sources.environment.get(&variable);
            let value = of_kind(known.get(&key), text.filter(|text| !text.is_empty())?);
            let name = format!("environment variable `{variable}`");
            Some(Layer::new(name, Dict::from([(key, value)])))
        })
        .collect()
}

/// `text` as the kind of value that the default is; the settings' own types check the rest.
fn of_kind(default: Option<&Value>, text: &str) -> Value {
    let number = || text.parse::<u64>().ok().map(Value::from);
    let boolean = || match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(Value::from(true)),
        "false" | "0" | "no" | "off" => Some(Value::from(false)),
        _ => None,
    };
    match default {
        Some(Value::Num(..)) => number(),
        Some(Value::Bool(..)) => boolean(),
        _ => None,
    }
    .unwrap_or_else(|| Value::from(text))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Empty(..) => "(not set)".to_owned(),
        Value::Bool(_, value) => value.to_string(),
        value => value
            .to_u128()
            .map(|number| number.to_string())
            .unwrap_or_else(|| format!("{value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::byte_size::ByteSize;

    use super::*;
    use crate::part_settings::PartSettings;
    use crate::redact::Secret;
    use crate::s3_settings::{S3Args, S3Settings};

    #[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
    struct Settings {
        #[serde(flatten)]
        s3: S3Settings,
        #[serde(flatten)]
        parts: PartSettings,
        password: Secret,
        replace: bool,
    }

    fn resolve_with(
        flags: &S3Args,
        environment: &[(&str, &str)],
        file: &str,
    ) -> Result<Resolved<Settings>, Failure> {
        let defaults = Settings {
            s3: S3Settings::defaults("lob-data"),
            parts: PartSettings::defaults(),
            password: Secret::default(),
            replace: true,
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
            found.value,
            found.origin.split('`').next().unwrap().trim()
        )
    }

    #[test]
    fn flag_wins_over_environment_over_file_over_default() {
        let flags = S3Args {
            bucket: Some("typed".into()),
            ..S3Args::default()
        };
        let environment = [
            ("LOB_BUCKET", "exported"),
            ("LOB_PART_SIZE", "16MiB"),
            ("AWS_REGION", "eu-west-1"),
            ("LOB_LENDER_REGION", "eu-west-2"),
            ("LOB_MAX_ATTEMPTS", "3"),
            ("LOB_REPLACE", "false"),
            ("LOB_PREFIX", "1234"),
            ("LOB_UPLOAD_PREFIX", "2025"),
        ];
        let file = "bucket = 'written'\nregion = 'us-west-2'\n[upload]\nattempt_timeout = '1m'\n\
                    [export]\nprefix = 'other'\n";
        let resolved = resolve_with(&flags, &environment, file).unwrap();
        let settings = &resolved.settings;
        assert_eq!(settings.s3.bucket, "typed");
        assert_eq!(settings.parts.part_size, ByteSize::mib(16));
        assert_eq!(settings.s3.max_attempts, 3);
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
    fn a_wrong_value_or_an_unknown_key_is_refused_by_name() {
        let flags = S3Args::default();
        let wrong = resolve_with(&flags, &[("LOB_MAX_ATTEMPTS", "many")], "").unwrap_err();
        assert!(wrong.to_string().contains("max_attempts"), "{wrong}");
        let unknown = resolve_with(&flags, &[], "[upload]\npart_sise = '8MiB'\n").unwrap_err();
        assert!(
            unknown.to_string().contains("upload.part_sise"),
            "{unknown}"
        );
        assert!(resolve_with(&flags, &[], "not toml").is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = [("LOB_PASSWORD", "opensesame")];
        let resolved = resolve_with(&S3Args::default(), &secret, "").unwrap();
        assert_eq!(resolved.settings.password.expose(), "opensesame");
        assert_eq!(origin(&resolved, "password"), "*** <- environment variable");
    }
}
