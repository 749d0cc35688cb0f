//! A corporate-style HTTP proxy: the only host that can resolve some names.
//!
//! It accepts requests in absolute form and `CONNECT`, one per connection, and logs each request.
//! It answers 502 for a name it does not know, and 407 for a request without the password it wants.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The longest request head it reads.
const MAX_HEAD: usize = 64 << 10;

/// A running proxy. Dropping it closes the port and all its connections.
pub struct HttpProxy {
    address: SocketAddr,
    names: Arc<Names>,
    task: JoinHandle<()>,
}

/// State shared by all connections.
struct Names {
    /// The only authority (`host:port`) it knows, and the address it resolves to.
    known: (String, String),
    /// `user:password`, if it asks for one.
    login: Option<String>,
    seen: Mutex<Vec<String>>,
}

impl HttpProxy {
    /// Starts a proxy that resolves only `authority` (`host:port`), to `upstream`
    /// (`http://host:port`). If `login` (`user:password`) is given, clients must present it.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn start(authority: &str, upstream: &str, login: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let upstream = upstream.trim_start_matches("http://");
        let names = Arc::new(Names {
            known: (authority.to_owned(), upstream.to_owned()),
            login: login.map(str::to_owned),
            seen: Mutex::default(),
        });
        Ok(Self {
            address,
            task: tokio::spawn(accept(listener, Arc::clone(&names))),
            names,
        })
    }

    /// Host and port for clients to use.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Method and target of every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.names.seen().clone()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, names: Arc<Names>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let names = Arc::clone(&names);
                    // A broken connection concerns only its two ends.
                    connections.spawn(async move { names.serve(client).await.is_ok() });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Names {
    fn seen(&self) -> MutexGuard<'_, Vec<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, rest) = read_head(&mut client).await?;
        let (request, headers) = head.split_once("\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let mut words = request.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return refuse(&mut client, "400 Bad Request").await;
        };
        self.seen().push(format!("{method} {target}"));
        if !self.permits(headers) {
            return refuse(&mut client, "407 Proxy Authentication Required").await;
        }
        let absolute = target.strip_prefix("http://");
        let (authority, path) = match absolute.map(|rest| rest.split_at_checked(rest.find('/')?)) {
            _ if method == "CONNECT" => (target, None),
            Some(Some((authority, path))) => (authority, Some(path)),
            _ => return refuse(&mut client, "400 Bad Request").await,
        };
        if authority != self.known.0 {
            return refuse(&mut client, "502 Bad Gateway").await;
        }
        let mut server = TcpStream::connect(&self.known.1).await?;
        match path {
            None => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?,
            Some(path) => {
                let own = |line: &&str| !line.to_ascii_lowercase().starts_with("proxy-");
                let headers: Vec<_> = headers.split("\r\n").filter(own).collect();
                let headers = headers.join("\r\n");
                let head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}");
                server.write_all(head.as_bytes()).await?;
            }
        }
        server.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    fn permits(&self, headers: &str) -> bool {
        let Some(login) = &self.login else {
            return true;
        };
        let wanted = format!("basic {}", BASE64_STANDARD.encode(login));
        headers.split("\r\n").any(|line| {
            line.split_once(": ").is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("proxy-authorization")
                    && value.eq_ignore_ascii_case(&wanted)
            })
        })
    }
}

/// Reads up to the empty line that ends the head; returns the head and any bytes read past it.
async fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    while read.len() < MAX_HEAD {
        if client.read_buf(&mut read).await? == 0 {
            break;
        }
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            let head = String::from_utf8(read).map_err(io::Error::other)?;
            return Ok((head, rest));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

async fn refuse(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(reply.as_bytes()).await?;
    client.shutdown().await
}
