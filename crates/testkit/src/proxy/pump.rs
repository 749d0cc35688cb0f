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

/// One direction of a connection.
pub(super) struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    link: &'a Link,
    exchange: &'a Exchange,
    control: Control,
    /// The rule for what is passed on now.
    at_work: Option<AtWork>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        link: &'a Link,
        exchange: &'a Exchange,
    ) -> Self {
        Self {
            from,
            to,
            link,
            exchange,
            control: link.control.clone(),
            at_work: None,
        }
    }

    /// Copies from the client to the server.
    pub(super) async fn up(mut self) -> io::Result<()> {
        let (link, exchange) = (self.link, self.exchange);
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = lock(&link.uplink).rate.chunk();
            let Some(bytes) = self.read(&mut buffer[..chunk]).await? else {
                return self.to.shutdown().await;
            };
            if !exchange.is_requested.swap(true, Ordering::Relaxed) {
                if let Some(rule) = lock(&link.rules).take(bytes) {
                    match rule.way {
                        Way::Up => self.at_work = Some(AtWork::new(&rule)),
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
            self.pass(bytes).await?;
        }
    }

    /// Copies from the server to the client.
    pub(super) async fn down(mut self) -> io::Result<()> {
        let (link, exchange) = (self.link, self.exchange);
        let mut buffer = vec![0; CHUNK];
        while let Some(bytes) = self.read(&mut buffer).await? {
            if exchange.loses_reply.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if exchange.is_requested.swap(false, Ordering::Relaxed) {
                self.at_work = lock(&exchange.reply).take();
                let delay = lock(&link.delay).as_mut().map(|delay| delay.next());
                let passed = Instant::now() + delay.unwrap_or_default();
                link.hold_until(passed).await;
            }
            // The rate may have changed since the read began.
            let chunk = lock(&link.downlink).chunk();
            for piece in bytes.chunks_mut(chunk) {
                let passed = lock(&link.downlink).pay(piece.len());
                link.hold_until(passed).await;
                self.pass(piece).await?;
            }
        }
        self.to.shutdown().await
    }

    /// Reads the next bytes; `None` at the end of the stream. While the proxy drops everything, it
    /// neither reads nor returns.
    async fn read<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<Option<&'b mut [u8]>> {
        let size = loop {
            until(&mut self.control, |state| state.mode != Mode::Drop).await;
            tokio::select! {
                biased;
                _ = self.control.changed() => {}
                size = self.from.read(buffer) => break size?,
            }
        };
        until(&mut self.control, |state| state.mode != Mode::Drop).await;
        match size {
            0 => Ok(None),
            _ => Ok(Some(&mut buffer[..size])),
        }
    }

    /// Passes bytes on as the rule at work says, if there is one.
    async fn pass(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let due = self.at_work.as_mut();
        let due = due.and_then(|rule| Some((rule.due(bytes)?, rule.act())));
        let Some((index, act)) = due else {
            return self.write(bytes).await;
        };
        self.at_work = None;
        if act == Act::Flip {
            bytes[index] ^= 1;
        }
        let (before, after) = bytes.split_at(index);
        self.write(before).await?;
        lock(&self.link.rules).count();
        match act {
            Act::Flip => self.write(after).await,
            Act::Pad(size) => {
                self.write(&vec![b'x'; size]).await?;
                self.write(after).await
            }
            Act::Close => Err(io::ErrorKind::UnexpectedEof.into()),
            Act::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            Act::Stall => pending().await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.link.slices.load(Ordering::Relaxed) {
            return self.to.write_all(bytes).await;
        }
        self.link.hinder();
        for byte in bytes.chunks(1) {
            self.to.write_all(byte).await?;
        }
        Ok(())
    }
}
