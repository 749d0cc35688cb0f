//! The run that a verb such as `verify` is about: its operand, or `--run-id` as for any other
//! command.

use clap::Args;

use super::run_id::RunId;
use crate::failure::Failure;

/// The operand of such a verb.
#[derive(Debug, Clone, Args)]
pub struct RunArg {
    /// Name of the run; --run-id names it too
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
}

impl RunArg {
    /// The operand, or else the setting `run_id`, which was `typed` if it comes from a flag.
    ///
    /// # Errors
    /// No run is named, or two are typed.
    pub fn named(&self, typed: Option<&RunId>, setting: Option<&RunId>) -> Result<RunId, Failure> {
        match (&self.run, typed) {
            (Some(run), Some(typed)) if run != typed => Err(Failure::usage(format!(
                "two runs are named, `{run}` and `{typed}`"
            ))
            .with_hint("name one of them")),
            (Some(run), _) => Ok(run.clone()),
            (None, _) => setting.cloned().ok_or_else(|| {
                Failure::usage("no run is named")
                    .with_hint("name it after the command, or with --run-id")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_names_the_run_and_so_does_the_setting() {
        let id = |text: &str| text.parse::<RunId>().unwrap();
        let (a, b) = (id("a"), id("b"));
        let operand = RunArg {
            run: Some(a.clone()),
        };
        let none = RunArg { run: None };
        assert_eq!(operand.named(None, Some(&b)).unwrap(), a);
        assert_eq!(operand.named(Some(&a), Some(&a)).unwrap(), a);
        assert_eq!(none.named(None, Some(&b)).unwrap(), b);
        assert_eq!(none.named(Some(&b), Some(&b)).unwrap(), b);
        for refused in [operand.named(Some(&b), Some(&b)), none.named(None, None)] {
            assert!(refused.unwrap_err().to_string().contains("named"));
        }
    }
}
