//! Opens a run: with a new plan, or by resuming one that already exists.

use std::collections::BTreeSet;

use anyhow::Context as _;
use bytes::Bytes;
use lob_core::cli::Context;
use lob_core::failure::{ExitStatus, Failure};
use lob_core::run::{FoundRun, OpenRun, Plan, RunLocation, begun};
use lob_core::settings::Resolved;
use lob_core::store::{Bandwidth, Sending, Store};
use lob_core::transfer::PartBudget;
use lob_mongo::{Database, Server, Shared};

use crate::columns_from::ColumnsFrom;
use crate::plan::{ExportPlan, TOOL};
use crate::planner;
use crate::settings::ExportSettings;

/// A run, what it is to hold, and where its data comes from.
#[derive(Debug)]
pub(crate) enum Opened {
    /// There may be documents to export.
    Unfinished(Unfinished),
    /// The run already exists.
    Committed {
        run: OpenRun,
        plan: ExportPlan,
        manifest: Bytes,
    },
}

/// A run without a manifest.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) run: OpenRun,
    pub(crate) plan: ExportPlan,
    pub(crate) database: Database,
    /// Whether an earlier or another process may have exported some of it.
    pub(crate) is_resumed: bool,
}

/// Opens the run that the settings name, or a new one that is cut for `at_once` ranges at once.
///
/// # Errors
/// Collections that cannot be exported, a plan that is not ours, or server errors.
pub(crate) async fn open(
    settings: &Resolved<ExportSettings>,
    at_once: usize,
    context: &Context,
) -> anyhow::Result<Opened> {
    let ExportSettings { run_id, s3, .. } = &settings.settings;
    if let Some(id) = run_id {
        ColumnsFrom::check_name(id)?;
    }
    let planned = settings.settings.planned()?;
    let (store, prefix) = (
        connect(&settings.settings, context).await?,
        s3.runs_folder()?,
    );
    if let Some(opened) = find(&store, settings, context).await? {
        return Ok(opened);
    }
    let database = database(&settings.settings, &store, &planned.database, context).await?;
    let cuts = |splits| settings.settings.cuts(splits, at_once);
    let planning = planner::plan(&store, &prefix, &database, planned, cuts, context);
    let plan = context.interrupt.or(planning).await?;
    context.step("writing the plan and probing S3");
    let creating = Plan::create(
        store.clone(),
        prefix,
        run_id.clone(),
        TOOL,
        plan.clone(),
        true,
        &context.interrupt,
    );
    match creating.await? {
        Some((_, run)) => {
            try_listing(&run, context).await?;
            Ok(Opened::Unfinished(Unfinished {
                run,
                plan,
                database,
                is_resumed: false,
            }))
        }
        // Another process has just started the same run: the two continue together.
        None => find(&store, settings, context)
            .await?
            .context("the run's plan has disappeared"),
    }
}

/// Opens a run that has a plan.
///
/// # Errors
/// The errors of [`open`], and a run without a plan.
pub(crate) async fn open_planned(
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Opened> {
    let Some(id) = &settings.settings.run_id else {
        return Err(Failure::usage("no run id is set")
            .with_hint("set --run-id or LOB_RUN_ID to the planned run")
            .into());
    };
    let store = connect(&settings.settings, context).await?;
    let location = RunLocation::new(settings.settings.s3.runs_folder()?, id.clone());
    find(&store, settings, context).await?.ok_or_else(|| {
        let url = store.url(&location.plan_key());
        let message = format!("run `{id}` has no plan: `{url}` does not exist");
        let plan = format!("lob-export plan --run-id {id}");
        let plan = context.typed.command(&plan);
        Failure::new(ExitStatus::Failed, message)
            .with_hint(format!("check --prefix, or plan it: `{plan}`"))
            .into()
    })
}

async fn connect(settings: &ExportSettings, context: &Context) -> anyhow::Result<Store> {
    // The plan would pin settings that no worker can use.
    // A single range has the most parts; with more, it is the memory that limits them.
    let limits = settings.shares(1, settings.part_size()).parts;
    PartBudget::new(&limits)?;
    context.step("connecting to S3");
    let sending = Sending::new(&limits, settings.objects.clone());
    let connecting = Store::connect(&settings.s3, sending, &context.metrics);
    context.interrupt.or(connecting).await
}

async fn database(
    settings: &ExportSettings,
    store: &Store,
    name: &str,
    context: &Context,
) -> anyhow::Result<Database> {
    context.step("connecting to MongoDB");
    let connecting = async {
        let shared = Shared {
            ca_bundle: settings.s3.ca_bundle.as_deref(),
            aws_credentials: store.aws_credentials(),
        };
        let server = Server::connect(&settings.mongo, shared).await?;
        server.with_readable_member().await
    };
    let connecting = async { connecting.await.map_err(Failure::from) };
    let server = context.interrupt.or(connecting).await?;
    let server = server.counted_by(context.metrics.commands());
    let bandwidth = Bandwidth::of(settings.parts.max_bandwidth)?;
    Ok(server.paced_by(bandwidth).database(name))
}

/// The run that the settings name, if it has a plan.
async fn find(
    store: &Store,
    settings: &Resolved<ExportSettings>,
    context: &Context,
) -> anyhow::Result<Option<Opened>> {
    let Some(id) = &settings.settings.run_id else {
        return Ok(None);
    };
    context.step(format!("looking for the plan of run `{id}`"));
    let location = RunLocation::new(settings.settings.s3.runs_folder()?, id.clone());
    let finding = FoundRun::<ExportPlan>::find(store, location, TOOL);
    let Some(mut found) = context.interrupt.or(finding).await? else {
        return Ok(None);
    };
    found.plan.work.check()?;
    check_settings(&found.plan.work, settings)
        .with_context(|| format!("run `{id}` cannot be resumed"))?;
    if let Some(manifest) = found.manifest.take() {
        return Ok(Some(Opened::Committed {
            run: found.run,
            plan: found.plan.work,
            manifest,
        }));
    }
    let objects = found.plan.work.settings.objects.clone();
    found.run.store = found.run.store.creating(objects);
    let name = found.plan.work.settings.database.clone();
    let mut database = database(&settings.settings, store, &name, context).await?;
    if let Some(newest) = found.plan.work.newest {
        database = database.after(newest);
    }
    context.step("probing S3");
    let (plan, run) = found.resume(true, &context.interrupt).await?;
    try_listing(&run, context).await?;
    Ok(Some(Opened::Unfinished(Unfinished {
        run,
        database,
        plan: plan.work,
        is_resumed: true,
    })))
}

/// The commit lists the run's folders, so check the permission before anything is in them.
async fn try_listing(run: &OpenRun, context: &Context) -> anyhow::Result<()> {
    let folder = run.key("");
    let listed = context.interrupt.or(run.store.list(&folder, Some(1))).await;
    listed.map_err(|error| begun(error, run.location.id()))?;
    Ok(())
}

/// Resumes a run as planned: settings that are not given follow the plan. A setting that is given
/// and differs is refused, because whoever set it expects it to apply.
fn check_settings(plan: &ExportPlan, settings: &Resolved<ExportSettings>) -> anyhow::Result<()> {
    let set: BTreeSet<&str> = settings
        .origins
        .iter()
        .filter(|origin| origin.origin != "default")
        .map(|origin| origin.key.as_str())
        .collect();
    let ours = settings.settings.planned()?;
    match plan.settings.difference(&ours, |key| set.contains(key))? {
        None => Ok(()),
        Some((key, planned)) => {
            let message = format!("the run was planned with a different `{key}`: {planned}");
            Err(Failure::new(ExitStatus::Failed, message)
                .about(&[&key])
                .with_hint("resume it with the same settings, or use another --run-id")
                .into())
        }
    }
}
