//! What S3 may answer, to any operation.

use super::{Case, FAILS, RECOVERS, REFUSES};

pub(super) const CASES: &[Case] = &[
    Case::new("A1", "503 SlowDown twice, then success", RECOVERS).held_by(
        &[
            "requests_to_slow_down_are_obeyed_and_counted_for_each_operation",
            "requests_to_slow_down_are_obeyed_and_counted",
        ],
        "each operation is retried exactly twice, counted as throttled, and the run is whole",
    ),
    Case::new("A2", "503 to every request for a while", RECOVERS).held_by(
        &["a_storm_of_requests_to_slow_down_is_sat_out"],
        "each tool sits out a storm of 4 s (of 90 s in `cargo xtask long`) and is whole",
    ),
    Case::new("A3", "503 for ever", FAILS).held_by(
        &[
            "a_server_that_is_overloaded_for_ever_is_given_up_in_time_by_each_operation",
            "a_transient_error_is_not_blamed_on_a_file",
        ],
        "for each operation of each tool: retried, given up by --retry-timeout, nothing published, \
         and the same command succeeds later",
    ),
    Case::new("A4", "500 InternalError, then success", RECOVERS).held_by(
        &[
            "failures_of_the_server_are_retried_for_each_operation",
            "a_server_that_fails_for_too_long_keeps_what_was_sent",
        ],
        "each operation is retried exactly twice, and the run is whole",
    ),
    Case::new("A5", "400 RequestTimeout", RECOVERS).held_by(
        &["failures_of_the_server_are_retried_for_each_operation"],
        "each operation is retried exactly twice, and the run is whole",
    ),
    Case::new(
        "A6",
        "200 with an InternalError inside, to Complete",
        RECOVERS,
    )
    .held_by(
        &["an_error_in_a_200_body_is_an_error"],
        "Complete is repeated, and the run is whole",
    ),
    Case::new("A7", "200 with a lasting error inside, to Complete", FAILS).held_by(
        &["an_error_in_a_200_body_is_an_error"],
        "one Complete, status 1, the error is named, nothing is published or left open",
    ),
    Case::new("A8", "200 without an ETag, to UploadPart", FAILS).held_by(
        &["a_part_acknowledged_without_an_etag_is_not_taken_as_stored"],
        "status 1, the missing ETag is named, nothing is published",
    ),
    Case::new("A9", "412 to the manifest: another writer's content", FAILS).held_by(
        &[
            "another_runs_manifest_is_a_conflict_and_stays_as_it_is",
            "a_key_taken_by_another_process_fails_the_run",
            "another_writers_object_is_a_conflict_and_stays_as_it_is",
        ],
        "the conflict is named, and the other object stays",
    ),
    Case::new(
        "A10",
        "412 to the manifest: our own earlier write",
        RECOVERS,
    )
    .held_by(
        &[
            "a_lost_reply_to_any_write_is_recovered",
            "an_export_that_loses_any_one_reply_is_whole",
        ],
        "the manifest is put twice, answered by nothing and 412, and the run is whole",
    ),
    Case::new("A11", "409 ConditionalRequestConflict", RECOVERS).held_by(
        &[
            "a_conflicting_put_is_retried",
            "a_conflicting_complete_is_not_retried_but_its_upload_starts_over",
        ],
        "a put is repeated; a Complete is not, its upload starts over; the run is whole",
    ),
    Case::new("A12", "404 NoSuchUpload midway", RECOVERS).held_by(
        &[
            "an_upload_that_the_server_forgets_starts_over",
            "documents_of_a_lost_upload_are_scanned_and_recorded_again",
            "a_data_file_whose_upload_was_aborted_midway_starts_over",
        ],
        "a new upload is made, and the run is whole",
    ),
    Case::new(
        "A13",
        "404 NoSuchUpload to a Complete that succeeded",
        RECOVERS,
    )
    .held_by(
        &[
            "a_completed_upload_that_the_server_has_forgotten_is_recovered",
            "a_data_file_written_by_another_process_fails_the_run",
        ],
        "the object counts by its token, never because it exists",
    ),
    Case::new("A14", "403 AccessDenied", FAILS).held_by(
        &[
            "a_denied_operation_is_named_and_never_retried",
            "a_missing_upload_permission_is_noticed_before_the_first_data_file",
            "a_missing_export_permission_is_noticed_before_the_first_data_file",
            "a_permission_revoked_midway_loses_nothing_that_was_sent",
        ],
        "for each operation of each tool: never retried, the permission is named, and the same \
         command succeeds once it is granted",
    ),
    Case::new("A15", "403 for a missing key, without ListBucket", FAILS).held_by(
        &[
            "a_missing_upload_permission_is_noticed_before_the_first_data_file",
            "a_missing_export_permission_is_noticed_before_the_first_data_file",
            "a_missing_object_without_the_right_to_list_names_that_right",
        ],
        "s3:ListBucket is named before any data is sent or any target touched",
    ),
    Case::new(
        "A16",
        "ExpiredToken midway",
        "recovers with a provider that renews, else fails",
    )
    .held_by(
        &[
            "a_run_goes_on_with_the_keys_that_a_provider_renews",
            "a_token_that_expires_midway_is_named_even_without_an_error_code",
            "credentials_are_renewed_before_they_expire",
        ],
        "a run goes on with the second token of a provider; with fixed keys the expiry is named",
    ),
    Case::new(
        "A17",
        "RequestTimeTooSkewed",
        "recovers, or fails naming the clock",
    )
    .held_by(
        &[
            "a_clock_that_differs_from_the_servers_is_corrected",
            "a_clock_that_cannot_be_corrected_is_named",
        ],
        "requests are signed with the server's time once it is known; for ever it names the clock",
    ),
    Case::new("A18", "SignatureDoesNotMatch and InvalidAccessKeyId", FAILS).held_by(
        &[
            "an_upload_tells_wrong_keys_from_missing_permissions",
            "an_export_tells_wrong_keys_from_missing_permissions",
            "an_import_tells_wrong_keys_from_missing_permissions",
            "an_unknown_access_key_and_a_wrong_secret_fail_differently",
        ],
        "the code and the settings that hold the keys are named; nothing is written",
    ),
    Case::new(
        "A19",
        "301, 307 or 400: the bucket is in another region",
        "recovers once; never sends credentials to another host",
    )
    .held_by(
        &[
            "the_bucket_region_is_learned_from_the_reply_and_reported_once",
            "an_invalid_region_in_a_reply_is_not_followed",
            "a_redirect_to_another_host_is_not_followed",
        ],
        "one refusal, then the run is whole; no connection is made to a host in a reply",
    ),
    Case::new("A20", "404 NoSuchBucket", REFUSES).held_by(
        &[
            "an_upload_names_a_missing_bucket",
            "an_export_names_a_missing_bucket",
            "an_import_names_a_missing_bucket",
        ],
        "the bucket and its settings are named",
    ),
    Case::new("A21", "416, or a Content-Range that does not match", FAILS).held_by(
        &["a_range_that_is_refused_or_not_the_one_asked_for_is_an_error"],
        "the reason is named, and no target is there",
    ),
    Case::new("A22", "InvalidObjectState: archived", FAILS).held_by(
        &["the_same_command_imports_an_archived_object_once_it_is_restored"],
        "the archive is named, and the hinted command works once it is restored",
    ),
    Case::new(
        "A23",
        "BadDigest and XAmzContentSHA256Mismatch",
        "recovers a few times, then fails",
    )
    .held_by(
        &[
            "bytes_that_always_arrive_damaged_fail_the_run_as_damage",
            "bytes_damaged_in_transit_are_refused_and_sent_again",
        ],
        "the fifth refusal ends the run with status 3; a really flipped bit is sent again",
    ),
    Case::new(
        "A24",
        "More parts or bytes than an object can have",
        REFUSES,
    )
    .held_by(
        &[
            "a_file_larger_than_an_object_can_be_is_refused_before_anything_is_sent",
            "any_file_within_the_limit_of_s3_fits_into_its_parts",
            "part_sizes_outside_the_limits_of_s3_are_refused",
            "impossible_part_settings_are_refused_before_planning",
        ],
        "a file of 90.9 TiB is refused before anything is sent; each below the limit has a part size",
    ),
    Case::new(
        "A25",
        "No checksums, no conditions, no ListParts",
        "works with what is left, and says so",
    )
    .held_by(
        &[
            "all_of_several_weaknesses_are_reported",
            "ignored_conditions_cause_a_warning_and_are_recorded",
            "files_are_proved_by_md5_if_the_server_keeps_no_checksums",
            "a_resumed_run_reports_what_the_server_cannot_list",
            "an_export_killed_on_a_weaker_server_is_completed_too",
        ],
        "each weakness is warned of and recorded in the manifest; the run is whole",
    ),
    Case::new("A26", "An error of 200 MB, broken XML, XML bombs", FAILS).held_by(
        &[
            "a_huge_error_takes_up_neither_memory_nor_log_space",
            "broken_xml_and_bombs_take_up_neither_memory_nor_log_space",
        ],
        "status 1 or 3, a peak below 100 MB and a log below 100 KB, as success and as error",
    ),
];
