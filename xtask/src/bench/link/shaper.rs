//! A proxy that makes each connection as slow as one over a distance, however many there are: what
//! object stores, proxies and long ways do to a single connection.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes per second of one connection in one direction.
pub(super) const RATE: u32 = 4_000_000;
/// The round trip.
pub(super) const DELAY: Duration = Duration::from_millis(40);
/// How late a timer may be.
const LATE: Duration = Duration::from_millis(10);
/// What is passed on at once.
const CHUNK: usize = 32 << 10;
/// What the kernel takes from a client beyond that.
const RECEIVE_BUFFER: u32 = 64 << 10;
/// Chunks on their way at most: those of one delay, however small they are.
const ON_THEIR_WAY: usize = 64;

/// A running proxy; dropping it closes the port.
pub(super) struct Shaper {
    address: String,
    pub(super) link: Arc<Link>,
    task: JoinHandle<()>,
}

/// What all connections share.
#[derive(Default)]
pub(super) struct Link {
    is_shaped: AtomicBool,
    busy: AtomicUsize,
    most_busy: AtomicUsize,
}

impl Link {
    /// Shapes from now on, or no longer, and counts anew.
    pub(super) fn shape(&self, is_shaped: bool) {
        self.is_shaped.store(is_shaped, Ordering::Relaxed);
        self.most_busy.store(0, Ordering::Relaxed);
    }

    /// How many connections sent a whole chunk at the same time.
    pub(super) fn most_busy(&self) -> usize {
        self.most_busy.load(Ordering::Relaxed)
    }
}

impl Shaper {
    /// Starts a proxy to `host:port`.
    pub(super) async fn start(upstream: &str) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1024)?;
        let address = listener.local_addr()?.to_string();
        let link = Arc::new(Link::default());
        let task = tokio::spawn(accept(listener, upstream.to_owned(), Arc::clone(&link)));
        Ok(Self {
            address,
            link,
            task,
        })
    }

    /// `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: String, link: Arc<Link>) {
    while let Ok((client, _)) = listener.accept().await {
        let (upstream, link) = (upstream.clone(), Arc::clone(&link));
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(upstream).await else {
                return;
            };
            // A delay of the kernel's own would be added to ours.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(pass(from_server, to_client, Arc::clone(&link)));
            pass(from_client, to_server, link).await;
        });
    }
}

/// Passes one direction on until it ends or breaks.
async fn pass(mut from: OwnedReadHalf, to: OwnedWriteHalf, link: Arc<Link>) {
    let (sender, due) = mpsc::channel(ON_THEIR_WAY);
    tokio::spawn(deliver(due, to));
    let mut free_at = Instant::now();
    loop {
        let mut chunk = vec![0; CHUNK];
        let Ok(size @ 1..) = from.read(&mut chunk).await else {
            return;
        };
        chunk.truncate(size);
        let is_shaped = link.is_shaped.load(Ordering::Relaxed);
        let busy = Busy::begin(&link, size);
        let mut due = Instant::now();
        if is_shaped {
            // A timer that is late must not slow the connection down.
            let behind = due.checked_sub(LATE).unwrap_or(due);
            free_at = free_at.max(behind) + Duration::from_secs(size as u64) / RATE;
            sleep_until(free_at).await;
            due = free_at + DELAY / 2;
        }
        if sender.send((due, chunk)).await.is_err() {
            return;
        }
        drop(busy);
    }
}

async fn deliver(mut due: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((at, chunk)) = due.recv().await {
        sleep_until(at).await;
        if to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

/// A connection that sends a chunk; requests without a body are no whole one.
struct Busy<'a>(Option<&'a Link>);

impl<'a> Busy<'a> {
    fn begin(link: &'a Link, size: usize) -> Self {
        if size < CHUNK {
            return Self(None);
        }
        let busy = link.busy.fetch_add(1, Ordering::Relaxed) + 1;
        link.most_busy.fetch_max(busy, Ordering::Relaxed);
        Self(Some(link))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
