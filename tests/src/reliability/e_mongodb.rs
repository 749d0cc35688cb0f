//! What MongoDB may answer, and what may happen to its collections meanwhile.

use super::{Case, FAILS, RECOVERS};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "E1",
        "The primary steps down during find, getMore and insert",
        RECOVERS,
    )
    .held_by(
        &[
            "a_primary_that_steps_down_is_waited_for",
            "inserts_survive_a_primary_that_steps_down",
            "an_insert_is_retried_if_the_server_changes_its_role",
        ],
        "each document is there once",
    ),
    Case::new("E2", "A connection closed before execution", RECOVERS).held_by(
        &[
            "scans_survive_errors_and_closed_connections_of_a_real_server",
            "inserts_survive_errors_and_closed_connections_of_a_real_server",
            "a_lost_cursor_is_reopened_without_losing_or_repeating_a_document",
        ],
        "each document is there once",
    ),
    Case::new("E3", "The reply to an executed insert is lost", RECOVERS).held_by(
        &[
            "a_lost_reply_is_settled_whether_or_not_the_insert_took_effect",
            "an_import_that_loses_any_one_reply_is_whole",
            "a_lost_reply_of_a_standalone_is_settled_too",
            "inserts_survive_lost_replies_of_a_real_server",
        ],
        "the documents are read back, and each is there once",
    ),
    Case::new("E4", "CursorNotFound in a scan", RECOVERS).held_by(
        &[
            "a_lost_cursor_is_reopened_without_losing_or_repeating_a_document",
            "scans_survive_errors_and_closed_connections_of_a_real_server",
        ],
        "each document is there once",
    ),
    Case::new("E5", "The session of a slow scan expires", RECOVERS).held_by(
        &["a_scan_whose_session_the_server_ends_goes_on"],
        "each document is there once",
    ),
    Case::new("E6", "SnapshotTooOld and SnapshotUnavailable", FAILS).held_by(
        &[
            "an_expired_snapshot_is_an_immediate_error",
            "an_export_whose_snapshot_is_gone_says_that_it_cannot_be_resumed",
            "a_snapshot_that_is_lost_during_a_scan_is_an_error_and_not_resumed",
        ],
        "the snapshot is named, and the run says that it cannot be resumed",
    ),
    Case::new("E7", "A write concern error with ok: 1", FAILS).held_by(
        &[
            "an_unconfirmed_write_concern_on_a_real_server_is_an_error",
            "a_write_concern_that_cannot_be_satisfied_is_named",
            "an_unsatisfied_write_concern_is_an_error",
        ],
        "it is no success",
    ),
    Case::new(
        "E8",
        "One batch with a duplicate, an invalid and a huge document",
        FAILS,
    )
    .held_by(
        &[
            "a_different_stored_document_is_an_error_and_an_equal_one_is_not",
            "a_document_that_the_server_refuses_fails_the_batch",
            "a_document_of_exactly_the_server_limit_fits_and_a_larger_one_does_not",
        ],
        "only an equal stored document counts as inserted",
    ),
    Case::new("E9", "Missing privileges and failed authentication", FAILS).held_by(
        &[
            "an_export_names_a_mongodb_server_that_rejects_its_credentials",
            "an_import_names_a_mongodb_server_that_rejects_its_credentials",
            "a_wrong_password_is_an_authentication_error_without_the_password",
            "a_missing_privilege_is_named",
        ],
        "the command and the setting are named, never the password",
    ),
    Case::new(
        "E10",
        "MaxTimeMSExpired, and labels that ask to retry",
        RECOVERS,
    )
    .held_by(
        &[
            "a_command_is_retried_if_the_server_labels_its_error_as_retryable",
            "transient_failures_are_waited_out",
        ],
        "the command is sent again, and each document is there once",
    ),
    Case::new(
        "E11",
        "A wrong set name, SRV that fails, secondaries only",
        FAILS,
    )
    .held_by(
        &[
            "a_missing_replica_set_member_is_reported_within_the_selection_timeout",
            "a_direct_connection_to_a_secondary_is_refused_naming_its_set",
            "a_set_of_another_name_and_one_without_a_primary_are_told",
        ],
        "the address and the reason are named in time",
    ),
    Case::new(
        "E12",
        "A collection dropped or renamed during an export",
        FAILS,
    )
    .held_by(
        &[
            "a_collection_dropped_or_replaced_during_the_scan_is_an_error",
            "a_collection_replaced_before_the_run_resumes_is_an_error",
            "dropping_a_collection_during_an_export_fails_it_and_publishes_nothing",
            "an_import_that_replaces_a_collection_during_its_export_fails_the_export",
        ],
        "the collection is named, and nothing is published",
    ),
    Case::new("E13", "Writes during an export", RECOVERS).held_by(
        &[
            "a_document_comes_once_if_it_exists_throughout_else_at_most_once",
            "documents_present_throughout_an_export_appear_once_others_at_most_once",
        ],
        "what exists throughout is there once, anything else at most once",
    ),
    Case::new("E14", "The server's disk is full", FAILS).held_by(
        &[
            "the_hinted_command_continues_an_import_into_a_full_server",
            "a_full_disk_is_an_error_with_a_hint_about_it",
        ],
        "the disk is named, and the hinted command resumes",
    ),
    Case::new(
        "E15",
        "Capped, time-series and clustered collections, views, collations",
        "each as documented",
    )
    .held_by(
        &[
            "a_view_or_a_time_series_is_refused_only_if_it_is_selected",
            "a_clustered_collection_is_read_like_any_other",
            "a_collation_or_a_server_that_ignores_bounds_gives_one_range",
            "views_and_time_series_targets_are_named_like_any_other_difference",
            "a_capped_collection_is_read_like_any_other",
        ],
        "views and time series are refused by name; the others are read whole",
    ),
    Case::new(
        "E16",
        "One _id twice in Parquet; a unique index on another field",
        FAILS,
    )
    .held_by(
        &[
            "a_violated_unique_index_stops_the_import_but_keeps_its_work",
            "a_violated_unique_index_is_refused_and_staging_stays",
            "one_id_in_two_rows_is_an_integrity_failure_whether_they_differ_or_not",
        ],
        "the index or the _id is named, and the target stays",
    ),
    Case::new(
        "E17",
        "The target is not empty",
        "replaces or refuses, as asked",
    )
    .held_by(
        &[
            "a_replaced_target_holds_the_new_documents_and_no_replace_keeps_the_old",
            "an_existing_target_that_must_not_be_replaced_is_kept",
        ],
        "the target is the old or the new collection",
    ),
];
