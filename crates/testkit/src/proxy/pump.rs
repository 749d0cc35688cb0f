//! Copies one connection's bytes in one direction, holding, slowing or damaging them on the way.

use std::future::pending;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::breaks::{Break, Breaks};
use super::link::{CHUNK, Control, Link, Mode, lock, until};
use super::rule::{Act, AtWork, Way};

/// What the two directions of a connection need to know about each other.
#[derive(Default)]
pub(super) struct Exchange {
    /// A request is in flight: what the client sends belongs to it until the server answers.
    is_requested: AtomicBool,
    /// The reply to it will be lost.
    loses_reply: AtomicBool,
    /// The rule for the reply.
    reply: Mutex<Option<AtWork>>,
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
    let mut at_work = None;
    loop {
        let chunk = lock(&link.uplink).rate.chunk();
        let bytes = read(&mut from, &mut buffer[..chunk], &mut control).await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        if !exchange.is_requested.swap(true, Ordering::Relaxed) {
            if let Some(rule) = lock(&link.rules).take(bytes) {
                match rule.way {
                    Way::Up => at_work = Some(AtWork::new(&rule)),
                    Way::Down => *lock(&exchange.reply) = Some(AtWork::new(&rule)),
                }
            }
            let mut uplink = lock(&link.uplink);
            match uplink.breaks.as_mut().and_then(Breaks::decide) {
                Some(Break::Request) => return Err(io::ErrorKind::ConnectionReset.into()),
                Some(Break::Reply) => exchange.loses_reply.store(true, Ordering::Relaxed),
                None => {}
            }
        }
        let passed = lock(&link.uplink).rate.pay(bytes.len());
        link.hold_until(passed).await;
        pass(&mut to, bytes, &mut at_work, link).await?;
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
    let mut at_work = None;
    loop {
        let bytes = read(&mut from, &mut buffer, &mut control).await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        if exchange.loses_reply.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if exchange.is_requested.swap(false, Ordering::Relaxed) {
            at_work = lock(&exchange.reply).take();
            let delay = lock(&link.delay).as_mut().map(|delay| delay.next());
            let passed = Instant::now() + delay.unwrap_or_default();
            link.hold_until(passed).await;
        }
        // The rate may have changed since the read began.
        let chunk = lock(&link.downlink).chunk();
        for piece in bytes.chunks_mut(chunk) {
            let passed = lock(&link.downlink).pay(piece.len());
            link.hold_until(passed).await;
            pass(&mut to, piece, &mut at_work, link).await?;
        }
    }
}

/// Passes bytes on as the rule at work says, if there is one.
async fn pass(
    to: &mut WriteHalf<'_>,
    bytes: &mut [u8],
    at_work: &mut Option<AtWork>,
    link: &Link,
) -> io::Result<()> {
    let due = at_work
        .as_mut()
        .and_then(|rule| Some((rule.due(bytes)?, rule.act())));
    let Some((index, act)) = due else {
        return write(to, bytes, link).await;
    };
    *at_work = None;
    if act == Act::Flip {
        bytes[index] ^= 1;
    }
    let (before, after) = bytes.split_at(index);
    write(to, before, link).await?;
    lock(&link.rules).count();
    match act {
        Act::Flip => write(to, after, link).await,
        Act::Pad(size) => {
            write(to, &vec![b'x'; size], link).await?;
            write(to, after, link).await
        }
        Act::Close => Err(io::ErrorKind::UnexpectedEof.into()),
        Act::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        Act::Stall => pending().await,
    }
}

async fn write(to: &mut WriteHalf<'_>, bytes: &[u8], link: &Link) -> io::Result<()> {
    if !link.slices.load(Ordering::Relaxed) {
        return to.write_all(bytes).await;
    }
    link.hinder();
    for byte in bytes.chunks(1) {
        to.write_all(byte).await?;
    }
    Ok(())
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
