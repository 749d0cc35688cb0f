//! What documents may hold.

use super::{Case, FAILS, RECOVERS};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "F1",
        "_ids of all types, on both sides of a range's bound",
        RECOVERS,
    )
    .held_by(
        &[
            "ids_of_every_type_come_back_byte_for_byte_over_many_ranges",
            "ids_of_every_type_are_in_exactly_one_range_and_can_be_resumed_from",
        ],
        "each document comes back once, byte for byte",
    ),
    Case::new("F2", "_ids that are equal but of different types", FAILS).held_by(
        &[
            "equal_ids_of_different_types_are_duplicates",
            "numbers_of_different_types_and_zeros_of_both_signs_are_equal",
            "a_different_stored_document_is_an_error_and_an_equal_one_is_not",
        ],
        "they are duplicates to us as to the server",
    ),
    Case::new(
        "F3",
        "NaN payloads, -0.0, extremes, dates outside the calendar",
        RECOVERS,
    )
    .held_by(
        &[
            "special_numbers_keep_their_bits",
            "dates_outside_the_years_1_to_9999_are_residual",
            "every_bson_type_and_oddity_comes_back_byte_for_byte",
        ],
        "the bits come back",
    ),
    Case::new(
        "F4",
        "Missing, null and undefined; empty and mixed arrays",
        RECOVERS,
    )
    .held_by(
        &[
            "absent_fields_nulls_and_field_order_survive_the_round_trip",
            "arrays_that_mix_numbers_and_nulls_get_columns",
            "every_bson_type_and_oddity_comes_back_byte_for_byte",
        ],
        "documents come back byte for byte",
    ),
    Case::new(
        "F5",
        "Repeated, empty and dotted keys; 10,000 keys",
        RECOVERS,
    )
    .held_by(
        &[
            "odd_names_get_columns_and_names_that_readers_confuse_are_residual",
            "documents_with_10000_fields_are_exported",
            "every_bson_type_and_oddity_comes_back_byte_for_byte",
        ],
        "documents come back byte for byte",
    ),
    Case::new("F6", "Strings that are not UTF-8", RECOVERS).held_by(
        &[
            "an_id_that_is_not_utf_8_is_kept_and_displayed",
            "an_id_that_is_not_utf_8_is_read_back_after_a_lost_reply",
            "every_bson_type_and_oddity_comes_back_byte_for_byte",
        ],
        "documents come back byte for byte",
    ),
    Case::new("F7", "16 MiB, 100 levels, deprecated types", RECOVERS).held_by(
        &[
            "a_document_of_16_mib_comes_back",
            "a_16_mb_document_is_exported_even_with_a_small_read_ahead",
            "deep_nesting_is_residual_and_never_overflows_the_stack",
            "every_bson_type_and_oddity_comes_back_byte_for_byte",
        ],
        "documents come back byte for byte",
    ),
    Case::new(
        "F8",
        "No documents, one, empty row groups, fields that change midway",
        RECOVERS,
    )
    .held_by(
        &[
            "an_empty_split_comes_back_empty",
            "files_without_documents_or_without_fitting_documents_are_complete",
            "files_and_row_groups_without_rows_are_valid",
            "rows_the_sample_missed_are_counted_and_named_in_the_summary",
        ],
        "documents come back byte for byte, and what the sample missed is counted",
    ),
];
