//! What `cleanup` does in every tool: finds the named run, and lists or aborts the multipart uploads
//! that it left open in the bucket, where they take up space and cost money unseen.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Context, Outcome};
use crate::run::{FoundRun, OpenRun, RunLocation, abort_uploads};
use crate::settings::{RunId, S3Settings};
use crate::store::{OpenUpload, Sending, Store};

/// An upload that a run left open.
#[derive(Debug, Serialize)]
pub struct Leftover<D = ()> {
    /// The key of its object.
    pub key: String,
    /// The upload.
    #[serde(flatten)]
    pub upload: OpenUpload,
    /// What the tool says of it besides.
    #[serde(flatten)]
    pub details: D,
}

/// A run that was looked at, and what it left open.
#[derive(Debug)]
pub struct Cleanup<D = ()> {
    /// The run.
    pub run: OpenRun,
    /// Whether it is committed.
    pub is_committed: bool,
    /// What it left open.
    pub leftovers: Vec<Leftover<D>>,
    /// Whether that was aborted.
    pub aborted: bool,
}

impl<D: Serialize> Cleanup<D> {
    /// Finds the run `id` of `tool`, and what `look` finds of it with the plan; aborts that if `yes`
    /// is set.
    ///
    /// # Errors
    /// The run has no plan, or the store fails.
    pub async fn of<W: DeserializeOwned>(
        id: RunId,
        yes: bool,
        s3: &S3Settings,
        tool: &str,
        context: &Context,
        look: impl AsyncFnOnce(&OpenRun, &W) -> anyhow::Result<Vec<Leftover<D>>>,
    ) -> anyhow::Result<Self> {
        context.step(format!("looking for open uploads of run `{id}`"));
        let connecting = Store::connect(s3, Sending::default(), &context.metrics);
        let store = context.interrupt.or(connecting).await?;
        let location = RunLocation::new(s3.runs_folder()?, id);
        let finding = FoundRun::<W>::find_planned(&store, location, tool);
        let found = context.interrupt.or(finding).await?;
        let looking = look(&found.run, &found.plan.work);
        let leftovers = context.interrupt.or(looking).await?;
        if yes {
            let uploads = leftovers.iter().map(|l| (l.key.as_str(), &l.upload.id));
            abort_uploads(&store, uploads, &context.interrupt).await?;
        }
        Ok(Self {
            is_committed: found.manifest.is_some(),
            run: found.run,
            leftovers,
            aborted: yes,
        })
    }

    /// One line per upload: its object, what `about` says of it, and since when it is open.
    pub fn lines(&self, about: impl Fn(&D) -> String) -> Vec<String> {
        let line = |leftover: &Leftover<D>| {
            let (url, about) = (self.run.store.url(&leftover.key), about(&leftover.details));
            let since = match leftover.upload.initiated {
                Some(time) => time.to_string(),
                None => "an unknown time".to_owned(),
            };
            format!("{url}  {about}open since {since}")
        };
        self.leftovers.iter().map(line).collect()
    }

    /// What was done, or the answer if nothing was.
    pub fn outcome(&self, lines: Vec<String>) -> Outcome {
        let json = json!({
            "run_id": self.run.location.id(),
            "committed": self.is_committed,
            "aborted": self.aborted,
            "uploads": self.leftovers,
        });
        match self.aborted {
            true => Outcome::step(lines, json),
            false => Outcome::answer(lines, json),
        }
    }
}
