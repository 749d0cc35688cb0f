//! Servers that no connection reaches: each tool says so in time.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures::future::join_all;
use lob_testkit::fault_fired;
use lob_tests::servers::Gates;
use lob_tests::tool::Ended;
use tokio::net::{TcpListener, TcpSocket};

use crate::{Bed, IMPORT};

/// An address that no handshake with completes: its queue is full, and nobody takes from it.
struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let mut queued = Vec::new();
        while let Ok(stream) = connect() {
            queued.push(stream);
            assert!(queued.len() < 1000, "the queue never fills");
        }
        Self {
            address,
            _listener: listener,
            _queued: queued,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_no_connection_reaches_is_named_by_every_tool() {
    let bed = Bed::small(Gates::default()).await;
    bed.run("lob-export", &[], &[]).await.with_status(0);
    let hole = BlackHole::new();
    let address = hole.address;
    let s3 = ("AWS_ENDPOINT_URL", format!("http://{address}"));
    let mongodb = ("MONGODB_URI", format!("mongodb://{address}/"));
    let cases = [
        ("lob-upload", &["verify", "r1"][..], &s3),
        ("lob-export", &["--run-id", "r2"], &s3),
        ("lob-import", &IMPORT, &s3),
        ("lob-export", &["--run-id", "r2"], &mongodb),
        ("lob-import", &IMPORT, &mongodb),
    ];
    let times = ["--connect-timeout", "1s", "--retry-timeout", "3s"];
    let ended = join_all(cases.map(async |(tool, arguments, (variable, value))| {
        let arguments = [arguments, &times].concat();
        let mut command = bed.servers.tool(tool, &arguments);
        Ended::from(command.env(variable, value).output().await.unwrap())
    }));
    for ((tool, _, (variable, _)), ended) in cases.into_iter().zip(ended.await) {
        let told = ended.with_status(1).stderr;
        let option = match *variable {
            "MONGODB_URI" => "--mongodb-uri",
            _ => "--endpoint-url",
        };
        for words in [option, &address.to_string()] {
            assert!(told.contains(words), "{tool}, {variable}: {told}");
        }
        assert!(!told.contains("--part-size"), "{tool}, {variable}: {told}");
    }
    fault_fired("B2");
}
