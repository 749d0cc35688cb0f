//! TLS in front of any server: certificates made on the fly, and a listener that terminates TLS and
//! forwards the bytes.
//!
//! It knows nothing about the protocol, so it works in front of a testkit server and a real one
//! alike. If a client rejects its certificate, not one byte reaches the server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// A name that no resolver knows, though a proxy may. Every sound certificate includes it.
pub const UNRESOLVED: &str = "s3.nowhere.invalid";

/// A certificate authority. Clients trust it only if told to.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wrong with a certificate for 127.0.0.1 and localhost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is sound.
    None,
    /// It was issued for another host.
    OtherHost,
    /// It expired in 2020.
    Expired,
}

/// A certificate and its key.
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// Creates an authority that nobody trusts yet.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Clients look up an authority by its name.
        let name = format!("authority {}", Uuid::new_v4());
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key);
        issuer.map(Self).map_err(io::Error::other)
    }

    /// The authority's own certificate, for clients that are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs a certificate for a new key.
    ///
    /// # Errors
    ///
    /// Like [`Authority::new`].
    pub fn sign(&self, flaw: Flaw) -> io::Result<Identity> {
        let names: &[&str] = match flaw {
            Flaw::OtherHost => &["other.example"],
            Flaw::None | Flaw::Expired => &["127.0.0.1", "localhost", UNRESOLVED],
        };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "testkit");
        if flaw == Flaw::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0);
        let certificate = certificate.map_err(io::Error::other)?;
        Ok(Identity { certificate, key })
    }
}

impl Identity {
    /// The certificate and the key as the two files that servers read.
    #[must_use]
    pub fn pems(&self) -> [String; 2] {
        [self.certificate.pem(), self.key.serialize_pem()]
    }

    /// Certificate and key in one file, as a client keeps them.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem() + &self.key.serialize_pem()
    }
}

/// A running listener. Dropping it closes the port and all its connections.
pub struct TlsFront {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Listens in front of `upstream` (`http://host:port` or `host:port`) on the current tokio
    /// runtime, presenting `identity`. If `clients` is given, clients must present a certificate
    /// that it signed.
    ///
    /// # Errors
    ///
    /// If no port can be bound, or the identity is unusable.
    pub async fn start(
        upstream: &str,
        identity: &Identity,
        clients: Option<&Authority>,
    ) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            None => Arc::new(NoClientAuth),
            Some(authority) => {
                let mut trusted = RootCertStore::empty();
                let certificate = authority.0.der().clone();
                trusted.add(certificate).map_err(io::Error::other)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    Arc::new(trusted),
                    Arc::clone(&provider),
                );
                verifier.build().map_err(io::Error::other)?
            }
        };
        let key =
            PrivateKeyDer::try_from(identity.key.serialize_der()).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![identity.certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::listen(move |client| end_tls(client, acceptor.clone(), Arc::clone(&upstream))).await
    }

    /// A server that supports TLS 1.0 and nothing newer.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn tls_1_0() -> io::Result<Self> {
        Self::listen(choose_tls_1_0).await
    }

    async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        connections.spawn(serve(client));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { address, task })
    }

    /// Host and port for clients to use.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for S3 clients to use.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn end_tls(client: TcpStream, acceptor: TlsAcceptor, upstream: Arc<str>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(&*upstream).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Answers any offer with TLS 1.0, following RFC 2246.
async fn choose_tls_1_0(mut client: TcpStream) -> io::Result<()> {
    const VERSION: [u8; 2] = [3, 1];
    const RANDOM: [u8; 32] = [7; 32];
    // No session id; TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA; no compression.
    const CHOICE: [u8; 4] = [0, 0xc0, 0x14, 0];
    let mut hello = [0; 5];
    client.read_exact(&mut hello).await?;
    let length = u16::from_be_bytes([hello[3], hello[4]]);
    client.read_exact(&mut vec![0; length.into()]).await?;
    // A handshake record with a 38-byte server hello.
    let heads = [&[22], &VERSION[..], &[0, 42, 2, 0, 0, 38]].concat();
    let answer = [&heads, &VERSION[..], &RANDOM, &CHOICE].concat();
    client.write_all(&answer).await?;
    // Drain whatever the client answers.
    client.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
