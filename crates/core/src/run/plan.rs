//! The plan: the first object of a run, which claims its id.

use bytes::Bytes;
use jiff::ToSpan as _;
use serde::{Deserialize, Serialize};

use super::{OpenRun, Prefix, RunId, RunLocation};
use crate::failure::{ExitStatus, Failure};
use crate::store::{Store, StoreErrorKind, WriteToken};

/// The version of the plan's form.
const FORMAT_VERSION: u32 = 1;
/// Generated ids that may be taken already, one for each second.
const MAX_TAKEN: u32 = 60;

/// What a run will do, as it is written before it does anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan<W> {
    /// The version of this form.
    pub format_version: u32,
    /// The tool that made the plan.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// The run.
    pub run_id: RunId,
    /// Marks every object of the run.
    pub write_token: WriteToken,
    /// When the plan was made.
    pub created: jiff::Timestamp,
    /// The tool's own part.
    pub work: W,
}

impl<W: Serialize> Plan<W> {
    /// Writes the plan of a new run. Without a requested id the time gives one; a second that is
    /// taken is left to its owner.
    ///
    /// # Errors
    /// A requested id that has a plan already; the store's.
    pub async fn open(
        store: Store,
        prefix: Prefix,
        requested: Option<RunId>,
        tool: &str,
        work: W,
    ) -> anyhow::Result<(Self, OpenRun)> {
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
            let bytes = Bytes::from(serde_json::to_vec_pretty(&plan)?);
            match store.put_new(&key, bytes.clone(), &plan.write_token).await {
                Ok(_) => {
                    let token = plan.write_token.clone();
                    check_crc_is_kept(&store, &key).await?;
                    let conditional_writes = store.honours_conditions(&key, bytes, &token).await?;
                    if !conditional_writes {
                        tracing::warn!(
                            "the server ignores conditions on writes: nothing but care keeps two \
                             processes from writing to one run"
                        );
                    }
                    let run = OpenRun {
                        store,
                        location,
                        token,
                        started,
                        conditional_writes,
                    };
                    return Ok((plan, run));
                }
                Err(error) if error.kind != StoreErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                Err(_) if requested.is_none() => {
                    plan.run_id = RunId::at(started + i64::from(taken).seconds());
                }
                Err(_) => break,
            }
        }
        let (run, url) = (&plan.run_id, store.url(&prefix.folder()));
        let message = format!("run `{run}` has a plan already below `{url}`");
        Err(Failure::new(ExitStatus::Failed, message)
            .with_hint("runs cannot be resumed yet; take another --run-id")
            .into())
    }
}

/// An endpoint that keeps no CRC64NVME cannot prove a data file: said before any is sent.
async fn check_crc_is_kept(store: &Store, key: &str) -> anyhow::Result<()> {
    if store
        .head(key)
        .await?
        .is_some_and(|plan| plan.crc.is_some())
    {
        return Ok(());
    }
    let message = format!("the server keeps no CRC64NVME of `{}`", store.url(key));
    Err(Failure::new(ExitStatus::Failed, message)
        .with_hint("it must attest the checksum of whole objects, as S3 and MinIO do")
        .into())
}
