//! Authentication with MONGODB-AWS, as the driver specification `auth` describes it.
//!
//! The client signs a request to AWS STS that holds the server's nonce. The real server has STS
//! judge it; this one knows the secret key and computes the signature itself, by the documentation
//! of Signature Version 4.

use bson::spec::{BinarySubtype, ElementType};
use bson::{Binary, Document, doc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::element::get;
use super::failure::Failure;
use super::number;
use super::wire::Message;
use crate::document_writer::DocumentWriter;

const STS_HOST: &str = "sts.eu-west-1.amazonaws.com";
const REGION: &str = "eu-west-1";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const NONCE_BYTES: usize = 32;
/// Headers that must be signed: without them, a signature could be replayed.
const SIGNED: [&str; 4] = [
    "host",
    "x-amz-date",
    "x-mongodb-gs2-cb-flag",
    "x-mongodb-server-nonce",
];

/// The one user of a server that wants MONGODB-AWS.
#[derive(Clone, Debug)]
pub struct AwsUser {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

/// How far one connection has come.
#[derive(Default)]
pub(crate) enum Login {
    #[default]
    None,
    /// The nonce that the client must sign.
    Challenged([u8; 2 * NONCE_BYTES]),
    Done,
}

impl Login {
    /// The reply to a command of authentication, and to any other before it; `None` where the
    /// command is to be executed.
    pub(crate) fn answer(&mut self, user: &AwsUser, message: &Message) -> Option<Vec<u8>> {
        let command = super::element::elements(&message.body).next()?.name;
        let step = match (command, &*self) {
            (b"hello" | b"isMaster" | b"ismaster", _) => return None,
            (b"saslStart", _) => self.challenge(message),
            (b"saslContinue", Self::Challenged(nonce)) => {
                let checked = check(user, message, nonce);
                *self = match checked {
                    Ok(_) => Self::Done,
                    Err(_) => Self::None,
                };
                checked
            }
            (_, Self::Done) => return None,
            (command, _) => {
                let command = String::from_utf8_lossy(command);
                let refused = format!("command {command} requires authentication");
                return Some(Failure::new(13, refused).reply(false).finish());
            }
        };
        Some(match step {
            Ok((payload, is_done)) => {
                let mut reply = DocumentWriter::new();
                reply.int32("conversationId", 1).boolean("done", is_done);
                reply.element(ElementType::Binary, b"payload", &binary(&payload));
                reply.double("ok", 1.0);
                reply.finish()
            }
            Err(reason) => {
                let refused = format!("Authentication failed: {reason}");
                Failure::new(18, refused).reply(false).finish()
            }
        })
    }

    fn challenge(&mut self, message: &Message) -> Result<(Vec<u8>, bool), &'static str> {
        let mechanism = get(&message.body, "mechanism").and_then(super::arguments::as_str);
        if mechanism != Some("MONGODB-AWS") {
            return Err("another mechanism");
        }
        let first = payload(message)?;
        let client = first.get_binary_generic("r").map_err(|_| "no nonce")?;
        if client.len() != NONCE_BYTES || first.get_i32("p").ok() != Some(i32::from(b'n')) {
            return Err("a nonce of 32 bytes and no channel binding are expected");
        }
        let mut nonce: [u8; 2 * NONCE_BYTES] = rand::random();
        nonce[..NONCE_BYTES].copy_from_slice(client);
        let bytes = nonce.to_vec();
        let subtype = BinarySubtype::Generic;
        let challenge = doc! { "s": Binary { subtype, bytes }, "h": STS_HOST };
        *self = Self::Challenged(nonce);
        Ok((challenge.to_vec().map_err(|_| "no BSON")?, false))
    }
}

/// Whether the client signed with the keys of the user.
fn check(user: &AwsUser, message: &Message, nonce: &[u8]) -> Result<(Vec<u8>, bool), &'static str> {
    if get(&message.body, "conversationId").and_then(number::integer) != Some(1) {
        return Err("another conversation");
    }
    let second = payload(message)?;
    let authorization = second.get_str("a").map_err(|_| "no signature")?;
    let date = second.get_str("d").map_err(|_| "no date")?;
    if second.get_str("t").ok() != user.session_token.as_deref() {
        return Err("another session token");
    }
    let (credential, rest) = authorization
        .strip_prefix("AWS4-HMAC-SHA256 Credential=")
        .and_then(|rest| rest.split_once(", SignedHeaders="))
        .ok_or("another algorithm")?;
    let (signed, signature) = rest
        .split_once(", Signature=")
        .ok_or("no list of signed headers")?;
    let day = date.get(..8).ok_or("no date")?;
    let scope = format!("{day}/{REGION}/sts/aws4_request");
    if credential != format!("{}/{scope}", user.access_key_id) {
        return Err("another access key id or scope");
    }
    let names: Vec<&str> = signed.split(';').collect();
    if !SIGNED.iter().all(|name| names.contains(name)) {
        return Err("a header that must be signed is not");
    }
    let mut headers = String::new();
    for name in names {
        let value = match name {
            "host" => STS_HOST.to_owned(),
            "content-type" => "application/x-www-form-urlencoded".to_owned(),
            "content-length" => BODY.len().to_string(),
            "x-amz-date" => date.to_owned(),
            "x-amz-security-token" => user.session_token.clone().ok_or("a token is signed")?,
            "x-mongodb-gs2-cb-flag" => "n".to_owned(),
            "x-mongodb-server-nonce" => base64(nonce),
            _ => return Err("an unknown header is signed"),
        };
        headers += &format!("{name}:{value}\n");
    }
    let body = sha256(BODY);
    let request = sha256(&format!("POST\n/\n\n{headers}\n{signed}\n{body}"));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
    let secret = format!("AWS4{}", user.secret_access_key);
    let key = [day, REGION, "sts", "aws4_request", &to_sign]
        .into_iter()
        .fold(secret.into_bytes(), |key, text| hmac(&key, text));
    match hex::encode(key) == signature {
        true => Ok((Vec::new(), true)),
        false => Err("the signature is of other keys"),
    }
}

fn payload(message: &Message) -> Result<Document, &'static str> {
    let payload = get(&message.body, "payload").ok_or("no payload")?;
    // The length and the subtype stand before the bytes.
    let bytes = payload.bytes.get(5..).ok_or("no payload")?;
    Document::from_reader(bytes).map_err(|_| "the payload is no BSON")
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_le_bytes();
    [&length, &[0][..], bytes].concat()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[allow(clippy::expect_used, reason = "a key of HMAC has any length")]
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
