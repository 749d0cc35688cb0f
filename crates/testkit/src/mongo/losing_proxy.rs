//! A proxy to any MongoDB server that loses replies: the server executes a command, and its client
//! never learns how it went.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Where the first field of an OP_MSG's first section, the command, has its name: after the header,
/// the flags, the section's kind, the document's length and the field's type.
const NAME_AT: usize = 16 + 4 + 1 + 4 + 1;
/// The longest message of a MongoDB server.
const MAX_MESSAGE: usize = 48_000_000;

/// A running proxy. Dropping it closes the port and all its connections.
pub struct LosingProxy {
    address: SocketAddr,
    plan: Arc<Plan>,
    task: JoinHandle<()>,
}

/// Which replies are lost.
struct Plan {
    /// The command's name, with the zero that ends it.
    command: Vec<u8>,
    left: AtomicUsize,
    lost: AtomicUsize,
}

impl LosingProxy {
    /// Starts a proxy to `upstream` (`host:port`) that loses the replies to the first `times`
    /// commands of this name.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn start(upstream: &str, command: &str, times: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Plan {
            command: format!("{command}\0").into_bytes(),
            left: AtomicUsize::new(times),
            lost: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, upstream.to_owned(), Arc::clone(&plan)));
        Ok(Self {
            address,
            plan,
            task,
        })
    }

    /// A connection string for this server alone, whatever replica set it belongs to.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address)
    }

    /// How many replies were lost so far.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.plan.lost.load(Ordering::Relaxed)
    }
}

impl Drop for LosingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: String, plan: Arc<Plan>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (upstream, plan) = (upstream.clone(), Arc::clone(&plan));
        // However a connection ends, both sides see it closed.
        connections.spawn(async move { serve(client, &upstream, &plan).await.is_ok() });
    }
}

async fn serve(mut client: TcpStream, upstream: &str, plan: &Plan) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let doomed = Mutex::default();
    tokio::select! {
        ended = plan.pass_commands(from_client, to_server, &doomed) => ended,
        ended = plan.pass_replies(from_server, to_client, &doomed) => ended,
    }
}

/// The ids of commands whose replies will be lost.
type Doomed = Mutex<HashSet<[u8; 4]>>;

impl Plan {
    async fn pass_commands(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        doomed: &Doomed,
    ) -> io::Result<()> {
        loop {
            let message = message(&mut from).await?;
            let name = message.get(NAME_AT..).unwrap_or_default();
            if name.starts_with(&self.command) && self.takes_one() {
                let mut doomed = doomed.lock().unwrap_or_else(PoisonError::into_inner);
                doomed.extend(word(&message, 4));
            }
            to.write_all(&message).await?;
        }
    }

    /// Ends when a reply is lost.
    async fn pass_replies(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        doomed: &Doomed,
    ) -> io::Result<()> {
        loop {
            let message = message(&mut from).await?;
            let answered = word(&message, 8);
            let is_doomed = {
                let doomed = doomed.lock().unwrap_or_else(PoisonError::into_inner);
                answered.is_some_and(|id| doomed.contains(&id))
            };
            if is_doomed {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            to.write_all(&message).await?;
        }
    }

    fn takes_one(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok()
    }
}

/// One whole message.
async fn message(from: &mut ReadHalf<'_>) -> io::Result<Vec<u8>> {
    let length = from.read_u32_le().await?;
    let mut message = length.to_le_bytes().to_vec();
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(16..=MAX_MESSAGE).contains(&size) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.resize(size, 0);
    from.read_exact(message.get_mut(4..).unwrap_or_default())
        .await?;
    Ok(message)
}

/// Four bytes of a message's header.
fn word(message: &[u8], at: usize) -> Option<[u8; 4]> {
    message.get(at..at + 4)?.try_into().ok()
}
