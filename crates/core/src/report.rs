//! How a failed command is told: `error:`, each cause once, and what to do about it.

use std::fmt::Write as _;

use crate::failure::Failure;
use crate::redact::redact;
use crate::store::StoreError;

/// The text for stderr, without secrets.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many libraries repeat their source in their own text.
        if cause.is_empty() || last.contains(&cause) {
            continue;
        }
        let _ = writeln!(text, "  Caused by: {}", cause.replace('\n', "\n    "));
        last = cause;
    }
    for hint in hints(error) {
        let _ = writeln!(text, "hint: {hint}");
    }
    redact(&text)
}

fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut hints = Vec::new();
    for cause in error.chain() {
        let hint = match (
            cause.downcast_ref::<Failure>(),
            cause.downcast_ref::<StoreError>(),
        ) {
            (Some(failure), _) => failure.hint.clone(),
            (_, Some(store)) => store.hint(),
            _ => None,
        };
        if let Some(hint) = hint
            && !hints.contains(&hint)
        {
            hints.push(hint);
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;
    use crate::redact::remember;

    #[test]
    fn causes_are_told_once_hints_last_and_secrets_never() {
        remember("pa55word!");
        let io = std::io::Error::other("refused for pa55word!");
        let failure =
            Failure::usage("no server at `h`: refused for pa55word!").with_hint("start it");
        let error = Err::<(), _>(failure.caused_by(io))
            .context("failed to export")
            .unwrap_err();
        assert_eq!(
            render(&error),
            "error: failed to export\n  \
             Caused by: no server at `h`: refused for ***\n\
             hint: start it\n"
        );
    }
}
