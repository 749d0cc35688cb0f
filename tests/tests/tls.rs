//! TLS to both servers: one setting names a private authority for both, both trust the system's
//! authorities, and a server that cannot be trusted is named and gets nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use lob_testkit::fault_fired;
use lob_testkit::http_proxy::HttpProxy;
use lob_testkit::parquet_files::{FeedSize, ParquetFeed};
use lob_testkit::proxy::{Act, Place, Proxy, Rule};
use lob_testkit::split_documents::SplitDocuments;
use lob_testkit::tls::{Authority, Flaw, TlsFront, UNRESOLVED};
use lob_tests::servers::{Gates, Servers};
use lob_tests::tool::Ended;
use tempfile::TempDir;

const RUN: [&str; 2] = ["--run-id", "r1"];

/// A test's servers, an authority, and a folder for what it signs.
struct Bed {
    servers: Servers,
    authority: Authority,
    folder: TempDir,
}

impl Bed {
    async fn new(servers: Servers) -> Self {
        let documents: Vec<_> = SplitDocuments::new(7, 20).take(100).collect();
        servers.insert("split_0_input", &documents).await;
        Self {
            servers,
            authority: Authority::new().unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The file a client needs to trust the authority.
    fn bundle(&self) -> PathBuf {
        self.write("ca.pem", self.authority.pem())
    }

    async fn before_s3(&self, flaw: Flaw) -> TlsFront {
        let identity = self.authority.sign(flaw).unwrap();
        let front = TlsFront::start(&self.servers.s3_endpoint, &identity, None);
        front.await.unwrap()
    }

    async fn before_mongodb(&self, flaw: Flaw, clients: Option<&Authority>) -> TlsFront {
        let identity = self.authority.sign(flaw).unwrap();
        let upstream = self.servers.mongodb_uri.split('/').nth(2).unwrap();
        TlsFront::start(upstream, &identity, clients).await.unwrap()
    }

    /// Runs both tools over TLS to both servers, with one more environment variable.
    async fn out_and_back(&self, (variable, value): (&str, &Path)) {
        let s3 = self.before_s3(Flaw::None).await;
        let mongodb = self.before_mongodb(Flaw::None, None).await;
        let back = [&RUN[..], &["--collection-pattern", "back_{N}"]].concat();
        for (tool, arguments) in [("lob-export", &RUN[..]), ("lob-import", &back)] {
            let mut command = self.servers.tool(tool, arguments);
            command
                .env("AWS_ENDPOINT_URL", s3.endpoint())
                .env("MONGODB_URI", uri(&mongodb, ""))
                .env(variable, value);
            Ended::from(command.output().await.unwrap()).with_status(0);
        }
        let database = &self.servers.database;
        let source = self.servers.documents(database, "split_0_input").await;
        assert_eq!(source.len(), 100);
        assert_eq!(self.servers.documents(database, "back_0").await, source);
    }

    /// Runs an export that trusts the bundle, with one variable overridden.
    async fn export(&self, variable: &str, value: &str) -> Ended {
        let mut command = self.servers.tool("lob-export", &RUN);
        command
            .env("LOB_CA_BUNDLE", self.bundle())
            .env(variable, value);
        command.output().await.unwrap().into()
    }

    /// How many requests and commands the doubles have received since the bed was made.
    fn asked(&self) -> [usize; 2] {
        let doubles = self.servers.doubles.as_ref().unwrap();
        [doubles.s3.requests().len(), doubles.mongo.commands().len()]
    }
}

/// A connection string for one server only, even if it names others.
fn uri(front: &TlsFront, options: &str) -> String {
    let address = front.address();
    format!(
        "mongodb://{address}/?tls=true&directConnection=true&serverSelectionTimeoutMS=2000{options}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ca_bundle_is_trusted_for_s3_and_mongodb() {
    let bed = Bed::new(Servers::start().await).await;
    bed.out_and_back(("AWS_CA_BUNDLE", &bed.bundle())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tools_reach_a_server_that_only_the_proxy_can_resolve() {
    let bed = Bed::new(Servers::start().await).await;
    let s3 = bed.before_s3(Flaw::None).await;
    let authority = format!("{UNRESOLVED}:9000");
    let upstream = s3.address().to_string();
    let proxy = HttpProxy::start(&authority, &upstream, Some("user:opensesame")).await;
    let proxy = proxy.unwrap();
    for (name, size) in [("a", 12 << 20), ("b", 1000), ("c", 6 << 20)] {
        let feed = ParquetFeed {
            seed: 7,
            size: FeedSize::Bytes(size),
            levels: 5,
        };
        feed.write(&bed.folder.path().join(format!("{name}.parquet")))
            .unwrap();
    }
    let source = bed.folder.path().to_str().unwrap();
    let sent = [
        "--run-id",
        "sent",
        "--part-size",
        "5MiB",
        "--source-dir",
        source,
    ];
    let back = [&RUN[..], &["--collection-pattern", "back_{N}"]].concat();
    for (tool, arguments) in [
        ("lob-upload", &sent[..]),
        ("lob-upload", &["verify", "sent", "--full"]),
        ("lob-export", &RUN),
        ("lob-import", &back),
    ] {
        let mut command = bed.servers.tool(tool, arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("https://{authority}"))
            .env("LOB_CA_BUNDLE", bed.bundle())
            .env(
                "HTTPS_PROXY",
                format!("http://user:opensesame@{}", proxy.address()),
            );
        Ended::from(command.output().await.unwrap()).with_status(0);
    }
    let database = &bed.servers.database;
    let source = bed.servers.documents(database, "split_0_input").await;
    assert_eq!(bed.servers.documents(database, "back_0").await, source);
    let tunnel = format!("CONNECT {authority}");
    assert!(proxy.seen().iter().all(|seen| *seen == tunnel));
}

#[tokio::test(flavor = "multi_thread")]
async fn system_authorities_are_trusted_for_s3_and_mongodb() {
    let bed = Bed::new(Servers::start().await).await;
    bed.out_and_back(("SSL_CERT_FILE", &bed.bundle())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_server_is_named_with_the_reason_and_gets_nothing() {
    let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
    let other = Bed {
        servers: Servers::doubles(Gates::default()).await,
        authority: Authority::new().unwrap(),
        folder: TempDir::new().unwrap(),
    };
    let (before, others) = (bed.asked(), other.asked());
    let [old_s3, old_mongodb] = [TlsFront::tls_1_0().await, TlsFront::tls_1_0().await];
    let cases = [
        (
            bed.before_s3(Flaw::OtherHost).await,
            bed.before_mongodb(Flaw::OtherHost, None).await,
            "not valid for name",
            "use the host name in the server's certificate",
        ),
        (
            bed.before_s3(Flaw::Expired).await,
            bed.before_mongodb(Flaw::Expired, None).await,
            "certificate expired",
            "renew the server's certificate",
        ),
        (
            other.before_s3(Flaw::None).await,
            other.before_mongodb(Flaw::None, None).await,
            "UnknownIssuer",
            "--ca-bundle",
        ),
        (
            old_s3.unwrap(),
            old_mongodb.unwrap(),
            "peer is incompatible",
            "TLS 1.2 or 1.3",
        ),
    ];
    for (s3, mongodb, cause, hint) in &cases {
        let of_s3 = bed.export("AWS_ENDPOINT_URL", &s3.endpoint()).await;
        let of_s3 = of_s3.with_status(1).stderr;
        assert!(of_s3.contains(cause) && of_s3.contains(hint), "{of_s3}");
        let asked = bed.asked();
        assert_eq!(asked, [asked[0], before[1]]);
        let of_mongodb = bed.export("MONGODB_URI", &uri(mongodb, "")).await;
        let told = of_mongodb.with_status(1).stderr;
        assert!(told.contains(cause) && told.contains(hint), "{told}");
    }
    assert_eq!(bed.asked()[1], before[1]);
    assert_eq!(other.asked(), others);
    fault_fired("B17");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_is_cut_off_is_repeated() {
    let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
    let s3 = bed.before_s3(Flaw::None).await;
    let network = Proxy::start(&s3.address().to_string()).unwrap();
    network.apply(Rule::down("", Place::Start(100), Act::Close));
    let endpoint = network.endpoint().replace("http://", "https://");
    let told = bed.export("AWS_ENDPOINT_URL", &endpoint).await;
    let log = told.with_status(0).stderr;
    assert_eq!(network.struck(), 1);
    assert!(log.contains("s3 request failed"), "{log}");
    fault_fired("B17");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_one_side_only_is_not_reported_as_a_server_that_is_down() {
    let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
    let endpoint = bed.servers.s3_endpoint.replace("http://", "https://");
    let told = bed.export("AWS_ENDPOINT_URL", &endpoint).await;
    let told = told.with_status(1).stderr;
    assert!(told.contains("does not speak TLS"), "{told}");
    let front = bed.before_mongodb(Flaw::None, None).await;
    for uri in [
        format!("{}&tls=true", bed.servers.mongodb_uri),
        format!("mongodb://{}/?directConnection=true", front.address()),
    ] {
        let uri = format!("{uri}&serverSelectionTimeoutMS=500");
        let told = bed.export("MONGODB_URI", &uri).await;
        let told = told.with_status(1).stderr;
        assert!(
            told.contains("tls=true to MONGODB_URI") || told.contains("speak TLS"),
            "{told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_file_is_named_before_anything_is_sent() {
    let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
    let before = bed.asked();
    let good = bed.authority.pem();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let cases = [
        ("missing.pem", None, "cannot be read"),
        (".", None, "cannot be read"),
        ("empty.pem", Some(String::new()), "holds no certificate"),
        ("text.pem", Some("no PEM".into()), "holds no certificate"),
        (
            "base64.pem",
            Some(format!("{begin}\n!!!!\n{end}\n")),
            "certificate 1 in",
        ),
        (
            "der.pem",
            Some(format!("{begin}\naGVsbG8=\n{end}\n")),
            "certificate 1 in",
        ),
        (
            "one_of_three.pem",
            Some(format!("{good}{begin}\naGVsbG8=\n{end}\n{good}")),
            "certificate 2 in",
        ),
        (
            "cut.pem",
            Some(format!("{good}{begin}\naGVsbG8=")),
            "certificate 2 in",
        ),
    ];
    for (name, text, message) in cases {
        let path = match text {
            Some(text) => bed.write(name, text),
            None => bed.folder.path().join(name),
        };
        let path = path.display().to_string();
        let arguments = ["--ca-bundle", &path, "--run-id", "r1"];
        for tool in ["lob-upload", "lob-export", "lob-import"] {
            let told = bed.servers.run(tool, &arguments).await;
            let told = told.with_status(2).stderr;
            assert!(told.contains(message) && told.contains(name), "{told}");
        }
        let front = bed.before_mongodb(Flaw::None, None).await;
        let uri = uri(&front, &format!("&tlsCAFile={path}"));
        let asked = bed.asked();
        let told = bed
            .servers
            .run("lob-export", &["--mongodb-uri", &uri])
            .await;
        let told = told.with_status(2).stderr;
        assert!(told.contains(message) && told.contains(name), "{told}");
        assert_eq!(bed.asked()[1], asked[1]);
    }
    assert_eq!(bed.asked()[1], before[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_accepts_a_client_certificate_and_a_wrong_one_is_named() {
    let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
    let clients = Authority::new().unwrap();
    let front = bed.before_mongodb(Flaw::None, Some(&clients)).await;
    let client = clients.sign(Flaw::None).unwrap().pem();
    let stranger = bed.authority.sign(Flaw::None).unwrap().pem();
    let certificate = |pem: &str| pem[..pem.find("-----BEGIN PRIVATE").unwrap()].to_owned();
    let key = stranger.replace(&certificate(&stranger), "");
    let before = bed.asked()[1];
    for (name, text, status, hint) in [
        ("none", None, 1, "tlsCertificateKeyFile"),
        (
            "stranger.pem",
            Some(stranger.clone()),
            1,
            "tlsCertificateKeyFile",
        ),
        (
            "no_key.pem",
            Some(certificate(&client)),
            2,
            "holds no private key",
        ),
        (
            "no_certificate.pem",
            Some(key.clone()),
            2,
            "holds no certificate",
        ),
        (
            "other_key.pem",
            Some(certificate(&client) + &key),
            2,
            "does not match",
        ),
    ] {
        let option = text.map(|text| bed.write(name, text));
        let option = option.map(|path| format!("&tlsCertificateKeyFile={}", path.display()));
        let uri = uri(&front, &option.unwrap_or_default());
        let told = bed.export("MONGODB_URI", &uri).await;
        let told = told.with_status(status).stderr;
        assert!(told.contains(hint), "{name}: {told}");
        assert_eq!(bed.asked()[1], before, "{name}");
    }
    let path = bed.write("client.pem", client);
    let option = format!("&tlsCertificateKeyFile={}", path.display());
    let told = bed.export("MONGODB_URI", &uri(&front, &option)).await;
    told.with_status(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_left_unchecked_only_on_request_and_with_one_warning() {
    let identity = Authority::new().unwrap().sign(Flaw::Expired).unwrap();
    let warning = "the certificate of the MongoDB server is not checked";
    for option in ["&tlsInsecure=true", "&tlsAllowInvalidCertificates=true"] {
        let bed = Bed::new(Servers::doubles(Gates::default()).await).await;
        let upstream = bed.servers.mongodb_uri.split('/').nth(2).unwrap();
        let front = TlsFront::start(upstream, &identity, None).await.unwrap();
        let before = bed.asked()[1];
        let refused = bed.export("MONGODB_URI", &uri(&front, "")).await;
        let told = refused.with_status(1).stderr;
        assert!(!told.contains(warning), "{told}");
        assert_eq!(bed.asked()[1], before);
        let done = bed.export("MONGODB_URI", &uri(&front, option)).await;
        let told = done.with_status(0).stderr;
        assert_eq!(told.matches(warning).count(), 1, "{told}");
    }
    lob_testkit::fault_fired("G22");
}
