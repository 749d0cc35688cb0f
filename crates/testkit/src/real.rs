//! The real servers that command-line tests run on, where the environment names some.
//!
//! A test's own server stays in front, with its log, its gate and its damage, and passes what it
//! would execute on to a real one. Each has such a server to itself while it runs: all use the same
//! bucket and the same databases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod in_flight;
mod pool;

use std::future::Future;
use std::sync::{LazyLock, mpsc};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

pub(crate) use self::in_flight::InFlight;
pub(crate) use self::pool::{Lease, Pool};

/// Names the endpoints of MinIO servers, separated by spaces. Each has [`S3_ROOT`], and a user
/// with the name of each tool and the secret key of the double.
pub const S3_POOL: &str = "LOB_E2E_POOL_S3";
/// Names the addresses (`host:port`) of MongoDB servers, separated by spaces. Each is the only
/// member of a replica set, has [`MONGODB_ROOT`], and a user with the name of each tool that needs
/// MongoDB, whose password is [`PASSWORD`](crate::canaries::PASSWORD).
pub const MONGODB_POOL: &str = "LOB_E2E_POOL_MONGODB";
/// Access key and secret key of each MinIO's root.
pub const S3_ROOT: (&str, &str) = ("lob-access-key", "lob-secret-key");
/// Name and password of each MongoDB's root.
pub const MONGODB_ROOT: (&str, &str) = ("root", "lob-secret-key");

pub(crate) static MINIOS: LazyLock<Option<Pool>> = LazyLock::new(|| Pool::named(S3_POOL));
pub(crate) static MONGODS: LazyLock<Option<Pool>> = LazyLock::new(|| Pool::named(MONGODB_POOL));

/// Where everything that concerns real servers runs: it goes on when a test's runtime ends or its
/// thread waits.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
});

/// Starts what goes on even if nobody waits for it any more.
pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    RUNTIME.spawn(future)
}

/// Waits for an answer of a real server, on any thread.
pub(crate) fn wait<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = mpsc::sync_channel(1);
    RUNTIME.spawn(async move {
        // Nobody waits if the test has ended.
        let _ = sender.send(future.await);
    });
    receiver.recv().unwrap()
}
