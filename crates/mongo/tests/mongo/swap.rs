//! A swap replaces the target as a whole, or leaves it alone.

use lob_core::failure::ExitStatus;
use lob_mongo::{Error, ExistingTarget, Opened, Staging};
use lob_testkit::mongo::{Command, Moment, MongoOptions, Verdict};

use crate::fixture::{Fixture, batch, disconnect, numbered};
use crate::imports::{STAGING, TARGET, import_of};

async fn filled(fixture: &Fixture) -> Staging {
    let staging = fixture.staging().await;
    staging.insert(&batch(&numbered(20))).await.unwrap();
    staging
}

async fn assert_swapped(fixture: &Fixture, staging: &Staging) {
    assert_eq!(fixture.find(TARGET).await.uuid(), staging.uuid());
    assert_eq!(fixture.contents(TARGET).await, numbered(20));
    assert!(!fixture.has(STAGING).await);
    staging.drop().await.unwrap();
    assert_eq!(fixture.find(TARGET).await.uuid(), staging.uuid());
}

#[tokio::test]
async fn a_swap_puts_staging_in_the_targets_place() {
    for existing in [ExistingTarget::Replace, ExistingTarget::Refuse] {
        let fixture = Fixture::new().await;
        if existing == ExistingTarget::Replace {
            fixture.collection(TARGET, &numbered(3)).await;
        }
        let staging = filled(&fixture).await;
        staging.swap_into(TARGET, existing).await.unwrap();
        assert_swapped(&fixture, &staging).await;
        fixture.close().await;
    }
}

#[tokio::test]
async fn a_target_that_must_not_be_replaced_stays_untouched() {
    let fixture = Fixture::new().await;
    let before = fixture.collection(TARGET, &numbered(3)).await;
    let staging = filled(&fixture).await;
    let error = staging
        .swap_into(TARGET, ExistingTarget::Refuse)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TargetExists { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--no-replace"));
    assert_eq!(fixture.find(TARGET).await.uuid(), before.uuid());
    assert_eq!(fixture.contents(TARGET).await, numbered(3));
    assert_eq!(staging.count().await.unwrap(), 20);
    fixture.close().await;
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_the_uuid_at_the_target() {
    for existing in [ExistingTarget::Replace, ExistingTarget::Refuse] {
        for moment in [Moment::Arrived, Moment::Executed] {
            let gate = disconnect("renameCollection", moment, 1);
            let fixture = Fixture::with_gate(gate).await;
            if existing == ExistingTarget::Replace {
                fixture.collection(TARGET, &numbered(3)).await;
            }
            let staging = filled(&fixture).await;
            staging.swap_into(TARGET, existing).await.unwrap();
            assert_swapped(&fixture, &staging).await;
        }
    }
}

#[tokio::test]
async fn a_swap_that_is_never_answered_has_an_unknown_outcome() {
    let fixture =
        Fixture::with_gate(
            |at: Moment, command: &Command| match (at, command.name.as_str()) {
                (Moment::Arrived, "renameCollection") => Verdict::Disconnect,
                _ => Verdict::Pass,
            },
        )
        .await;
    let before = fixture.collection(TARGET, &numbered(3)).await;
    let staging = filled(&fixture).await;
    let error = staging
        .swap_into(TARGET, ExistingTarget::Replace)
        .await
        .unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::Unknown, "{error:?}");
    assert_eq!(fixture.find(TARGET).await.uuid(), before.uuid());
}

#[tokio::test]
async fn another_collection_named_like_staging_is_never_swapped_in() {
    let fixture = Fixture::new().await;
    fixture.collection(TARGET, &numbered(3)).await;
    let staging = filled(&fixture).await;
    fixture.drop_collection(STAGING).await;
    fixture.collection(STAGING, &numbered(1)).await;
    let error = staging
        .swap_into(TARGET, ExistingTarget::Replace)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::SwapLost { .. }), "{error:?}");
    assert_eq!(fixture.contents(TARGET).await, numbered(3));
    fixture.close().await;
}

#[tokio::test]
async fn a_completed_swap_renames_nothing_else() {
    let fixture = Fixture::with(MongoOptions::default()).await;
    let staging = filled(&fixture).await;
    let replace = ExistingTarget::Replace;
    staging.swap_into(TARGET, replace).await.unwrap();
    // A server that takes no UUID would rename this one, so no rename is sent.
    let next = fixture.collection(STAGING, &numbered(1)).await;
    staging.swap_into(TARGET, replace).await.unwrap();
    let commands = fixture.testkit().commands().into_iter();
    let renames = commands.filter(|command| command.name == "renameCollection");
    assert_eq!(renames.count(), 1);
    assert_eq!(fixture.find(STAGING).await.uuid(), next.uuid());
    assert_eq!(fixture.contents(TARGET).await, numbered(20));
}

#[tokio::test]
async fn a_kept_target_gets_another_name() {
    for moment in [Moment::Arrived, Moment::Executed] {
        for lost in 1..=2 {
            let gate = disconnect("renameCollection", moment, lost);
            let fixture = Fixture::with_gate(gate).await;
            let before = fixture.collection(TARGET, &numbered(3)).await;
            let staging = filled(&fixture).await;
            let kept = staging
                .swap_into(TARGET, ExistingTarget::Keep)
                .await
                .unwrap();
            let kept = kept.unwrap();
            assert!(kept.starts_with("split_1_input__lob_previous_"), "{kept}");
            assert_eq!(fixture.find(&kept).await.uuid(), before.uuid());
            assert_eq!(fixture.contents(&kept).await, numbered(3));
            assert_swapped(&fixture, &staging).await;
            // Again, as by another process of the same import.
            let kept = staging
                .swap_into(TARGET, ExistingTarget::Keep)
                .await
                .unwrap();
            assert_eq!(kept, None);
        }
    }
}

#[tokio::test]
async fn a_completed_swap_is_known_until_its_entries_are_removed() {
    let fixture = Fixture::new().await;
    let import = import_of("manifest");
    let staging = filled(&fixture).await;
    staging
        .swap_into(TARGET, ExistingTarget::Replace)
        .await
        .unwrap();
    let opened = fixture.open(&import).await.unwrap();
    assert!(matches!(opened, Opened::InPlace(there) if there.uuid() == staging.uuid()));
    let other = fixture.open(&import_of("other")).await.unwrap();
    assert!(matches!(other, Opened::Staging(..)));
    fixture
        .entries()
        .forget(&[staging.uuid().unwrap()])
        .await
        .unwrap();
    let opened = fixture.open(&import).await.unwrap();
    assert!(matches!(opened, Opened::Staging(..)), "{opened:?}");
    fixture.close().await;
}
