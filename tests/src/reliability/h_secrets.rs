//! What must not be seen, and what must not be needed.

use super::{Case, RECOVERS};

const HIDDEN: &str = "no secret appears";

pub(super) const CASES: &[Case] = &[
    Case::new("H1", "The output of every case", HIDDEN)
        .held_by(
            &[
                "an_upload_never_shows_its_keys",
                "an_export_never_shows_the_password_of_its_connection_string",
                "an_import_never_shows_the_password_of_its_connection_string",
                "a_secret_is_masked_in_every_encoding", "nothing_that_an_upload_leaves_behind_holds_a_secret", "an_export_that_logs_everything_never_shows_or_leaves_its_keys", "an_import_that_logs_everything_never_shows_or_leaves_its_keys"],
            "the output of each command-line test is searched for each secret, and everything that a tool leaves in S3 and on disk, in each encoding",
        ),
    Case::new("H2", "The log at trace", HIDDEN)
        .held_by(
            &[
                "an_upload_never_shows_its_keys",
                "an_upload_never_shows_the_password_of_an_endpoint", "nothing_that_an_upload_leaves_behind_holds_a_secret", "an_export_that_logs_everything_never_shows_or_leaves_its_keys", "an_import_that_logs_everything_never_shows_or_leaves_its_keys"],
            "all tools send data at trace, and no secret appears",
        ),
    Case::new(
        "H3",
        "A password on the command line",
        "warns",
    )
    .held_by(
        &[
            "an_export_warns_that_others_can_see_a_typed_password",
            "an_import_warns_that_others_can_see_a_typed_password",
        ],
        "a typed password is warned of",
    ),
    Case::new("H4", "A core dump holds secrets", HIDDEN)
        .not_applicable("whether cores are dumped is the administrator's choice"),
    Case::new("H5", "A credentials file that others can read", "warns")
        .not_applicable("the mode of a file is its owner's choice, as for the AWS tools"),
    Case::new("H6", "http to another machine", "warns once").held_by(
        &[
            "plain_http_to_another_machine_warns_once",
            "http_to_this_machine_does_not_count_as_plain_http",
        ],
        "one warning, none for this machine",
    ),
    Case::new(
        "H7",
        "Only the documented rights, and each of them missing",
        RECOVERS,
    )
    .held_by(
        &[
            "a_missing_upload_permission_is_noticed_before_the_first_data_file",
            "a_missing_export_permission_is_noticed_before_the_first_data_file",
            "a_missing_privilege_is_named", "every_tool_works_with_exactly_the_documented_policy", "each_missing_right_on_s3_is_named_and_the_same_command_resumes_with_it", "each_right_that_a_reader_lacks_is_named_and_the_target_stays", "every_tool_works_with_exactly_the_documented_role", "each_missing_right_in_mongodb_is_named_and_the_target_stays"],
        "with the documented rights every tool works; each missing one is named with what to grant, before anything is published",
    ),
];
