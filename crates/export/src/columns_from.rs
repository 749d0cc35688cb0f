//! The setting that says whose columns an export reuses.

use std::fmt;
use std::str::FromStr;

use lob_core::failure::Failure;
use lob_core::settings::RunId;

/// The run whose columns are reused; written as `latest`, `none` or a run's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnsFrom {
    /// The last committed run of the same database and collection.
    Latest,
    /// No run: today's sample alone determines the columns.
    None,
    /// This run, committed or not.
    Run(RunId),
}

impl ColumnsFrom {
    /// Refuses a name for a new run that would have another meaning in this setting.
    ///
    /// # Errors
    /// The name is a word of this setting.
    pub(crate) fn check_name(run: &RunId) -> Result<(), Failure> {
        let name = run.to_string();
        if !matches!(name.parse(), Ok(Self::Latest | Self::None)) {
            return Ok(());
        }
        let message = format!("`{name}` cannot be a run id: it is a keyword of --columns-from");
        Err(Failure::usage(message)
            .about(&["run_id"])
            .with_hint("use another --run-id"))
    }
}

impl FromStr for ColumnsFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            _ => text
                .parse()
                .map(Self::Run)
                .map_err(|_| format!("`{text}` is neither `latest` nor `none` nor a run id")),
        }
    }
}

impl fmt::Display for ColumnsFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::None => f.write_str("none"),
            Self::Run(id) => id.fmt(f),
        }
    }
}

lob_core::serialize_as_text!(ColumnsFrom);

#[cfg(test)]
mod tests {
    use lob_core::failure::ExitStatus;

    use super::*;

    #[test]
    fn columns_from_is_latest_none_or_a_run() {
        let parse = |text: &str| text.parse::<ColumnsFrom>();
        assert_eq!(parse("latest"), Ok(ColumnsFrom::Latest));
        assert_eq!(parse("none"), Ok(ColumnsFrom::None));
        for text in ["latest", "none", "20251115_220000"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert!(parse("a/b").is_err());
    }

    #[test]
    fn a_run_cannot_be_named_latest_or_none() {
        let check = |name: &str| ColumnsFrom::check_name(&name.parse().unwrap());
        for word in ["latest", "none"] {
            let refused = check(word).unwrap_err();
            assert_eq!(refused.status, ExitStatus::Usage);
            assert!(refused.to_string().contains(word), "{refused}");
        }
        assert!(check("latest-1").is_ok());
    }
}
