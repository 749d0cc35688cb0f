//! Rights in MongoDB: users with exactly the documented role, or with its actions but one.

use bson::{Document, doc};
use lob_testkit::split_documents::SplitDocuments;
use lob_tests::servers::{Gates, Servers};
use lob_tests::tool::Ended;
use mongodb::Client;

/// Not what any other test uses, so that its output can be searched for it.
const PASSWORD: &str = "open%sesame@€?";
const ENCODED: &str = "open%25sesame%40%E2%82%AC%3F";

/// A MongoDB that knows its users, its root, and a double of S3.
struct Bed {
    servers: Servers,
    address: String,
}

impl Bed {
    /// `None` without such a MongoDB.
    async fn new() -> Option<Self> {
        let uri = std::env::var("LOB_E2E_MONGODB_USERS").ok()?;
        let mut servers = Servers::doubles(Gates::default()).await;
        let address = uri.split(['@', '/']).nth(3).unwrap().to_owned();
        servers.mongo = Client::with_uri_str(&uri).await.unwrap();
        let bed = Self { servers, address };
        let documents: Vec<_> = SplitDocuments::new(7, 20).take(200).collect();
        bed.servers.insert("split_0_input", &documents).await;
        let keys = doc! { "key": { "symbol": 1 }, "name": "symbol_1" };
        bed.root(doc! { "createIndexes": "split_0_input", "indexes": [keys] })
            .await;
        Some(bed)
    }

    /// Runs a command on the bed's database as root.
    async fn root(&self, command: Document) {
        let database = self.servers.mongo.database(&self.servers.database);
        database.run_command(command).await.unwrap();
    }

    /// A user of the bed's database with these roles; returns the user's connection string.
    async fn user(&self, name: &str, roles: Vec<bson::Bson>) -> String {
        self.root(doc! { "createUser": name, "pwd": PASSWORD, "roles": roles })
            .await;
        let Self { servers, address } = self;
        format!(
            "mongodb://{name}:{ENCODED}@{address}/{}?replicaSet=rs0",
            servers.database
        )
    }

    /// A user with these actions on the bed's database only.
    async fn user_with(&self, name: &str, actions: &[&str]) -> String {
        let resource = doc! { "db": &self.servers.database, "collection": "" };
        let privilege = doc! { "resource": resource, "actions": actions };
        let role = format!("{name}-role");
        self.root(doc! { "createRole": &role, "privileges": [privilege], "roles": [] })
            .await;
        self.user(name, vec![role.into()]).await
    }

    /// Runs a tool as a user, logging everything, and searches what it says for the password.
    async fn run(&self, uri: &str, tool: &str, arguments: &[&str]) -> Ended {
        let everything = ["--log-level", "trace"];
        let mut command = self.servers.tool(tool, &[arguments, &everything].concat());
        command.env("MONGODB_URI", uri);
        let ended = Ended::from(command.output().await.unwrap());
        for said in [&ended.stdout, &ended.stderr] {
            for secret in [PASSWORD, ENCODED] {
                assert!(!said.contains(secret), "{tool} says the password");
            }
        }
        ended
    }

    async fn drop(self) {
        self.root(doc! { "dropAllUsersFromDatabase": 1 }).await;
        self.root(doc! { "dropAllRolesFromDatabase": 1 }).await;
        self.servers
            .mongo
            .database(&self.servers.database)
            .drop()
            .await
            .unwrap();
    }
}

const EXPORT: [&str; 2] = ["--run-id", "r1"];
const IMPORT: [&str; 4] = ["--run-id", "r1", "--collection-pattern", "back_{N}"];

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_works_with_exactly_the_documented_role() {
    let Some(bed) = Bed::new().await else {
        lob_testkit::skipped("it needs a MongoDB with users");
        return;
    };
    let reader = bed.user("reader", vec!["read".into()]).await;
    let writer = bed.user("writer", vec!["readWrite".into()]).await;
    bed.run(&reader, "lob-export", &EXPORT).await.with_status(0);
    bed.run(&writer, "lob-import", &IMPORT).await.with_status(0);
    let verify = ["verify", "r1", "--collection-pattern", "back_{N}"];
    bed.run(&reader, "lob-import", &verify).await.with_status(0);
    let database = &bed.servers.database;
    let source = bed.servers.documents(database, "split_0_input").await;
    assert_eq!(bed.servers.documents(database, "back_0").await, source);

    // A validator needs one action more.
    let validator = doc! { "collMod": "split_0_input", "validator": { "nowhere": 1 } };
    bed.root(validator).await;
    bed.run(&reader, "lob-export", &["--run-id", "r2"])
        .await
        .with_status(0);
    let again = ["--run-id", "r2", "--collection-pattern", "back_{N}"];
    let told = bed
        .run(&writer, "lob-import", &again)
        .await
        .with_status(1)
        .stderr;
    assert!(told.contains("bypassDocumentValidation"), "{told}");
    assert_eq!(bed.servers.documents(database, "back_0").await, source);
    let resource = doc! { "db": database, "collection": "" };
    let privilege = doc! { "resource": resource, "actions": ["bypassDocumentValidation"] };
    let role = doc! { "createRole": "bypass", "privileges": [privilege], "roles": ["readWrite"] };
    bed.root(role).await;
    let bypasser = bed.user("bypasser", vec!["bypass".into()]).await;
    bed.run(&bypasser, "lob-import", &again)
        .await
        .with_status(0);
    bed.drop().await;
    lob_testkit::fault_fired("H7");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_in_mongodb_is_named_and_the_target_stays() {
    let Some(bed) = Bed::new().await else {
        lob_testkit::skipped("it needs a MongoDB with users");
        return;
    };
    let database = bed.servers.database.clone();
    let of_export = ["find", "listCollections", "listIndexes", "collStats"];
    let all = bed.user_with("all-of-export", &of_export).await;
    for (number, missing) in of_export.iter().enumerate() {
        let left: Vec<_> = of_export
            .iter()
            .copied()
            .filter(|action| action != missing)
            .collect();
        let user = bed.user_with(&format!("export-{number}"), &left).await;
        let ended = bed.run(&user, "lob-export", &EXPORT).await.with_status(1);
        let told = last_lines(&ended);
        assert!(
            told.contains(missing) && told.contains("the role `read`"),
            "{missing}: {told}"
        );
        let keys = bed.servers.keys().await;
        assert!(
            !keys.iter().any(|key| key.ends_with("manifest.json")),
            "{missing}: {keys:?}"
        );
    }
    bed.run(&all, "lob-export", &EXPORT).await.with_status(0);

    bed.servers
        .insert("back_0", &[bson::rawdoc! { "_id": 1, "old": true }])
        .await;
    let of_import = [
        "find",
        "listCollections",
        "listIndexes",
        "collStats",
        "insert",
        "update",
        "remove",
        "createCollection",
        "createIndex",
        "dropCollection",
        "renameCollectionSameDB",
    ];
    let all = bed.user_with("all-of-import", &of_import).await;
    let mut unmissed = Vec::new();
    for (number, missing) in of_import.iter().enumerate() {
        let left: Vec<_> = of_import
            .iter()
            .copied()
            .filter(|action| action != missing)
            .collect();
        let user = bed.user_with(&format!("import-{number}"), &left).await;
        let ended = bed.run(&user, "lob-import", &IMPORT).await;
        if ended.status == Some(0) {
            unmissed.push(*missing);
            bed.root(doc! { "drop": "back_0" }).await;
            bed.servers
                .insert("back_0", &[bson::rawdoc! { "_id": 1, "old": true }])
                .await;
            continue;
        }
        let told = last_lines(&ended.with_status(1));
        let is_named = told.contains(missing) && told.contains("the role `read");
        assert!(is_named, "{missing}: {told}");
        if *missing == "remove" {
            // What the import noted is removed last, when the target is in its place.
            assert!(told.contains("every split was swapped in"), "{told}");
            bed.root(doc! { "drop": "back_0" }).await;
            bed.servers
                .insert("back_0", &[bson::rawdoc! { "_id": 1, "old": true }])
                .await;
            continue;
        }
        let old = bed.servers.documents(&database, "back_0").await;
        assert_eq!(old, [bson::rawdoc! { "_id": 1, "old": true }], "{missing}");
    }
    // The server takes others for these, or the import does without.
    let spare = [
        "listIndexes",
        "collStats",
        "update",
        "createCollection",
        "renameCollectionSameDB",
    ];
    assert_eq!(unmissed, spare);
    bed.run(&all, "lob-import", &IMPORT).await.with_status(0);
    bed.drop().await;
    lob_testkit::fault_fired("H7");
}

/// The error and its hint, after the log.
fn last_lines(ended: &Ended) -> String {
    let from = ended.stderr.rfind("\nerror: ").unwrap_or_default();
    ended.stderr[from..].to_owned()
}
