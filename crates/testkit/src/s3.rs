//! A strict in-memory S3 server over TCP, for tests and the demo.
//!
//! It does less than S3 but is never lenient: signatures, payload hashes, checksums of parts and
//! whole objects, conditions, part sizes and part order are all checked, with AWS's error codes, so
//! that a tool that passes here passes on the real thing. It refuses what it does not implement. It
//! logs every request, lets a test decide the fate of each one ([`Gate`]), and can show and tamper
//! with what is stored.

mod access;
mod attributes;
mod backend;
mod buckets;
mod checksum;
mod connection;
mod gate;
mod listing;
mod multipart;
mod objects;
mod random_faults;
mod request;
mod role;
mod storage;
mod trap;
mod weaknesses;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use s3s::host::SingleDomain;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::gate::{Gate, Moment, Verdict, first, perhaps};
pub use self::random_faults::{FaultCounts, RandomFaults};
pub use self::request::{Operation, Request};
pub use self::role::{Denied, Role};
pub use self::trap::{Catch, Trap};
pub use self::weaknesses::{Checksums, Conditions, Weaknesses};

use self::access::Access;
pub use self::access::HomeRegion;
use self::backend::{Backend, Keys};
use self::checksum::{Algorithm, Checksum};
use self::connection::{Front, Log, lock};
use self::storage::{Bucket, Object, Storage};
use crate::strikes::Strikes;

/// How to start an [`S3Server`].
pub struct S3Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The only access key that the server accepts.
    pub access_key: String,
    /// Its secret key.
    pub secret_key: String,
    /// Buckets that exist from the start.
    pub buckets: Vec<String>,
    /// Decides what happens to each request; without a gate, all pass.
    pub gate: Option<Arc<dyn Gate>>,
    /// Account id of the owner of all buckets; `x-amz-expected-bucket-owner` must name it.
    pub owner: String,
    /// Serves buckets as hosts below this domain (`host:port`); without one, buckets are in paths.
    pub domain: Option<String>,
    /// The region of all buckets; without one, any region is accepted.
    pub region: Option<HomeRegion>,
    /// Features of S3 that the server lacks; none by default.
    pub weaknesses: Weaknesses,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            port: 0,
            access_key: "testkit-access-key".to_owned(),
            secret_key: crate::canaries::SECRET_KEY.to_owned(),
            buckets: Vec::new(),
            gate: None,
            owner: "111122223333".to_owned(),
            domain: None,
            region: None,
            weaknesses: Weaknesses::default(),
        }
    }
}

/// A stored object, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The whole content.
    pub bytes: Bytes,
    /// ETag without quotes.
    pub etag: String,
    /// User metadata; names in lower case without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// CRC64NVME in base64, as HEAD reports it; `None` if the object was stored with another
    /// checksum, or the server keeps none.
    pub crc64nvme: Option<String>,
    /// Storage class; `None` for `STANDARD`.
    pub storage_class: Option<String>,
    /// `AES256` or `aws:kms`, if the client asked for it.
    pub server_side_encryption: Option<String>,
    /// The KMS key that the client named.
    pub kms_key_id: Option<String>,
}

/// The CRC64NVME of some bytes in base64, as S3 writes it.
#[must_use]
pub fn crc64nvme(bytes: &[u8]) -> String {
    Checksum::of(Algorithm::Crc64Nvme, &[bytes]).value
}

/// A running server. Dropping it closes the port and all its connections.
pub struct S3Server {
    address: SocketAddr,
    access_key: String,
    secret_key: String,
    storage: Arc<Mutex<Storage>>,
    log: Log,
    strikes: Strikes,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Starts a server on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    pub async fn start(options: S3Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let mut storage = Storage::default();
        for name in options.buckets {
            storage.buckets.insert(name, Bucket::new());
        }
        let storage = Arc::new(Mutex::new(storage));
        let mut service = S3ServiceBuilder::new(Backend {
            storage: Arc::clone(&storage),
            weaknesses: options.weaknesses,
        });
        service.set_auth(Keys {
            access_key: options.access_key.clone(),
            secret_key: options.secret_key.clone(),
        });
        service.set_access(Access {
            owner: options.owner,
            region: options.region,
            weaknesses: options.weaknesses,
        });
        if let Some(domain) = &options.domain {
            service.set_host(SingleDomain::new(domain).map_err(io::Error::other)?);
        }
        let log = Log::default();
        let gate = options.gate;
        let strikes = Strikes::new(gate.as_ref().is_some_and(|gate| gate.must_strike()));
        let front = Front {
            service: service.build(),
            log: Arc::clone(&log),
            gate,
            strikes: strikes.clone(),
            domain: options.domain.map(Into::into),
        };
        Ok(Self {
            address,
            access_key: options.access_key,
            secret_key: options.secret_key,
            storage,
            log,
            strikes,
            task: tokio::spawn(connection::accept(listener, front)),
        })
    }

    /// The URL for clients to use. They must use path-style addressing unless there is a domain.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The access key that the server accepts.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The matching secret key.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Every request so far, in the order their heads arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log).clone()
    }

    /// The keys of a bucket in order; empty if the bucket does not exist.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let storage = self.storage();
        let bucket = storage.buckets.get(bucket);
        bucket
            .map(|bucket| bucket.objects.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Keys and ids of a bucket's open multipart uploads.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> Vec<(String, String)> {
        let storage = self.storage();
        let bucket = storage.buckets.get(bucket);
        bucket
            .map(|bucket| bucket.uploads.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// A stored object, read without a request.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        let storage = self.storage();
        let object = storage.buckets.get(bucket)?.objects.get(key)?;
        let attributes = object.attributes.clone();
        let encryption = attributes.encryption;
        Some(StoredObject {
            bytes: object.content.concat().into(),
            etag: object.etag.clone(),
            metadata: attributes.metadata.into_iter().collect(),
            crc64nvme: object
                .checksum
                .as_ref()
                .filter(|checksum| checksum.algorithm == Algorithm::Crc64Nvme)
                .map(|checksum| checksum.value.clone()),
            storage_class: attributes
                .storage_class
                .map(|class| class.as_str().to_owned()),
            server_side_encryption: encryption.algorithm.map(|sse| sse.as_str().to_owned()),
            kms_key_id: encryption.kms_key_id,
        })
    }

    /// Stores an object without a request, with the ETag and CRC64NVME of its bytes. Metadata of an
    /// existing object is kept. The bucket is created if it does not exist.
    pub fn put_raw(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let content = vec![bytes.into()];
        let checksum = Checksum::of(Algorithm::Crc64Nvme, &content);
        let mut storage = self.storage();
        let bucket = storage
            .buckets
            .entry(bucket.to_owned())
            .or_insert_with(Bucket::new);
        let attributes = bucket
            .objects
            .get(key)
            .map(|object| object.attributes.clone());
        let object = Object::put(content, Some(checksum), attributes.unwrap_or_default());
        bucket.objects.insert(key.to_owned(), object);
    }

    /// Removes an object without a request; returns whether it existed.
    pub fn remove(&self, bucket: &str, key: &str) -> bool {
        let mut storage = self.storage();
        let bucket = storage.buckets.get_mut(bucket);
        bucket.is_some_and(|bucket| bucket.objects.remove(key).is_some())
    }

    /// Flips one bit of a stored object (bit 0 is the lowest of byte 0) without updating its ETag
    /// and checksum, as a failing disk would. Returns whether the object has such a bit.
    pub fn corrupt(&self, bucket: &str, key: &str, bit: usize) -> bool {
        let mut storage = self.storage();
        let object = storage
            .buckets
            .get_mut(bucket)
            .and_then(|b| b.objects.get_mut(key));
        let Some(object) = object else { return false };
        let mut bytes = object.content.concat();
        let Some(byte) = bytes.get_mut(bit / 8) else {
            return false;
        };
        *byte ^= 1 << (bit % 8);
        object.content = vec![bytes.into()];
        true
    }

    fn storage(&self) -> MutexGuard<'_, Storage> {
        lock(&self.storage)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
        self.strikes.assert_enough("S3");
    }
}
