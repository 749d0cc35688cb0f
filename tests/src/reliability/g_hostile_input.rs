//! Manifests, Parquet files, BSON and connection strings made to do harm.

use super::{Case, FAILS, RECOVERS, REFUSES};

pub(super) const CASES: &[Case] = &[
    Case::new("G1", "Manifest: names that leave the run's folder", REFUSES).held_by(
        &[
            "a_name_must_be_a_relative_path_of_plain_segments",
            "a_manifest_that_points_outside_its_run_is_refused",
            "restore_follows_links_but_never_writes_outside_its_folder",
            "no_name_of_a_data_file_leads_out_of_its_split",
        ],
        "status 3, no request leaves the folder of the run, and the target is untouched",
    ),
    Case::new(
        "G2",
        "Manifest: another bucket, ARN or server",
        "is ignored",
    )
    .held_by(
        &[
            "a_summary_names_every_split",
            "nothing_is_written_to_the_database_or_collection_that_a_manifest_names",
        ],
        "the manifest of each import says `elsewhere`, and its settings alone say where",
    ),
    Case::new(
        "G3",
        "Manifest: another database, system.*, `$`",
        "is ignored or refused",
    )
    .held_by(
        &[
            "a_summary_names_every_split",
            "importing_into_the_servers_own_databases_is_a_usage_error",
            "nothing_is_written_to_the_database_or_collection_that_a_manifest_names",
        ],
        "names come from the settings alone",
    ),
    Case::new("G4", "Manifest: a key, object or split twice", REFUSES).held_by(
        &["what_a_manifest_lists_twice_is_damage"],
        "status 3 within 96 MiB, and the target is untouched",
    ),
    Case::new(
        "G5",
        "Manifest: wrong size, hash or rows, a missing field, a version",
        REFUSES,
    )
    .held_by(
        &[
            "a_manifest_that_does_not_add_up_is_refused",
            "a_manifest_without_a_field_is_refused",
            "a_manifest_of_an_unknown_version_is_refused",
            "a_manifest_that_lies_stops_the_import_before_the_target_is_touched",
        ],
        "status 3, and the target is untouched",
    ),
    Case::new(
        "G6",
        "Manifest: huge, deep, 1e400, repeated members, BOM, UTF-16",
        REFUSES,
    )
    .held_by(
        &[
            "deep_or_broken_json_is_an_error",
            "an_oversized_string_is_an_error_but_many_small_ones_are_fine",
            "what_a_manifest_lists_twice_is_damage",
            "what_is_not_json_in_utf_8_is_damage",
            "numbers_that_no_run_has_are_damage",
            "millions_of_entries_take_no_more_memory_than_their_text",
            "a_text_of_many_megabytes_and_a_million_levels_are_damage",
        ],
        "status 3 in little more memory than the text has, for imports and lists",
    ),
    Case::new(
        "G7",
        "Manifest: sums that overflow, negative numbers",
        REFUSES,
    )
    .held_by(
        &[
            "sizes_whose_sum_overflows_are_refused",
            "sums_do_not_wrap",
            "numbers_that_no_run_has_are_damage",
        ],
        "status 3, and the target is untouched",
    ),
    Case::new("G8", "Manifest: rolled back, or of another run", REFUSES).held_by(
        &[
            "a_manifest_of_another_run_is_refused",
            "a_damaged_manifest_or_one_from_another_run_is_refused",
            "an_older_manifest_that_is_valid_is_followed_but_cannot_empty_a_target",
        ],
        "another run is refused; an older manifest is followed, but cannot empty a target",
    ),
    Case::new("G9", "Manifest: changed between reading and use", REFUSES)
        .not_applicable("it is read once, and its hash names the staging collection"),
    Case::new("G10", "Parquet: a bit flipped in data", FAILS).held_by(
        &[
            "one_flipped_bit_in_a_data_file_stops_the_import_before_the_target_is_touched",
            "a_data_file_with_a_flipped_bit_is_named",
        ],
        "status 3, and the target is untouched",
    ),
    Case::new("G11", "Parquet: a bit flipped in the footer", FAILS).held_by(
        &[
            "a_flipped_bit_anywhere_never_panics",
            "a_flipped_bit_in_the_footer_never_panics",
            "a_mutated_data_file_is_damage_or_holds_the_documents_that_were_written",
        ],
        "an error or the same documents, never a panic",
    ),
    Case::new(
        "G12",
        "Parquet: a footer's length that lies, wrong magic, PARE",
        FAILS,
    )
    .held_by(
        &[
            "a_truncated_file_is_an_error_wherever_it_is_cut",
            "a_parquet_frame_around_arbitrary_bytes_never_panics",
            "a_footer_whose_length_or_magic_lies_is_damage",
        ],
        "status 3 in little memory, and the target is untouched",
    ),
    Case::new(
        "G13",
        "Parquet: pages, counts and offsets that lie, chunks that overlap",
        FAILS,
    )
    .held_by(
        &[
            "row_groups_that_share_a_column_chunk_are_an_error",
            "rejects_a_list_that_claims_more_elements_than_its_bytes_hold",
            "overwritten_bytes_never_panic",
            "claims_about_chunks_and_rows_that_do_not_hold_are_damage",
            "claims_of_pages_that_do_not_hold_are_damage",
        ],
        "status 3 in little memory, and the target is untouched",
    ),
    Case::new(
        "G14",
        "Parquet: bombs by ratio, dictionary, columns and depth",
        FAILS,
    )
    .held_by(
        &[
            "a_schema_of_a_million_levels_is_an_error",
            "a_file_of_two_kilobytes_cannot_stand_for_twelve_million_rows",
            "equal_rows_that_fit_into_the_memory_take_no_more",
            "a_few_kilobytes_cannot_stand_for_a_gigabyte_of_text",
            "a_dictionary_of_one_long_text_takes_its_size_once",
            "lists_of_lists_cannot_multiply_what_a_page_takes",
            "a_footer_cannot_stand_for_more_than_its_own_size",
        ],
        "refused before it takes memory, and the target is untouched",
    ),
    Case::new(
        "G15",
        "Parquet: corrupt frames, unknown codecs and encodings",
        FAILS,
    )
    .held_by(
        &[
            "overwritten_bytes_never_panic",
            "overwritten_bytes_in_a_spark_file_never_panic",
            "frames_of_another_compression_than_the_footer_names_are_damage",
            "claims_about_chunks_and_rows_that_do_not_hold_are_damage",
            "claims_of_pages_that_do_not_hold_are_damage",
        ],
        "status 3 in little memory, and the target is untouched",
    ),
    Case::new("G16", "Parquet: recursion and lengths in Thrift", FAILS).held_by(
        &[
            "a_schema_is_bounded_in_depth_and_number_of_elements",
            "a_schema_of_a_million_levels_is_an_error",
            "an_arbitrary_footer_never_panics",
            "rejects_more_row_groups_chunks_and_names_than_any_file_has",
            "a_footer_cannot_stand_for_more_than_its_own_size",
        ],
        "an error, never a panic",
    ),
    Case::new(
        "G17",
        "Parquet: wrong logical types, strings that are not UTF-8",
        FAILS,
    )
    .held_by(
        &[
            "an_unsupported_legacy_column_is_refused_by_name",
            "text_that_is_not_utf_8_is_not_taken_for_the_text_of_the_manifest",
        ],
        "status 3, and the target is untouched",
    ),
    Case::new("G18", "Parquet: row groups that do not add up", FAILS).held_by(
        &["claims_about_chunks_and_rows_that_do_not_hold_are_damage"],
        "status 3 in little memory, and the target is untouched",
    ),
    Case::new("G19", "BSON: 2,000 levels", FAILS).held_by(
        &[
            "a_deeply_nested_document_is_checked_without_recursion",
            "a_deeply_nested_id_is_read_compared_and_displayed_safely",
            "deep_nesting_is_residual_and_never_overflows_the_stack",
            "bson_that_lies_in_a_residual_column_is_damage",
        ],
        "no stack overflows",
    ),
    Case::new("G20", "BSON: lengths that lie", FAILS).held_by(
        &[
            "a_wrong_length_or_terminator_is_malformed",
            "a_value_that_ends_outside_its_document_ends_the_walk",
            "a_malformed_document_is_refused_and_leaves_the_encoder_intact",
            "bson_that_lies_in_a_residual_column_is_damage",
        ],
        "an error, never a panic",
    ),
    Case::new("G21", "Extended JSON: a bomb", FAILS).held_by(
        &[
            "a_document_that_would_read_back_differently_has_no_text",
            "indexes_and_options_have_a_size_limit",
            "an_index_made_to_do_harm_is_refused",
        ],
        "depth and size have limits",
    ),
    Case::new(
        "G22",
        "Connection strings: odd passwords, many hosts, tlsInsecure",
        REFUSES,
    )
    .held_by(
        &[
            "connection_strings_are_handled_as_specified",
            "whitespace_anywhere_in_a_connection_string_is_refused",
            "a_malformed_password_is_refused_without_quoting_it",
            "an_export_never_shows_the_password_of_its_connection_string",
            "a_certificate_is_left_unchecked_only_on_request_and_with_one_warning",
        ],
        "what cannot be meant is refused, without the password",
    ),
    Case::new(
        "G23",
        "Escape sequences in what servers and manifests say",
        RECOVERS,
    )
    .held_by(
        &[
            "a_manifest_cannot_forge_a_line_of_the_list_or_an_error",
            "a_name_cannot_forge_a_line_of_output",
            "any_text_becomes_one_line_and_json_keeps_its_meaning",
            "prometheus_gets_every_counter_and_no_error_code_breaks_a_line",
        ],
        "each is printed as visible text on its own line",
    ),
];
