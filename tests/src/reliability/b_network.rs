//! What a network may do, from the name of a host to the last byte.

use super::{Case, FAILS, RECOVERS};

pub(super) const CASES: &[Case] = &[
    Case::new("B1", "Connections are refused", FAILS).held_by(
        &[
            "a_server_that_is_down_is_named_after_a_few_attempts",
            "an_export_names_an_s3_server_that_is_down",
            "an_import_names_an_s3_server_that_is_down",
            "an_export_names_a_mongodb_server_that_is_down",
            "an_import_names_a_mongodb_server_that_is_down",
        ],
        "the address, the cause and the settings are named",
    ),
    Case::new("B2", "Connections are never made: a black hole", FAILS).held_by(
        &[
            "a_server_that_no_connection_reaches_is_named_by_every_tool",
            "a_server_that_accepts_and_never_answers_is_reported_within_30_seconds",
        ],
        "the address and its setting are named, for S3 and MongoDB",
    ),
    Case::new("B3", "RST before a request is sent", RECOVERS).held_by(
        &["a_connection_closed_on_reuse_is_reopened"],
        "one transport error for each operation, and the run is whole",
    ),
    Case::new("B4", "RST or FIN in the middle of a request body", RECOVERS).held_by(
        &["a_part_whose_connection_breaks_in_its_body_is_sent_again"],
        "the part is sent once more, and the run is whole",
    ),
    Case::new("B5", "RST after execution, before the reply", RECOVERS).held_by(
        &[
            "a_lost_reply_to_any_write_is_recovered",
            "an_export_that_loses_any_one_reply_is_whole",
            "an_import_that_loses_any_one_reply_is_whole",
        ],
        "each write is answered twice, and the run is whole",
    ),
    Case::new("B6", "RST in the middle of a reply", RECOVERS).held_by(
        &[
            "a_download_that_breaks_or_stalls_anywhere_is_read_on_from_there",
            "an_import_whose_downloads_break_anywhere_has_the_right_documents",
        ],
        "the rest is asked for by its range, and bytes and documents are right",
    ),
    Case::new("B7", "FIN before Content-Length is reached", RECOVERS).held_by(
        &[
            "a_download_that_breaks_or_stalls_anywhere_is_read_on_from_there",
            "an_import_whose_downloads_break_anywhere_has_the_right_documents",
        ],
        "the rest is asked for by its range, and bytes and documents are right",
    ),
    Case::new("B8", "A chunked reply without its last chunk", RECOVERS).held_by(
        &["a_list_that_breaks_off_between_two_chunks_is_asked_for_again"],
        "the list is asked for once more",
    ),
    Case::new("B9", "A reply longer than Content-Length", RECOVERS).held_by(
        &[
            "bytes_beyond_the_announced_length_are_ignored",
            "an_import_whose_downloads_break_anywhere_has_the_right_documents",
        ],
        "the surplus is ignored, and bytes and documents are right",
    ),
    Case::new(
        "B10",
        "A stall at 0, at half, or before the last byte",
        RECOVERS,
    )
    .held_by(
        &[
            "a_download_that_breaks_or_stalls_anywhere_is_read_on_from_there",
            "an_import_whose_downloads_break_anywhere_has_the_right_documents",
            "every_run_under_faults_completes_with_the_right_bytes",
        ],
        "after --attempt-timeout the rest is asked for by its range",
    ),
    Case::new("B11", "A trickle of 1 byte a second", FAILS).held_by(
        &[
            "a_download_that_trickles_times_out_and_says_so",
            "a_download_leaves_a_trickling_connection_and_resumes_where_it_was",
        ],
        "a reply below the slowest rate times out, is read on by range, or ends the run in time",
    ),
    Case::new("B12", "A latency that varies by half", RECOVERS).held_by(
        &["a_latency_that_varies_makes_nothing_fail"],
        "at 0.1 to 0.3 s, with --attempt-timeout 2s, no request of the three tools fails",
    ),
    Case::new("B13", "A bandwidth of 64 KiB/s", RECOVERS).held_by(
        &[
            "a_link_of_64_kib_per_second_makes_nothing_fail",
            "the_attempt_timeout_grows_with_the_body",
            "a_slow_link_that_makes_progress_is_left_alone",
        ],
        "with --attempt-timeout 2s, no request of the three tools fails",
    ),
    Case::new("B14", "Segments of 1 byte", RECOVERS).held_by(
        &["segments_of_one_byte_make_nothing_fail"],
        "no request of the three tools fails, and bytes and documents are right",
    ),
    Case::new(
        "B15",
        "One bit flipped in an upload, a download, a head",
        "recovers, or fails without publishing",
    )
    .held_by(
        &[
            "a_bit_flipped_anywhere_in_a_head_never_publishes_wrong_bytes",
            "bytes_damaged_in_transit_are_refused_and_sent_again",
            "an_import_whose_downloads_break_anywhere_has_the_right_documents",
            "a_data_file_damaged_in_transit_is_fetched_up_to_four_times",
            "an_object_damaged_in_transit_is_fetched_up_to_four_times",
        ],
        "damaged bytes are refused by the server or by the SHA-256, and moved again",
    ),
    Case::new("B16", "A name that cannot be resolved", FAILS).held_by(
        &[
            "an_unresolvable_name_is_named",
            "an_unresolvable_name_of_mongodb_is_named",
            "a_server_with_nothing_but_an_ipv6_address_works",
            "a_server_whose_address_changes_midway_is_found_again",
        ],
        "the name is in the error, of S3, MongoDB and an SRV record; IPv6 alone works, and so does \
             a name whose address changes",
    ),
    Case::new(
        "B17",
        "TLS: expired, wrong host, unknown authority, broken bundle, old version, cut",
        "recovers from a cut, else fails",
    )
    .held_by(
        &[
            "an_untrusted_server_is_named_with_the_reason_and_gets_nothing",
            "a_broken_certificate_file_is_named_before_anything_is_sent",
            "tls_on_one_side_only_is_not_reported_as_a_server_that_is_down",
            "a_handshake_that_is_cut_off_is_repeated",
        ],
        "the reason is named, and the server gets no request",
    ),
    Case::new("B18", "407 from an HTTP proxy", FAILS).held_by(
        &[
            "a_proxy_that_wants_a_password_is_named",
            "a_proxy_that_refuses_a_tunnel_is_named_after_a_few_attempts",
        ],
        "the proxy and what it wants are named",
    ),
    Case::new(
        "B19",
        "An idle connection closed as it is used again",
        RECOVERS,
    )
    .held_by(
        &["a_connection_closed_on_reuse_is_reopened"],
        "one transport error for each operation, and the run is whole",
    ),
    Case::new("B20", "A partition that heals", RECOVERS).held_by(
        &[
            "a_partition_from_both_servers_that_heals_is_survived",
            "an_upload_survives_a_network_outage",
            "a_lasting_outage_ends_the_run_in_time_and_says_what_to_do",
        ],
        "each tool goes on after resets and silence for 2 s each (`LOB_STORM_SECONDS` makes it \
         longer), and is whole",
    ),
];
