//! The common start of every command that works on one run: chooses the run and connects to both
//! servers.

use lob_core::cli::Context;
use lob_core::failure::Failure;
use lob_core::settings::RunId;
use lob_core::store::{Bandwidth, Sending, Store};
use lob_mongo::{Database, Server, Shared};

use crate::runs::{self, ChosenRun};
use crate::settings::ImportSettings;

/// A run, where it is stored, and where it goes.
pub(crate) struct Chosen {
    pub(crate) store: Store,
    pub(crate) run: ChosenRun,
    pub(crate) database: Database,
}

/// Chooses run `id`, or the latest, and connects to the servers.
///
/// # Errors
/// There is no such run, the run is not what it should be, or a server fails.
pub(crate) async fn choose(
    settings: &ImportSettings,
    id: Option<&RunId>,
    latest: bool,
    context: &Context,
) -> anyhow::Result<Chosen> {
    let folder = settings.s3.runs_folder()?;
    let choosing = async {
        context.step("connecting to S3");
        let sending = Sending::receiving(Bandwidth::of(settings.max_bandwidth)?);
        let sending = sending.with_ranges(settings.ranges());
        let store = Store::connect(&settings.s3, sending, &context.metrics).await?;
        context.step(match id {
            Some(id) if !latest => format!("reading the manifest of run `{id}`"),
            _ => "reading the manifests of the runs".to_owned(),
        });
        let run = runs::choose(&store, folder, id, latest, context).await?;
        context.step("connecting to MongoDB");
        let shared = Shared {
            ca_bundle: settings.s3.ca_bundle.as_deref(),
            aws_credentials: store.aws_credentials(),
        };
        let server = Server::connect(&settings.mongo, shared).await;
        let server = server
            .map_err(Failure::from)?
            .counted_by(context.metrics.commands())
            .paced_by(Bandwidth::of(settings.max_bandwidth)?);
        let database = server.database(&settings.database);
        anyhow::Ok(Chosen {
            store,
            run,
            database,
        })
    };
    context.interrupt.or(choosing).await
}
