//! Names of servers: those with nothing but an IPv6 address, and those whose address changes.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use lob_testkit::s3::{Moment, Operation, Request, Verdict, perhaps};
use lob_testkit::{fault_fired, skipped};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::bed::{Bed, finish};

/// Another address of a server, until it is dropped.
struct Address {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Address {
    async fn of(upstream: String, address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&upstream).await.unwrap();
                connections.spawn(async move {
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn upstream(bed: &Bed) -> String {
    bed.s3.endpoint().replace("http://", "")
}

#[tokio::test]
async fn a_server_with_nothing_but_an_ipv6_address_works() {
    let bed = Bed::new().await;
    let feeds = bed.feeds();
    let Ok(server) = Address::of(upstream(&bed), "[::1]:0").await else {
        return skipped("this machine has no IPv6");
    };
    let endpoint = format!("http://{}", server.address);
    bed.upload(&["--endpoint-url", &endpoint]).await.expect(0);
    bed.assert_whole(&feeds);
}

/// Runs the binary, for which the file `hosts` in the working directory is that of the system.
const WITH_HOSTS: &str =
    "exec unshare -rm sh -c 'mount --bind hosts /etc/hosts && exec \"$@\"' sh \"$0\" \"$@\"";

#[tokio::test]
async fn a_server_whose_address_changes_midway_is_found_again() {
    let namespaces = Command::new("unshare").args(["-rm", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        return skipped("this machine has no mount namespaces");
    }
    let old = Arc::new(Mutex::new(None::<Address>));
    let hosts = Arc::new(Mutex::new(std::path::PathBuf::new()));
    let (gone, renamed) = (Arc::clone(&old), Arc::clone(&hosts));
    // It is the address that fails.
    let bed = Bed::gated(perhaps(move |moment, request: &Request| {
        let is_part = request.operation == Operation::UploadPart;
        if moment == Moment::Arrived && is_part && request.key.ends_with("big.parquet") {
            std::fs::write(&*renamed.lock().unwrap(), "127.0.0.2 store.test\n").unwrap();
            // Ends all connections.
            gone.lock().unwrap().take();
        }
        Verdict::Pass
    }))
    .await;
    let feeds = bed.feeds();
    bed.write("hosts", "127.0.0.1 store.test\n");
    *hosts.lock().unwrap() = bed.path("hosts");
    let first = Address::of(upstream(&bed), "127.0.0.1:0").await.unwrap();
    let port = first.address.port();
    *old.lock().unwrap() = Some(first);
    let new = Address::of(upstream(&bed), &format!("127.0.0.2:{port}")).await;
    let _new = new.unwrap();
    let endpoint = format!("http://store.test:{port}");
    let args = ["--run-id", "run-1", "--endpoint-url", &endpoint];
    let child = bed.through_shell(WITH_HOSTS, &args).spawn().unwrap();
    let log = finish(child).await.expect(0).stderr;
    assert!(old.lock().unwrap().is_none());
    assert!(log.contains("s3 request failed"), "{log}");
    bed.assert_whole(&feeds);
    fault_fired("B16");
}
