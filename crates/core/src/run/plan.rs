//! The plan: the first object of a run, which claims its id.

use bytes::Bytes;
use jiff::ToSpan as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::probe::probe;
use super::published::is_committed;
use super::{OpenRun, PROGRESS_FOLDER, RunLocation};
use crate::failure::{ExitStatus, Failure};
use crate::interrupt::{Interrupt, leaving};
use crate::settings::{Prefix, RunId};
use crate::store::{EndpointCapabilities, RunStore, Store, StoreError, StoreErrorKind, WriteToken};

/// The version of the plan format.
const FORMAT_VERSION: u32 = 2;
/// How many generated ids, one per second, may already be taken.
const MAX_TAKEN: u32 = 60;
/// Size limit of a plan, when written and when read.
pub(super) const MAX_PLAN_BYTES: u64 = 256 << 20;

/// What a run is going to do, written before it does anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan<W> {
    /// The version of the format.
    pub format_version: u32,
    /// The tool that made the plan.
    pub tool: String,
    /// The version of that tool.
    pub tool_version: String,
    /// The id of the run.
    pub run_id: RunId,
    /// Marks every object of the run.
    pub write_token: WriteToken,
    /// When the plan was made.
    pub created: jiff::Timestamp,
    /// The part that depends on the tool.
    pub work: W,
}

/// A run that has a plan.
#[derive(Debug)]
pub struct FoundRun<W> {
    /// Its plan.
    pub plan: Plan<W>,
    /// The run, on an endpoint that has not been probed yet.
    pub run: OpenRun,
    /// Its manifest, if the run is committed.
    pub manifest: Option<Bytes>,
    bytes: Bytes,
}

impl<W: Serialize> Plan<W> {
    /// Writes the plan of a new run. Without a requested id, the id is the current time; a second
    /// that is taken is left to its owner. `multipart` says whether the run will have multipart
    /// uploads.
    ///
    /// # Errors
    /// Any error of the store; an interrupt. If a requested id already has a plan, the result is
    /// `None`.
    pub async fn create(
        store: Store,
        prefix: Prefix,
        requested: Option<RunId>,
        tool: &str,
        work: W,
        multipart: bool,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<(Self, OpenRun)>> {
        let started = jiff::Timestamp::now();
        let mut plan = Self {
            format_version: FORMAT_VERSION,
            tool: tool.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: requested.clone().unwrap_or_else(|| RunId::at(started)),
            write_token: WriteToken::random(),
            created: started,
            work,
        };
        for taken in 1..=MAX_TAKEN {
            let location = RunLocation::new(prefix.clone(), plan.run_id.clone());
            let key = location.plan_key();
            let bytes = Bytes::from(serde_json::to_vec(&plan)?);
            if bytes.len() as u64 > MAX_PLAN_BYTES {
                let size = bytes.len();
                let message = format!("the plan has {size} bytes, more than {MAX_PLAN_BYTES}");
                let hint = "split it into several runs of fewer files or collections";
                return Err(Failure::new(ExitStatus::Failed, message)
                    .with_hint(hint)
                    .into());
            }
            let store = store.clone().writing_as(plan.write_token.clone());
            let claiming = claim(&store, &key, &bytes);
            let id = &plan.run_id;
            match interrupt.or(claiming).await.map_err(|e| begun(e, id))? {
                Some(store) => {
                    let probing = probe(store, &key, &bytes, multipart, interrupt);
                    let store = probing.await.map_err(|error| begun(error, id))?;
                    let run = OpenRun {
                        store,
                        location,
                        started,
                    };
                    return Ok(Some((plan, run)));
                }
                None if requested.is_none() => {
                    plan.run_id = RunId::at(started + i64::from(taken).seconds());
                }
                None => return Ok(None),
            }
        }
        let message = format!("{MAX_TAKEN} runs started in the last {MAX_TAKEN} seconds");
        Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("choose a run id with --run-id")
            .into())
    }
}

/// Says how to resume after an interrupt once the run may have its plan.
pub fn begun(error: anyhow::Error, id: &RunId) -> anyhow::Error {
    leaving(
        error,
        format!("the same command with `--run-id {id}` resumes the run"),
    )
}

/// Writes a plan if there is none yet, with as much protection as the endpoint supports.
async fn claim(store: &RunStore, key: &str, plan: &Bytes) -> Result<Option<RunStore>, StoreError> {
    // Ask first, since a server that ignores conditions would overwrite an existing plan.
    if store.head(key).await?.is_some() {
        return Ok(None);
    }
    let mut first = None;
    for form in EndpointCapabilities::FORMS_OF_A_PUT {
        match claim_on(store.clone().on(form), key, plan).await {
            // A header may be to blame; if not, the first refusal is the one to report.
            Err(refused) if refused.kind.may_be_a_header() => {
                first.get_or_insert(refused);
            }
            claimed => return claimed,
        }
    }
    first.map_or(Ok(None), Err)
}

async fn claim_on(
    store: RunStore,
    key: &str,
    plan: &Bytes,
) -> Result<Option<RunStore>, StoreError> {
    match store.put_new(key, plan.clone()).await {
        Ok(_) => Ok(Some(store)),
        Err(error) if error.kind == StoreErrorKind::AlreadyExists => {
            // Without checksums, the store cannot tell what became of a lost reply; the token can.
            let there = store.head(key).await?.and_then(|info| info.token);
            Ok((there.as_ref() == Some(store.token())).then_some(store))
        }
        Err(error) => Err(error),
    }
}

impl<W: DeserializeOwned> FoundRun<W> {
    /// Finds the run at `location`; `None` if there is none yet.
    ///
    /// # Errors
    /// A plan that this version of `tool` cannot resume; a committed run without a plan; any error
    /// of the store.
    pub async fn find(
        store: &Store,
        location: RunLocation,
        tool: &str,
    ) -> anyhow::Result<Option<Self>> {
        let find = || Self::find_version(store, location.clone(), tool, FORMAT_VERSION);
        let mut found = find().await?;
        if found.is_none() && is_committed(store, &location).await? {
            // Another process may have begun and committed it in the meantime.
            found = find().await?;
            if found.is_none() {
                let message = format!(
                    "run `{}` is committed, but has no plan: the legacy scripts wrote it, or its \
                     folder `{PROGRESS_FOLDER}` was removed",
                    location.id()
                );
                return Err(Failure::new(ExitStatus::Failed, message)
                    .with_hint("use another --run-id")
                    .into());
            }
        }
        Ok(found)
    }

    /// Finds the run at `location`, if its plan has format version `oldest` or a later known one.
    pub(super) async fn find_version(
        store: &Store,
        location: RunLocation,
        tool: &str,
        oldest: u32,
    ) -> anyhow::Result<Option<Self>> {
        let key = location.plan_key();
        let bytes = match store.get_small(&key, MAX_PLAN_BYTES).await {
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let refused = |why: &str| {
            let message = format!("the plan `{}` {why}", store.url(&key));
            Failure::new(ExitStatus::Failed, message).with_hint("use another --run-id")
        };
        let head: PlanHead = serde_json::from_slice(&bytes)
            .map_err(|error| refused("cannot be read").caused_by(error))?;
        if !(oldest..=FORMAT_VERSION).contains(&head.format_version) {
            let version = head.format_version;
            let why = format!("has format version {version}, this tool needs {FORMAT_VERSION}");
            let hint = "start a new run with another --run-id";
            return Err(refused(&why).with_hint(hint).into());
        }
        if head.tool != tool {
            return Err(refused(&format!("belongs to {}", head.tool)).into());
        }
        let plan: Plan<W> = serde_json::from_slice(&bytes)
            .map_err(|error| refused("cannot be read").caused_by(error))?;
        if plan.run_id != *location.id() {
            return Err(refused(&format!("belongs to run `{}`", plan.run_id)).into());
        }
        let run = OpenRun {
            store: store.clone().writing_as(plan.write_token.clone()),
            location,
            started: plan.created,
        };
        let manifest = run.manifest().await?;
        Ok(Some(Self {
            plan,
            run,
            manifest,
            bytes,
        }))
    }

    /// Resumes the run, after probing what the endpoint can do.
    ///
    /// # Errors
    /// Any error of the store.
    pub async fn resume(
        self,
        multipart: bool,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(Plan<W>, OpenRun)> {
        let Self {
            plan, run, bytes, ..
        } = self;
        let key = run.location.plan_key();
        let probing = probe(run.store, &key, &bytes, multipart, interrupt);
        let id = run.location.id();
        let store = probing.await.map_err(|error| begun(error, id))?;
        Ok((plan, OpenRun { store, ..run }))
    }
}

/// What every version of a plan contains.
#[derive(Deserialize)]
struct PlanHead {
    format_version: u32,
    tool: String,
}
