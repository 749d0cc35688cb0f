//! How a failed command is reported: `error:`, each cause once, and what to do about it.

use std::error::Error;
use std::io;

use serde_json::{Value, json};

use crate::failure::{ExitStatus, Failure};
use crate::settings::Origins;
use crate::store::StoreError;
use crate::text::redact;

/// The lines for stderr. Hints are ours and contain no secrets; they are not masked, so that a
/// command in them can be typed back.
pub(crate) fn lines(error: &anyhow::Error, origins: &Origins) -> Vec<String> {
    let mut lines = told(error, origins);
    lines.extend(hints(error).iter().map(|hint| format!("hint: {hint}")));
    lines
}

/// The lines without the hints, with secrets masked.
fn told(error: &anyhow::Error, origins: &Origins) -> Vec<String> {
    let mut last = error.to_string();
    let mut lines = vec![format!("error: {last}")];
    lines.extend(details(error.as_ref(), origins));
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Many libraries repeat their source in their own text.
        if text.is_empty() || last.contains(&text) {
            continue;
        }
        lines.push(format!("  Caused by: {text}"));
        lines.extend(details(cause, origins));
        last = text;
    }
    lines.iter().map(|line| redact(line)).collect()
}

/// The same for machines: the message with its causes and details, the hint, the exit status, and
/// whether the same command may succeed with nothing changed.
pub(crate) fn json(error: &anyhow::Error, origins: &Origins) -> Value {
    let lines = told(error, origins);
    let told = lines
        .iter()
        .map(|line| line.trim_start_matches("error: ").trim());
    let hints = hints(error);
    of(
        &told.collect::<Vec<_>>().join("\n"),
        (!hints.is_empty()).then(|| hints.join("; ")),
        ExitStatus::of(error),
        Failure::retry_helps(error),
    )
}

/// Wrong usage in the form of [`json()`]. `usage` is already masked.
pub(crate) fn usage_json(usage: &str) -> Value {
    let lines = usage.lines().map(str::trim);
    let (tips, told): (Vec<_>, Vec<_>) = lines
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with("tip: "));
    let message = told.join(" ");
    let message = message.trim_start_matches("error: ");
    let hint = tips.iter().map(|tip| tip.trim_start_matches("tip: "));
    let hint = hint.collect::<Vec<_>>().join("; ");
    let hint = Some(hint).filter(|hint| !hint.is_empty());
    of(message, hint, ExitStatus::Usage, Some(false))
}

fn of(error: &str, hint: Option<String>, status: ExitStatus, retry_helps: Option<bool>) -> Value {
    json!({
        "error": error,
        "hint": hint,
        "exit_status": status as u8,
        "retry_helps": retry_helps,
    })
}

/// What the message is about, and where the values that it rejects came from.
fn details(error: &(dyn Error + 'static), origins: &Origins) -> Vec<String> {
    let told = if let Some(failure) = error.downcast_ref::<Failure>() {
        let details = failure.details().iter().cloned();
        details.chain(origins.told(failure.settings())).collect()
    } else if let Some(store) = error.downcast_ref::<StoreError>() {
        origins.told(store.settings())
    } else {
        Vec::new()
    };
    told.iter().map(|detail| format!("    {detail}")).collect()
}

fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut hints = Vec::new();
    for cause in error.chain() {
        let hint = if let Some(failure) = cause.downcast_ref::<Failure>() {
            failure.hint.clone()
        } else if let Some(store) = cause.downcast_ref::<StoreError>() {
            store.hint()
        } else {
            let system = cause.downcast_ref::<io::Error>();
            system.and_then(about_the_machine).map(str::to_owned)
        };
        if let Some(hint) = hint
            && !hints.contains(&hint)
        {
            hints.push(hint);
        }
    }
    hints
}

/// What to do when the process may open no more files and connections.
pub const MORE_OPEN_FILES: &str = "raise the limit of open files: `ulimit -n`";

/// What to do about a limit of the machine, for which the file that ran into it is not to blame.
fn about_the_machine(error: &io::Error) -> Option<&'static str> {
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];
    match error.kind() {
        io::ErrorKind::StorageFull => Some("free space on that disk"),
        io::ErrorKind::QuotaExceeded => Some("free space on that disk to get below its quota"),
        io::ErrorKind::ReadOnlyFilesystem => Some("that disk is read-only: choose another folder"),
        _ => {
            let code = error.raw_os_error()?;
            let is_of_files = TOO_MANY_OPEN_FILES.contains(&code);
            is_of_files.then_some(MORE_OPEN_FILES)
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;
    use crate::store::StoreErrorKind;
    use crate::text::remember;

    #[test]
    fn a_machine_limit_is_named_instead_of_blaming_the_file() {
        for (code, part) in [(24, "ulimit -n"), (28, "free space"), (122, "quota")] {
            let error = io::Error::from_raw_os_error(code);
            let error = Err::<(), _>(error).context("`a` is not sent").unwrap_err();
            let told = lines(&error, &Origins::default()).concat();
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn each_cause_is_printed_once_hints_come_last_and_secrets_are_masked() {
        remember("pa55word!");
        let io = io::Error::other("refused for pa55word!");
        let failure =
            Failure::usage("no server at `h`: refused for pa55word!").with_hint("start it");
        let error = Err::<(), _>(failure.caused_by(io))
            .context("failed to export")
            .unwrap_err();
        assert_eq!(
            lines(&error, &Origins::default()),
            [
                "error: failed to export",
                "  Caused by: no server at `h`: refused for ***",
                "hint: start it",
            ]
        );
    }

    #[test]
    fn a_failure_in_json_has_its_status_and_says_whether_a_retry_helps() {
        remember("pa55word?");
        let failure = Failure::usage("no server at `h`: refused for pa55word?")
            .with_hint("start it")
            .with_details(vec!["`a`".to_owned()]);
        let error = anyhow::Error::from(failure).context("failed to export");
        let told = json!({
            "error": "failed to export\nCaused by: no server at `h`: refused for ***\n`a`",
            "hint": "start it",
            "exit_status": 2,
            "retry_helps": false,
        });
        assert_eq!(json(&error, &Origins::default()), told);
        let stopped = Failure::new(ExitStatus::Interrupted, "interrupted");
        let told = json!({
            "error": "interrupted", "hint": null, "exit_status": 130, "retry_helps": true,
        });
        assert_eq!(json(&stopped.into(), &Origins::default()), told);
        let helps = |kind| {
            let error = StoreError::new(kind, "PutObject", "s3://b/k", "no").into();
            json(&error, &Origins::default())["retry_helps"].clone()
        };
        assert_eq!(helps(StoreErrorKind::Throttled), json!(true));
        // Someone has to grant it first.
        assert_eq!(helps(StoreErrorKind::AccessDenied), json!(null));
    }

    #[test]
    fn details_of_a_message_are_printed_on_their_own_lines() {
        let about = |what: &str| Failure::integrity(what).with_details(vec!["`a`".to_owned()]);
        let error = anyhow::Error::from(about("outer").caused_by(about("inner")));
        assert_eq!(
            lines(&error, &Origins::default()),
            ["error: outer", "    `a`", "  Caused by: inner", "    `a`"]
        );
    }
}
