//! A TCP proxy that breaks the network between a client and any server while bytes flow.
//!
//! It knows nothing about the protocol, so it works in front of a testkit server and a real one
//! alike. S3's signature covers the Host header; it names the proxy on both sides and so stays
//! valid.

mod breaks;
mod link;
mod pump;
mod rule;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::rule::{Act, Place, Rule, Way};

use self::breaks::Breaks;
use self::link::{Delay, Link, Mode, Rate, State, Uplink, lock, until};
use self::pump::{Exchange, Pump};

/// How much the kernel accepts from a client while the proxy is not reading.
const RECEIVE_BUFFER: u32 = 16 << 10;
/// Connections the kernel may queue until they are accepted.
const BACKLOG: u32 = 128;

/// A running proxy. Dropping it closes the port and all its connections.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    link: Link,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `upstream` (`http://host:port` or `host:port`) on the current tokio
    /// runtime. It passes everything at first.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(upstream: &str) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/');
        let (state, control) = watch::channel(State {
            mode: Mode::Pass,
            resets: 0,
        });
        let link = Link {
            upstream: upstream.into(),
            control,
            uplink: Arc::new(Mutex::new(Uplink::new())),
            downlink: Arc::new(Mutex::new(Rate::unlimited())),
            rules: Arc::default(),
            delay: Arc::default(),
            slices: Arc::new(AtomicBool::new(false)),
            hindered: Arc::default(),
        };
        Ok(Self {
            address,
            state,
            link: link.clone(),
            task: tokio::spawn(accept(listener, link)),
        })
    }

    /// The URL for clients to use.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Passes everything from now on, starting with bytes and connections held so far.
    pub fn pass(&self) {
        self.state.send_modify(|state| state.mode = Mode::Pass);
    }

    /// Resets all connections, and every new one as soon as it is made.
    pub fn refuse(&self) {
        self.state.send_modify(|state| {
            state.mode = Mode::Refuse;
            state.resets += 1;
        });
    }

    /// Acts like a network that swallows everything: connections stay open but silent, new ones are
    /// not accepted, and nothing is acknowledged beyond what the kernel's small buffers take.
    pub fn drop_all(&self) {
        self.state.send_modify(|state| state.mode = Mode::Drop);
    }

    /// Limits what clients send, over all connections, in bytes per second; `None` lifts the limit.
    pub fn limit_uplink(&self, bytes_per_second: Option<u64>) {
        lock(&self.link.uplink).rate.limit(bytes_per_second);
    }

    /// Limits what clients receive, over all connections, in bytes per second; `None` lifts the
    /// limit.
    pub fn limit_downlink(&self, bytes_per_second: Option<u64>) {
        lock(&self.link.downlink).limit(bytes_per_second);
    }

    /// Sends every byte on its own from now on.
    pub fn slice(&self) {
        self.link.slices.store(true, Ordering::Relaxed);
    }

    /// Holds every reply back from now on, each for a random time in this range.
    pub fn delay(&self, range: Range<Duration>, seed: u64) {
        *lock(&self.link.delay) = Some(Delay::new(range, seed));
    }

    /// Applies a rule to the next request that it is meant for.
    pub fn apply(&self, rule: Rule) {
        lock(&self.link.rules).add(rule);
    }

    /// How many rules have struck.
    #[must_use]
    pub fn struck(&self) -> usize {
        lock(&self.link.rules).struck()
    }

    /// How often bytes were held back or cut into pieces, or a connection was refused or reset.
    #[must_use]
    pub fn hindered(&self) -> u64 {
        self.link.hindered.load(Ordering::Relaxed)
    }

    /// Breaks a share (0 to 1) of all requests from now on by resetting their connections: some
    /// before the server gets the request, some before the client gets the reply.
    pub fn break_requests(&self, seed: u64, share: f64) {
        lock(&self.link.uplink).breaks = Some(Breaks::new(seed, share));
    }

    /// Stops breaking requests; returns how many were broken.
    pub fn mend(&self) -> u64 {
        let breaks = lock(&self.link.uplink).breaks.take();
        breaks.map_or(0, |breaks| breaks.count())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, mut link: Link) {
    let mut connections = JoinSet::new();
    loop {
        until(&mut link.control, |state| state.mode != Mode::Drop).await;
        tokio::select! {
            biased;
            _ = link.control.changed() => {}
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(connection(client, link.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut client: TcpStream, link: Link) {
    let mut control = link.control.clone();
    let born = *control.borrow();
    let refused = born.mode == Mode::Refuse;
    let ended = tokio::select! {
        biased;
        () = until(&mut control, |state| refused || state.resets != born.resets) => {
            link.hinder();
            Err(io::ErrorKind::ConnectionReset.into())
        }
        ended = pass_through(&mut client, &link) => ended,
    };
    let is_reset = ended.is_err_and(|error| error.kind() != io::ErrorKind::UnexpectedEof);
    if is_reset {
        // Closing a socket with zero linger resets the connection.
        let _ = client.set_zero_linger();
    }
}

async fn pass_through(client: &mut TcpStream, link: &Link) -> io::Result<()> {
    let mut server = TcpStream::connect(&*link.upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let exchange = Exchange::default();
    tokio::try_join!(
        Pump::new(from_client, to_server, link, &exchange).up(),
        Pump::new(from_server, to_client, link, &exchange).down(),
    )?;
    Ok(())
}
