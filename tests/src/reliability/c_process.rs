//! What may happen to a process and the machine that it runs on.

use super::{Case, FAILS, RECOVERS};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "C1",
        "SIGKILL before and after every request, then the same command",
        RECOVERS,
    )
    .held_by(
        &[
            "a_run_killed_at_any_request_is_whole_or_does_not_exist",
            "an_upload_killed_at_any_request_is_whole_or_does_not_exist",
            "an_export_killed_at_any_request_is_whole_or_does_not_exist",
            "a_target_is_the_old_or_the_new_collection_at_every_request",
            "a_rerun_that_is_killed_too_is_completed_by_the_next",
            "an_upload_that_is_killed_twice_is_completed_by_the_next",
            "an_export_that_is_killed_twice_is_completed_by_the_next",
            "an_import_that_is_killed_twice_is_completed_by_the_next",
            "an_upload_killed_at_random_moments_sends_nothing_twice",
            "an_export_killed_at_random_moments_and_rerun_equals_an_undisturbed_one",
            "an_import_killed_at_random_moments_leaves_the_old_or_new_collection",
        ],
        "at each kill the store is whole or without the run; the rerun equals an undisturbed run",
    ),
    Case::new("C2", "SIGKILL at every write of a local journal", RECOVERS)
        .not_applicable("there is no local journal: a run resumes from what the servers have"),
    Case::new(
        "C3",
        "SIGTERM and SIGINT",
        "stops, keeps what it can, exits with 130 or 143",
    )
    .held_by(
        &[
            "an_interrupt_keeps_the_parts_in_flight",
            "sigterm_has_its_own_exit_status",
            "a_second_interrupt_stops_at_once",
            "an_interrupted_export_publishes_nothing_and_aborts_its_upload",
            "an_import_interrupted_while_inserting_can_be_resumed",
            "a_second_signal_ends_an_export_at_once",
            "two_signals_end_an_import_like_one",
        ],
        "the status is that of the signal, and the same command resumes",
    ),
    Case::new("C4", "SIGHUP, and a closed or full stdout", RECOVERS).held_by(
        &[
            "an_upload_that_is_hung_up_on_can_be_resumed",
            "an_export_that_is_hung_up_on_publishes_nothing",
            "an_import_that_is_hung_up_on_can_be_resumed",
            "an_upload_whose_result_cannot_be_printed_succeeds_and_logs_it",
            "an_export_whose_result_cannot_be_printed_succeeds_and_logs_it",
            "an_import_whose_result_cannot_be_printed_succeeds_and_logs_it",
            "an_answer_that_cannot_be_printed_fails_unless_nobody_reads_it",
        ],
        "a hangup ends the process, and the same command resumes; a result that nobody takes is \
             logged, and the status is 0",
    ),
    Case::new("C5", "ENOSPC, EIO and EDQUOT on the spool", FAILS).held_by(
        &[
            "an_unusable_spool_folder_is_named_before_anything_is_done",
            "an_import_whose_spool_fails_midway_touches_no_target_and_goes_on",
            "an_import_whose_spool_folder_is_full_names_it",
            "an_import_whose_files_may_not_grow_names_the_spool_folder",
        ],
        "the folder and the error are named, no target is touched, and the same command resumes",
    ),
    Case::new("C6", "EMFILE", FAILS).held_by(
        &[
            "running_out_of_descriptors_never_drops_good_files_from_a_run",
            "exports_and_imports_without_descriptors_say_so_and_publish_nothing",
        ],
        "the limit is named, and no file is blamed",
    ),
    Case::new("C7", "Eight times as much input", RECOVERS).held_by(
        &[
            "an_upload_of_eight_times_as_much_takes_no_more_memory",
            "an_export_of_eight_times_as_much_takes_no_more_memory",
            "an_import_of_eight_times_as_much_takes_no_more_memory",
        ],
        "for eight times the input, the peak is at most a tenth and 8 MiB higher",
    ),
    Case::new("C8", "The clock jumps by an hour or a day", RECOVERS).held_by(
        &["a_clock_that_jumps_disturbs_no_tool"],
        "the work is done and right",
    ),
    Case::new("C9", "Two instances with one destination", RECOVERS).held_by(
        &[
            "two_processes_that_meet_at_any_step_both_succeed",
            "a_process_overtaken_at_any_request_succeeds",
            "two_runs_without_an_id_never_share_one",
            "workers_sharing_a_range_by_mistake_export_each_document_once",
            "colliding_and_killed_workers_export_what_one_process_does",
            "two_simultaneous_imports_of_one_run_do_no_harm",
            "two_imports_of_different_runs_into_one_target_never_mix",
        ],
        "both succeed, and the result is that of one",
    ),
    Case::new(
        "C10",
        "A plan, record or entry that is damaged, foreign or of another version",
        FAILS,
    )
    .held_by(
        &[
            "a_plan_not_written_by_this_tool_is_refused_and_left_as_it_is",
            "a_plan_whose_ranges_leave_a_gap_is_refused",
            "a_run_is_resumed_as_it_was_planned",
            "entries_of_another_staging_are_ignored",
            "a_record_that_is_damaged_or_foreign_is_named_and_left_as_it_is",
            "a_data_file_whose_entry_cannot_be_read_is_fetched_again",
        ],
        "a plan or a record is refused by name and left as it is; an entry proves nothing",
    ),
    Case::new("C11", "A read-only folder, no HOME, no terminal", RECOVERS).held_by(
        &[
            "an_unwritable_local_copy_does_not_fail_the_run",
            "an_existing_settings_file_that_cannot_be_read_is_refused_with_the_reason",
            "every_tool_works_in_a_folder_that_nobody_can_write",
        ],
        "a local copy that cannot be written only warns",
    ),
    Case::new("C12", "A panic in one task", FAILS).held_by(
        &[
            "a_thread_that_cannot_start_fails_the_run_wherever_it_is_needed",
            "a_scan_whose_task_panics_is_an_error_and_never_the_end",
            "a_part_whose_task_panics_fails_its_upload",
        ],
        "the run ends with an error, publishes nothing, and the same command finishes it",
    ),
];
