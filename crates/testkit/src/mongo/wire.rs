//! Frames of the MongoDB wire protocol: OP_MSG in, OP_MSG out.
//!
//! Drivers have used nothing else since MongoDB 3.6. Older opcodes, and messages whose length field
//! is wrong, close the connection.

use std::io;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::element;

/// The largest message in bytes, header included; `hello` reports it to clients.
pub(crate) const MAX_MESSAGE_BYTES: usize = 48_000_000;

const HEADER_BYTES: usize = 16;
const OP_MSG: i32 = 2013;
const CHECKSUM_PRESENT: u32 = 1;
const MORE_TO_COME: u32 = 1 << 1;
const EXHAUST_ALLOWED: u32 = 1 << 16;

/// One request. Its documents are slices of the message as read.
pub(crate) struct Message {
    pub(crate) id: i32,
    /// The client does not wait for a reply and must not get one.
    pub(crate) more_to_come: bool,
    pub(crate) body: Bytes,
    pub(crate) sequence: Option<Sequence>,
    /// How deep the documents nest. Invalid BSON gets an error reply, not a closed connection.
    pub(crate) depth: Result<usize, element::Malformed>,
    /// Everything after the header.
    payload: Bytes,
}

/// A kind-1 section: documents that belong in the body under a name.
pub(crate) struct Sequence {
    pub(crate) name: Bytes,
    pub(crate) documents: Vec<Bytes>,
}

/// Reads the next request; `None` if the client has disconnected.
///
/// # Errors
///
/// `InvalidData` if it is not an OP_MSG, or the connection's error.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Message>> {
    let mut header = [0; HEADER_BYTES];
    match stream.read_exact(&mut header).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let mut header = &header[..];
    let length = usize::try_from(header.get_i32_le()).unwrap_or_default();
    let id = header.get_i32_le();
    let _response_to = header.get_i32_le();
    if header.get_i32_le() != OP_MSG || !(HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        return Err(invalid("not an OP_MSG of an allowed size"));
    }
    let mut payload = vec![0; length - HEADER_BYTES];
    stream.read_exact(&mut payload).await?;
    parse(id, payload.into()).map(Some)
}

fn parse(id: i32, mut payload: Bytes) -> io::Result<Message> {
    let whole = payload.clone();
    let flags = payload.try_get_u32_le().map_err(|_| invalid("no flags"))?;
    if flags & !(CHECKSUM_PRESENT | MORE_TO_COME | EXHAUST_ALLOWED) != 0 {
        return Err(invalid("unknown flag"));
    }
    if flags & CHECKSUM_PRESENT != 0 {
        let end = payload
            .len()
            .checked_sub(4)
            .ok_or_else(|| invalid("no checksum"))?;
        payload.truncate(end);
    }
    let (mut body, mut sequence, mut depth) = (None, None, Ok(0));
    while payload.has_remaining() {
        match payload.get_u8() {
            0 if body.is_none() => {
                let document = take_document(&mut payload)?;
                depth = deepest(depth, &document);
                body = Some(document);
            }
            1 if sequence.is_none() => {
                let (name, documents) = take_sequence(&mut payload)?;
                for document in &documents {
                    depth = deepest(depth, document);
                }
                sequence = Some(Sequence { name, documents });
            }
            _ => return Err(invalid("unknown or repeated section")),
        }
    }
    let body = body.ok_or_else(|| invalid("no body"))?;
    Ok(Message {
        id,
        more_to_come: flags & MORE_TO_COME != 0,
        body,
        sequence,
        depth,
        payload: whole,
    })
}

impl Message {
    /// A command as if a client had sent it.
    pub(crate) fn of(command: &[u8]) -> Self {
        Self {
            id: 0,
            more_to_come: false,
            body: Bytes::copy_from_slice(command),
            sequence: None,
            depth: element::validate(command),
            payload: Bytes::new(),
        }
    }
}

fn deepest(
    so_far: Result<usize, element::Malformed>,
    document: &[u8],
) -> Result<usize, element::Malformed> {
    Ok(so_far?.max(element::validate(document)?))
}

fn take_sequence(payload: &mut Bytes) -> io::Result<(Bytes, Vec<Bytes>)> {
    let mut section = take_framed(payload)?;
    section.advance(4);
    let end = section.iter().position(|byte| *byte == 0);
    let name = section.split_to(end.ok_or_else(|| invalid("no sequence name"))?);
    section.advance(1);
    let mut documents = Vec::new();
    while section.has_remaining() {
        documents.push(take_document(&mut section)?);
    }
    Ok((name, documents))
}

fn take_document(bytes: &mut Bytes) -> io::Result<Bytes> {
    let document = take_framed(bytes)?;
    if document.len() < 5 {
        Err(invalid("document too short"))
    } else {
        Ok(document)
    }
}

/// Takes as many bytes as the first four of them say.
fn take_framed(bytes: &mut Bytes) -> io::Result<Bytes> {
    let length = bytes
        .first_chunk()
        .map_or(0, |prefix| i32::from_le_bytes(*prefix));
    match usize::try_from(length) {
        Ok(length) if (4..=bytes.len()).contains(&length) => Ok(bytes.split_to(length)),
        _ => Err(invalid("section longer than its message")),
    }
}

/// A request as it was read.
pub(crate) fn request(message: &Message) -> Vec<u8> {
    let length = HEADER_BYTES + message.payload.len();
    let mut request = Vec::with_capacity(length);
    for field in [length as i32, message.id, 0, OP_MSG] {
        request.extend_from_slice(&field.to_le_bytes());
    }
    request.extend_from_slice(&message.payload);
    request
}

/// Reads a reply and returns its document.
///
/// # Errors
///
/// `InvalidData` if it is not an OP_MSG with one document, or the connection's error.
pub(crate) async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let reply = read(stream).await?;
    let reply = reply.ok_or(io::ErrorKind::UnexpectedEof)?;
    match reply.sequence {
        None => Ok(reply.body.into()),
        Some(_) => Err(invalid("a reply with a sequence")),
    }
}

/// A complete reply to the request `response_to`.
pub(crate) fn reply(id: i32, response_to: i32, body: &[u8]) -> Vec<u8> {
    let length = HEADER_BYTES + 4 + 1 + body.len();
    let mut message = Vec::with_capacity(length);
    for field in [length as i32, id, response_to, OP_MSG, 0] {
        message.extend_from_slice(&field.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(body);
    message
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
