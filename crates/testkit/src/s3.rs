//! A strict in-memory S3 server over TCP, for tests and the demo.
//!
//! It does less than S3 but is never lenient: signatures, payload hashes, checksums of parts and
//! whole objects, conditions, part sizes and part order are all checked, with AWS's error codes, so
//! that a tool that passes here passes on the real thing. It refuses what it does not implement. It
//! logs every request, lets a test decide the fate of each one ([`Gate`]), and can show and tamper
//! with what is stored. A real MinIO can stand behind it and execute in its place.

mod access;
mod attributes;
mod backend;
mod bad_bits;
mod buckets;
mod checksum;
mod connection;
mod contents;
mod gate;
mod listing;
mod lock;
mod minio;
mod multipart;
mod objects;
mod random_faults;
mod request;
mod role;
mod storage;
mod stored_object;
mod trap;
mod weaknesses;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use s3s::host::SingleDomain;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::gate::{Gate, Moment, Verdict, first, perhaps};
pub use self::random_faults::{FaultCounts, RandomFaults};
pub use self::request::{Operation, Request};
pub use self::role::{Denied, Role};
pub use self::stored_object::StoredObject;
pub use self::trap::{Catch, Trap};
pub use self::weaknesses::{Checksums, Conditions, Weaknesses};

use self::access::Access;
pub use self::access::HomeRegion;
use self::backend::{Backend, Keys};
use self::bad_bits::BadBits;
use self::checksum::{Algorithm, Checksum};
use self::connection::{Executor, Front, Log};
use self::contents::Contents;
use self::lock::lock;
use self::minio::Minio;
use self::storage::{Bucket, Storage};
use crate::real;
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
    /// Why a bed takes the double even where there are real servers: what only the double can do.
    pub double: Option<&'static str>,
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
            double: None,
        }
    }
}

impl S3Options {
    /// Why no real server will do, if so.
    fn needs_double(&self) -> Option<&'static str> {
        if self.weaknesses != Weaknesses::default() {
            return Some("a server with weaknesses");
        }
        if self.region.is_some() {
            return Some("a server of one region");
        }
        if self.domain.is_some() {
            return Some("buckets as hosts");
        }
        self.double
    }
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
    contents: Arc<dyn Contents>,
    bad_bits: BadBits,
    is_real: bool,
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
        let mut storage = Storage::default();
        for name in &options.buckets {
            storage.buckets.insert(name.clone(), Bucket::new());
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
            owner: options.owner.clone(),
            region: options.region.clone(),
            weaknesses: options.weaknesses,
        });
        if let Some(domain) = &options.domain {
            service.set_host(SingleDomain::new(domain).map_err(io::Error::other)?);
        }
        let executor = Executor::Double(service.build());
        Self::in_front_of(executor, storage, options).await
    }

    /// Starts a server for one bucket and one tool in front of a MinIO, if there is one and the
    /// options ask for nothing that only the double can do.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    pub(crate) async fn start_for(
        tool: &str,
        bucket: &str,
        mut options: S3Options,
    ) -> io::Result<Self> {
        options.buckets = vec![bucket.to_owned()];
        let Some(pool) = real::MINIOS.as_ref() else {
            return Self::start(options).await;
        };
        if let Some(reason) = options.needs_double() {
            crate::notes::on_double(reason);
            return Self::start(options).await;
        }
        crate::notes::on_real_server();
        options.access_key = tool.to_owned();
        let minio = Minio::take(pool, bucket).await;
        let contents = Arc::new(minio.clone());
        Self::in_front_of(Executor::Minio(minio), contents, options).await
    }

    async fn in_front_of(
        executor: Executor,
        contents: Arc<dyn Contents>,
        options: S3Options,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let log = Log::default();
        let gate = options.gate;
        let strikes = Strikes::new(gate.as_ref().is_some_and(|gate| gate.must_strike()));
        let is_real = matches!(executor, Executor::Minio(_));
        let bad_bits = BadBits::default();
        let front = Front {
            executor,
            bad_bits: bad_bits.clone(),
            log: Arc::clone(&log),
            gate,
            strikes: strikes.clone(),
            domain: options.domain.map(Into::into),
        };
        Ok(Self {
            address,
            access_key: options.access_key,
            secret_key: options.secret_key,
            contents,
            bad_bits,
            is_real,
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

    /// Whether a real server executes the requests.
    pub(crate) fn is_real(&self) -> bool {
        self.is_real
    }

    /// The answer expected from this server, where the double and MinIO are known to differ.
    pub fn either<T>(&self, double: T, minio: T) -> T {
        if self.is_real { minio } else { double }
    }

    /// The keys of a bucket in order; empty if the bucket does not exist.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.contents.keys(bucket)
    }

    /// Keys and ids of a bucket's open multipart uploads.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> Vec<(String, String)> {
        self.contents.open_uploads(bucket)
    }

    /// A stored object, read without a request.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        self.contents.object(bucket, key)
    }

    /// Stores an object without a request, with the ETag and CRC64NVME of its bytes. Metadata of an
    /// existing object is kept. The bucket is created if it does not exist.
    pub fn put_raw(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.bad_bits.forget(bucket, key);
        self.contents.put(bucket, key, bytes.into());
    }

    /// Removes an object without a request; returns whether it existed.
    pub fn remove(&self, bucket: &str, key: &str) -> bool {
        self.bad_bits.forget(bucket, key);
        self.contents.remove(bucket, key)
    }

    /// Flips one bit of a stored object (bit 0 is the lowest of byte 0) without updating its ETag
    /// and checksum, as a failing disk would: whoever fetches the object gets it so. Returns whether
    /// the object has such a bit.
    pub fn corrupt(&self, bucket: &str, key: &str, bit: usize) -> bool {
        let object = self.object(bucket, key);
        let has_bit = object.is_some_and(|object| bit / 8 < object.bytes.len());
        if has_bit {
            self.bad_bits.flip(bucket, key, bit);
        }
        has_bit
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
        self.strikes.assert_enough("S3");
    }
}
