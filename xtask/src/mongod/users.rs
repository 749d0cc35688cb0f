//! The users of a MongoDB that the tools' tests run on: one with the name of each tool that needs
//! MongoDB, who has the role that OPERATIONS names, on the databases of the tests.

use anyhow::Context as _;
use bson::{Bson, Document, doc};
use lob_testkit::canaries::PASSWORD;
use mongodb::Client;

/// The databases that tests name.
const DATABASES: [&str; 5] = ["raw", "copy", "small", "other", "row"];
/// What an import needs besides `readWrite` if a collection has a validator.
const BYPASS: &str = "bypassDocumentValidation";

/// Creates all users; `client` is root's.
pub(super) async fn create(client: &Client) -> anyhow::Result<()> {
    let admin = client.database("admin");
    let on_all = |role: &'static str| {
        let databases = DATABASES.iter();
        databases.map(move |database| Bson::from(doc! { "role": role, "db": *database }))
    };
    let bypass = DATABASES.iter().map(|database| {
        let resource = doc! { "db": *database, "collection": "" };
        doc! { "resource": resource, "actions": [BYPASS] }
    });
    let bypass = doc! {
        "createRole": BYPASS, "privileges": bypass.collect::<Vec<Document>>(), "roles": [],
    };
    admin.run_command(bypass).await.context("no role")?;
    let of_import = on_all("readWrite").chain([Bson::from(BYPASS)]);
    for (tool, roles) in [
        ("lob-export", on_all("read").collect::<Vec<_>>()),
        ("lob-import", of_import.collect()),
    ] {
        let user = doc! { "createUser": tool, "pwd": PASSWORD, "roles": roles };
        admin.run_command(user).await.context("no user")?;
    }
    Ok(())
}
