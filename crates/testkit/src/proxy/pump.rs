//! Copies one connection's bytes in one direction, holding, slowing or damaging them on the way.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::sleep_until;

use super::breaks::{Break, Breaks};
use super::link::{CHUNK, Control, Link, Mode, lock, until};

/// What the two directions of a connection need to know about each other.
#[derive(Default)]
pub(super) struct Exchange {
    /// A request is in flight: what the client sends belongs to it until the server answers.
    is_requested: AtomicBool,
    /// The reply to it will be lost.
    loses_reply: AtomicBool,
}

/// Copies from the client to the server.
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

/// Copies from the server to the client.
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

/// Reads the next bytes; empty at the end of the stream. While the proxy drops everything, it
/// neither reads nor returns.
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
