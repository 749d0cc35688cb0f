//! Passwords and keys never appear in any output, whatever goes wrong.

use lob_testkit::passwords;

use crate::bed::Bed;

#[tokio::test]
async fn an_import_never_shows_the_password_of_its_connection_string() {
    let bed = Bed::new().await;
    passwords::assert_connection_strings_unsaid(&bed, &bed.mongo.uri()).await;
    assert_eq!(bed.collections(), [""; 0]);
}

#[tokio::test]
async fn an_import_never_shows_a_wrong_password() {
    let bed = Bed::locked().await;
    passwords::assert_wrong_password_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_import_never_shows_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_unsaid(&bed, &bed.mongo.uri()).await;
}

#[tokio::test]
async fn an_import_warns_that_others_can_see_a_typed_password() {
    let bed = Bed::new().await;
    passwords::assert_typed_is_told_to_be_seen(&bed).await;
}

#[tokio::test]
async fn an_import_never_shows_a_password_in_a_broken_settings_file() {
    let bed = Bed::new().await;
    passwords::assert_unsaid_in_broken_file(&bed, "import").await;
}
