//! One client connection: read a command, ask the gate, execute, ask again, reply.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bson::RawDocumentBuf;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::arguments::as_integer;
use super::aws_login::Login;
use super::command::{Reply, Server, is_handshake, is_login};
use super::element::{elements, get};
use super::failure::Failure;
use super::gate::{Command, Moment, Verdict};
use super::mongod::{Mongod, Upstream, brought, hello_from};
use super::options::MongoOptions;
use super::replica_set::{Addresses, Member, after_cluster_time};
use super::wire::{self, Message};
use crate::document_writer::DocumentWriter;
use crate::strikes::Strikes;

/// State shared by all connections.
pub(crate) struct Shared {
    pub(crate) addresses: Addresses,
    pub(crate) options: MongoOptions,
    pub(crate) strikes: Strikes,
    /// What executes commands in place of `server`.
    pub(crate) mongod: Option<Mongod>,
    server: Mutex<Server>,
    /// Notified when replication resumes.
    replicated: Notify,
    log: Mutex<Vec<Command>>,
}

impl Shared {
    pub(crate) fn new(addresses: Addresses, options: MongoOptions, mongod: Option<Mongod>) -> Self {
        let gate = options.gate.as_ref();
        Self {
            addresses,
            strikes: Strikes::new(gate.is_some_and(|gate| gate.must_strike())),
            options,
            mongod,
            server: Mutex::default(),
            replicated: Notify::new(),
            log: Mutex::default(),
        }
    }

    pub(crate) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Vec<Command>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Freezes the secondary at its current state.
    pub(crate) fn hold_replication(&self) {
        let server = &mut *self.server();
        server.progress.hold(&server.catalog);
    }

    /// Brings the secondary up to date at once.
    pub(crate) fn resume_replication(&self) {
        self.server().progress.held = None;
        self.replicated.notify_waiters();
    }

    /// Waits until the member has reached the command's `afterClusterTime`.
    async fn reach(&self, member: Member, message: &Message) {
        let Some(after) = after_cluster_time(message) else {
            return;
        };
        loop {
            let replicated = self.replicated.notified();
            let newest = self.server().progress.of(Member::Primary);
            // A time that no member has reached is refused later.
            if self.server().progress.of(member) >= after || after > newest {
                return;
            }
            replicated.await;
        }
    }

    async fn verdict(&self, moment: Moment, command: &Command) -> Verdict {
        let Some(gate) = &self.options.gate else {
            return Verdict::Pass;
        };
        let verdict = gate.decide(moment, command).await;
        if verdict != Verdict::Pass {
            self.strikes.note();
        }
        verdict
    }
}

/// Serves a client until it disconnects or a gate closes the connection.
///
/// # Errors
///
/// I/O errors, or a client that does not speak the protocol.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    member: Member,
    mut stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reply_id = 0;
    let mut login = Login::default();
    let mut upstream = match &shared.mongod {
        Some(mongod) => Some(mongod.connect().await?),
        None => None,
    };
    while let Some(message) = wire::read(&mut stream).await? {
        let user = shared.options.aws_user.as_ref();
        let login = user.and_then(|user| login.answer(user, &message));
        let reply = match login {
            Some(reply) => reply,
            None => match answer(&shared, member, upstream.as_mut(), &message).await? {
                Some(reply) => reply,
                None => return Ok(()),
            },
        };
        if !message.more_to_come {
            reply_id += 1;
            stream
                .write_all(&wire::reply(reply_id, message.id, &reply))
                .await?;
        }
    }
    Ok(())
}

/// The reply document; `None` if there is none and the connection must be closed.
async fn answer(
    shared: &Shared,
    member: Member,
    upstream: Option<&mut Upstream>,
    message: &Message,
) -> io::Result<Option<Vec<u8>>> {
    let Some(mut command) = describe(message) else {
        let reply = execute(shared, member, upstream, message).await?;
        return Ok(Some(reply.document));
    };
    let position = {
        let mut log = shared.log();
        let position = log.len();
        command.number = position as u64;
        log.push(command.clone());
        position
    };
    if let Some(instead) = settle(shared, Moment::Arrived, &command).await {
        return Ok(instead);
    }
    let reply = execute(shared, member, upstream, message).await?;
    command.documents = command.documents.max(reply.documents);
    command.reply_bytes = reply.document.len();
    shared.log()[position] = command.clone();
    let instead = settle(shared, Moment::Executed, &command).await;
    Ok(instead.unwrap_or(Some(reply.document)))
}

/// Has the command executed, here or by the real server.
async fn execute(
    shared: &Shared,
    member: Member,
    upstream: Option<&mut Upstream>,
    message: &Message,
) -> io::Result<Reply> {
    let Some(upstream) = upstream else {
        shared.reach(member, message).await;
        let mut server = shared.server();
        return Ok(server.execute(&shared.options, shared.addresses, member, message));
    };
    let mut document = upstream.execute(message).await?;
    let command = elements(&message.body).next();
    let command = command.and_then(|first| std::str::from_utf8(first.name).ok());
    if command.is_some_and(is_handshake) {
        document = hello_from(shared.addresses.primary, &document);
    }
    Ok(Reply {
        documents: brought(&document),
        document,
    })
}

/// Asks the gate; `None` means go on.
async fn settle(shared: &Shared, moment: Moment, command: &Command) -> Option<Option<Vec<u8>>> {
    match shared.verdict(moment, command).await {
        Verdict::Pass => None,
        Verdict::Hold => std::future::pending().await,
        Verdict::Disconnect => Some(None),
        Verdict::Answer { code } => {
            let retryable = get(command.arguments.as_bytes(), "txnNumber").is_some();
            Some(Some(refusal(code).reply(retryable).finish()))
        }
        Verdict::Labelled { code, labels } => {
            let mut reply = refusal(code).reply(false);
            let mut list = DocumentWriter::new();
            for (position, label) in labels.iter().enumerate() {
                list.string(position.to_string(), *label);
            }
            Some(Some(reply.array("errorLabels", &list.finish()).finish()))
        }
    }
}

fn refusal(code: i32) -> Failure {
    Failure::new(code, "answered by the gate of the test server")
}

/// The command as tests see it; `None` for handshakes, log-ins and anything that is not a command.
fn describe(message: &Message) -> Option<Command> {
    message.depth.ok()?;
    let first = elements(&message.body).next()?;
    let name = String::from_utf8(first.name.to_vec()).ok()?;
    if is_handshake(&name) || is_login(&name) {
        return None;
    }
    let text = |field: &str| {
        get(&message.body, field)
            .and_then(super::arguments::as_str)
            .map(str::to_owned)
    };
    let database = text("$db")?;
    let target = text(&name);
    let collection = match &*name {
        "getMore" => text("collection"),
        "renameCollection" => target.and_then(|full| {
            full.split_once('.')
                .map(|(_, collection)| collection.to_owned())
        }),
        _ => target,
    };
    let batch_size = get(&message.body, "batchSize").or_else(|| {
        let cursor = get(&message.body, "cursor").and_then(super::arguments::as_document)?;
        get(cursor, "batchSize")
    });
    let mut arguments = DocumentWriter::new();
    let mut documents = message
        .sequence
        .as_ref()
        .map_or(0, |sequence| sequence.documents.len());
    for element in elements(&message.body) {
        if element.name == b"documents" {
            documents += elements(element.value.bytes).count();
        } else {
            arguments.element(element.value.kind, element.name, element.value.bytes);
        }
    }
    Some(Command {
        number: 0,
        name,
        database,
        collection,
        documents,
        batch_size: batch_size
            .and_then(as_integer)
            .and_then(|size| usize::try_from(size).ok()),
        arguments: RawDocumentBuf::from_bytes(arguments.finish()).ok()?,
        reply_bytes: 0,
    })
}
