//! Bytes of one connection in one direction, held, slowed down or damaged on the way.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};

use super::breaks::{Break, Breaks};
use super::{Control, Link, Mode, until};

const CHUNK: usize = 16 << 10;

/// How fast bytes pass in one direction, on all connections together.
pub(super) struct Rate {
    bytes_per_second: Option<u64>,
    /// When the bytes that were let through so far have passed at that rate.
    free_at: Instant,
}

/// What all connections share on the way from clients to the server.
pub(super) struct Uplink {
    pub(super) rate: Rate,
    /// The byte of the next request to damage.
    pub(super) flip_at: Option<u64>,
    /// Which requests are broken.
    pub(super) breaks: Option<Breaks>,
}

/// How far the two directions of a connection are, as each must know of the other.
#[derive(Default)]
pub(super) struct Exchange {
    /// A request is under way: what the client sends belongs to it until the server answers.
    is_requested: AtomicBool,
    /// The reply to it is lost.
    loses_reply: AtomicBool,
}

impl Uplink {
    pub(super) fn new() -> Self {
        Self {
            rate: Rate::unlimited(),
            flip_at: None,
            breaks: None,
        }
    }
}

impl Rate {
    pub(super) fn unlimited() -> Self {
        Self {
            bytes_per_second: None,
            free_at: Instant::now(),
        }
    }

    pub(super) fn limit(&mut self, bytes_per_second: Option<u64>) {
        self.bytes_per_second = bytes_per_second.map(|rate| rate.max(1));
        self.free_at = Instant::now();
    }

    /// Bytes to take at once: a tenth of a second's, so that a slow link is slow all the time.
    fn chunk(&self) -> usize {
        let tenth = self.bytes_per_second.map(|rate| rate.div_ceil(10));
        tenth
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map_or(CHUNK, |bytes| bytes.min(CHUNK))
    }

    /// When these bytes have passed.
    fn pay(&mut self, bytes: usize) -> Instant {
        let now = Instant::now();
        if let Some(rate) = self.bytes_per_second {
            let seconds = bytes as f64 / rate as f64;
            self.free_at = self.free_at.max(now) + Duration::from_secs_f64(seconds);
            return self.free_at;
        }
        now
    }
}

/// From the client to the server.
pub(super) async fn pump_up(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    link: &Link,
    exchange: &Exchange,
) -> io::Result<()> {
    let mut control = link.control.clone();
    let mut buffer = vec![0; CHUNK];
    let mut flip_in = None;
    loop {
        let chunk = lock(&link.uplink).rate.chunk();
        let bytes = read(&mut from, &mut buffer[..chunk], &mut control).await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        if !exchange.is_requested.swap(true, Ordering::Relaxed) {
            let mut uplink = lock(&link.uplink);
            flip_in = flip_in.or_else(|| uplink.flip_at.take());
            match uplink.breaks.as_mut().and_then(Breaks::decide) {
                Some(Break::Request) => return Err(io::ErrorKind::ConnectionReset.into()),
                Some(Break::Reply) => exchange.loses_reply.store(true, Ordering::Relaxed),
                None => {}
            }
        }
        let passed = lock(&link.uplink).rate.pay(bytes.len());
        sleep_until(passed).await;
        if let Some(offset) = flip_in {
            let byte = usize::try_from(offset).ok().and_then(|i| bytes.get_mut(i));
            flip_in = match byte {
                Some(byte) => {
                    *byte ^= 1;
                    None
                }
                None => Some(offset - bytes.len() as u64),
            };
        }
        to.write_all(bytes).await?;
    }
}

/// From the server to the client.
pub(super) async fn pump_down(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    link: &Link,
    exchange: &Exchange,
) -> io::Result<()> {
    let mut control = link.control.clone();
    let mut buffer = vec![0; CHUNK];
    loop {
        let bytes = read(&mut from, &mut buffer, &mut control).await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        if exchange.loses_reply.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        exchange.is_requested.store(false, Ordering::Relaxed);
        // The rate may have changed since the read began.
        let chunk = lock(&link.downlink).chunk();
        for piece in bytes.chunks(chunk) {
            let passed = lock(&link.downlink).pay(piece.len());
            sleep_until(passed).await;
            to.write_all(piece).await?;
        }
    }
}

/// The next bytes; none where there will be no more. Neither reads nor returns while everything is
/// dropped.
async fn read<'a>(
    from: &mut ReadHalf<'_>,
    buffer: &'a mut [u8],
    control: &mut Control,
) -> io::Result<&'a mut [u8]> {
    let size = loop {
        until(control, |state| state.mode != Mode::Drop).await;
        tokio::select! {
            biased;
            _ = control.changed() => {}
            size = from.read(buffer) => break size?,
        }
    };
    until(control, |state| state.mode != Mode::Drop).await;
    Ok(&mut buffer[..size])
}

/// A test that panicked elsewhere must not make every connection panic too.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
