//! Turns a message into its reply: finds the handler, and answers retried writes from memory.

use std::collections::HashMap;

use super::aggregate;
use super::arguments::{Arguments, wants_more_nodes};
use super::catalog::{Catalog, Namespace};
use super::collections;
use super::cursor::Cursors;
use super::delete;
use super::element::get;
use super::failure::Failure;
use super::find;
use super::handshake;
use super::index;
use super::insert;
use super::number;
use super::options::MongoOptions;
use super::outcome::Outcome;
use super::replica_set::{Addresses, Deployment, Member, Progress};
use super::update;
use super::wire::Message;
use crate::document_writer::DocumentWriter;

/// Whether a command is the driver's own: answered without authentication, not logged, and not
/// shown to a gate.
pub(crate) fn is_handshake(command: &str) -> bool {
    matches!(command, "hello" | "isMaster" | "ismaster")
}

/// Whether a command is part of logging in: not logged, and not shown to a gate.
pub(crate) fn is_login(command: &str) -> bool {
    matches!(command, "saslStart" | "saslContinue")
}

/// Everything the server remembers between commands.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) catalog: Catalog,
    cursors: Cursors,
    pub(crate) progress: Progress,
    /// The last write of each session: a client that lost the reply sends the same write again and
    /// must get the same answer without a second execution.
    last_writes: HashMap<Vec<u8>, LastWrite>,
}

struct LastWrite {
    transaction_number: i64,
    reply: Vec<u8>,
}

/// The reply document, and how many documents it concerns.
pub(crate) struct Reply {
    pub(crate) document: Vec<u8>,
    pub(crate) documents: usize,
}

impl Server {
    pub(crate) fn execute(
        &mut self,
        options: &MongoOptions,
        addresses: Addresses,
        member: Member,
        message: &Message,
    ) -> Reply {
        let write = retryable_write(message);
        if let Some((session, transaction_number)) = write
            && let Some(last) = self.last_writes.get(session)
            && last.transaction_number == transaction_number
        {
            return Reply {
                document: last.reply.clone(),
                documents: 0,
            };
        }
        let is_stamped = options.deployment != Deployment::Standalone;
        match self.handle(options, addresses, member, message) {
            Err(failure) => {
                let mut reply = failure.reply(write.is_some());
                if is_stamped {
                    self.progress.stamp(&mut reply, member);
                }
                Reply {
                    document: reply.finish(),
                    documents: 0,
                }
            }
            Ok(Outcome {
                mut reply,
                documents,
            }) => {
                // As on the real server, the write has happened anyway.
                if wants_more_nodes(&message.body) {
                    let error = Failure::new(100, "Not enough data-bearing nodes");
                    reply.document("writeConcernError", &error.write_concern_error());
                }
                reply.double("ok", 1.0);
                if is_stamped {
                    self.progress.stamp(&mut reply, member);
                }
                let document = reply.finish();
                if let Some((session, transaction_number)) = write {
                    let last = LastWrite {
                        transaction_number,
                        reply: document.clone(),
                    };
                    self.last_writes.insert(session.to_vec(), last);
                }
                Reply {
                    document,
                    documents,
                }
            }
        }
    }

    fn handle(
        &mut self,
        options: &MongoOptions,
        addresses: Addresses,
        member: Member,
        message: &Message,
    ) -> Result<Outcome, Failure> {
        let mut arguments = Arguments::new(message)?;
        let deployment = options.deployment;
        if is_handshake(arguments.command) {
            return Ok(handshake::hello(deployment, addresses, member).into());
        }
        if let Some(concern) = arguments.document("readConcern")? {
            self.progress.check_read_concern(deployment, concern)?;
        }
        member.check(&arguments, message)?;
        if options.require_auth {
            return Err(match arguments.command {
                "saslStart" => Failure::new(18, "Authentication failed."),
                command => Failure::new(13, format!("command {command} requires authentication")),
            });
        }
        let Self {
            catalog,
            cursors,
            progress,
            ..
        } = self;
        progress.advance(arguments.command);
        let catalog = match (&mut progress.held, member) {
            (Some((held, _)), Member::Secondary) => held,
            _ => catalog,
        };
        let namespace = |arguments: &Arguments<'_>| {
            let collection = arguments.target()?.to_owned();
            Ok::<_, Failure>(Namespace {
                database: arguments.database.to_owned(),
                collection,
            })
        };
        match arguments.command {
            "ping" | "endSessions" | "refreshSessions" => {
                arguments.finish()?;
                Ok(DocumentWriter::new().into())
            }
            "buildInfo" => {
                arguments.finish()?;
                Ok(handshake::build_info().into())
            }
            "find" => find::find(catalog, cursors, options, namespace(&arguments)?, arguments),
            "getMore" => find::get_more(catalog, cursors, options, arguments),
            "killCursors" => find::kill_cursors(cursors, arguments),
            "count" => find::count(catalog, &namespace(&arguments)?, arguments),
            "aggregate" => {
                aggregate::aggregate(catalog, cursors, options, namespace(&arguments)?, arguments)
            }
            "insert" => insert::insert(catalog, &namespace(&arguments)?, arguments),
            "delete" => delete::delete(catalog, &namespace(&arguments)?, arguments),
            "update" => update::update(catalog, &namespace(&arguments)?, arguments),
            "create" => collections::create(catalog, &namespace(&arguments)?, arguments),
            "drop" => collections::drop_collection(catalog, &namespace(&arguments)?, arguments),
            "renameCollection" => collections::rename(catalog, arguments),
            "dropDatabase" => collections::drop_database(catalog, arguments),
            "listDatabases" => collections::list_databases(catalog, arguments),
            "listCollections" => collections::list_collections(catalog, arguments),
            "collStats" => {
                let namespace = namespace(&arguments)?;
                collections::collection_statistics(catalog, options, &namespace, arguments)
            }
            "dbStats" => collections::database_statistics(catalog, options, arguments),
            "createIndexes" => index::create_indexes(catalog, &namespace(&arguments)?, arguments),
            "listIndexes" => index::list_indexes(catalog, &namespace(&arguments)?, arguments),
            unknown => Err(Failure::new(59, format!("no such command: '{unknown}'"))),
        }
    }
}

/// Session and transaction number of a write that its client may retry.
fn retryable_write(message: &Message) -> Option<(&[u8], i64)> {
    message.depth.ok()?;
    let transaction_number = get(&message.body, "txnNumber").and_then(number::integer)?;
    Some((get(&message.body, "lsid")?.bytes, transaction_number))
}
