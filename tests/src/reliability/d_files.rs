//! What may happen to the files that are uploaded.

use super::{Case, FAILS, REFUSES};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "D1",
        "A file grows, shrinks or is rewritten while it is read",
        FAILS,
    )
    .held_by(
        &[
            "a_file_that_grows_is_not_uploaded",
            "a_file_that_shrinks_is_not_uploaded",
            "a_file_rewritten_in_place_with_its_old_time_is_not_uploaded",
            "a_file_that_changes_between_two_parts_is_not_uploaded",
            "a_file_that_changes_before_it_is_read_is_not_uploaded",
            "a_file_that_changes_at_any_moment_is_never_published_with_wrong_bytes",
        ],
        "the file is named with the reason, and nothing is published",
    ),
    Case::new(
        "D2",
        "A file is rewritten within one tick of its time",
        FAILS,
    )
    .held_by(
        &[
            "a_change_time_during_the_read_proves_nothing",
            "a_freshly_changed_file_gets_time_to_show_its_next_change",
            "a_file_rewritten_in_place_with_its_old_time_is_not_uploaded",
        ],
        "a time inside the read proves nothing, and a fresh file is given time to change",
    ),
    Case::new("D3", "A file is replaced by a rename", FAILS).held_by(
        &["a_file_that_is_replaced_is_not_uploaded"],
        "the file is named with the reason, and nothing is published",
    ),
    Case::new(
        "D4",
        "A file is deleted or unreadable after the plan",
        FAILS,
    )
    .held_by(
        &[
            "a_file_deleted_after_the_plan_is_named",
            "a_pipe_that_replaced_a_planned_file_does_not_block",
        ],
        "the file is named, and nothing blocks",
    ),
    Case::new(
        "D5",
        "Links, pipes, devices, holes, odd and equal names",
        REFUSES,
    )
    .held_by(
        &[
            "links_are_followed_only_inside_the_directory",
            "dangling_and_circular_links_are_refused_if_they_may_hide_a_selected_file",
            "anything_but_a_regular_file_is_refused",
            "names_that_are_unsafe_anywhere_are_refused",
            "names_that_differ_only_in_case_or_unicode_form_are_refused",
            "a_name_or_a_key_that_is_too_long_is_refused",
            "a_file_with_a_hole_is_uploaded_as_it_reads",
            "a_pipe_in_the_source_directory_does_not_block",
        ],
        "what cannot be uploaded faithfully is named before anything is sent",
    ),
    Case::new(
        "D6",
        "A file appears after the plan",
        "recovers, and says so",
    )
    .held_by(
        &[
            "a_file_that_appeared_after_the_plan_is_reported_but_not_uploaded",
            "selected_files_that_appear_after_the_plan_are_reported", "a_file_that_appears_while_others_are_sent_is_reported_but_not_uploaded"],
        "the file is named in a warning, and the run is what was planned",
    ),
    Case::new("D7", "The mount vanishes: EIO, ESTALE", FAILS)
        .held_by(
            &[
                "a_footer_on_a_failing_disk_is_not_blamed_on_the_file",
                "machine_errors_are_not_blamed_on_a_file", "a_mount_that_fails_ends_the_upload_and_is_blamed_on_no_file"],
            "status 1 with the error of the machine, even with --allow-partial; once it is back, the run resumes",
        ),
    Case::new("D8", "A file that is not Parquet, or cut off", REFUSES).held_by(
        &[
            "a_file_that_is_not_parquet_is_named_before_anything_is_sent",
            "a_truncated_parquet_file_is_named_before_anything_is_sent",
            "an_empty_file_is_named",
            "a_file_truncated_anywhere_is_refused",
            "a_partial_run_is_published_and_lists_the_files_that_failed",
        ],
        "the file is named before any request",
    ),
];
