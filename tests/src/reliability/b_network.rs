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
    Case::new("B2", "Connections are never made: a black hole", FAILS)
        .held_by(
            &[
                "an_upload_survives_a_network_outage",
                "a_server_that_accepts_and_never_answers_is_reported_within_30_seconds",
            ],
            "an upload survives 3 s of silence; a server that never answers is named",
        )
        .lacks("a handshake that never ends"),
    Case::new("B3", "RST before a request is sent", RECOVERS).held_by(
        &["a_connection_closed_on_reuse_is_reopened"],
        "one transport error for each operation, and the run is whole",
    ),
    Case::new("B4", "RST in the middle of a request body", RECOVERS)
        .lacks("a reset at a chosen byte of a body"),
    Case::new("B5", "RST after execution, before the reply", RECOVERS).held_by(
        &[
            "a_lost_reply_to_any_write_is_recovered",
            "an_export_that_loses_any_one_reply_is_whole",
            "an_import_that_loses_any_one_reply_is_whole",
        ],
        "each write is answered twice, and the run is whole",
    ),
    Case::new("B6", "RST in the middle of a reply", RECOVERS).lacks("a reply that is cut"),
    Case::new("B7", "FIN before Content-Length is reached", RECOVERS).lacks("a reply that is cut"),
    Case::new("B8", "A chunked reply without its last chunk", RECOVERS)
        .lacks("a chunked reply that is cut"),
    Case::new("B9", "A reply longer than Content-Length", RECOVERS).lacks("a padded reply"),
    Case::new(
        "B10",
        "A stall at 0, at half, or before the last byte",
        RECOVERS,
    )
    .held_by(
        &["every_run_under_faults_completes_with_the_right_bytes"],
        "requests that are held at 0 are sent again",
    )
    .lacks("stalls at half and before the last byte"),
    Case::new("B11", "A trickle of 1 byte a second", FAILS).held_by(
        &[
            "a_download_that_trickles_times_out_and_says_so",
            "a_download_leaves_a_trickling_connection_and_resumes_where_it_was",
        ],
        "a reply below the slowest rate times out, is read on by range, or ends the run in time",
    ),
    Case::new("B12", "A latency of 2 s, give or take 1 s", RECOVERS).lacks("a delay in the proxy"),
    Case::new("B13", "A bandwidth of 64 KiB/s", RECOVERS)
        .held_by(
            &[
                "the_attempt_timeout_grows_with_the_body",
                "a_slow_link_that_makes_progress_is_left_alone",
            ],
            "no attempt times out at 1.5 MiB/s",
        )
        .lacks("64 KiB/s, and downloads"),
    Case::new("B14", "Segments of 1 byte", RECOVERS).lacks("a proxy that slices"),
    Case::new(
        "B15",
        "One bit flipped in an upload, a download, a header",
        "recovers, or fails as damage",
    )
    .held_by(
        &[
            "bytes_damaged_in_transit_are_refused_and_sent_again",
            "a_data_file_damaged_in_transit_is_fetched_up_to_four_times",
            "an_object_damaged_in_transit_is_fetched_up_to_four_times",
        ],
        "damaged bytes are refused by the server or by the SHA-256, and moved again",
    )
    .lacks("headers"),
    Case::new("B16", "A name that cannot be resolved", FAILS)
        .held_by(
            &["an_unresolvable_name_is_named"],
            "the name is in the error",
        )
        .lacks("SRV names, an address that changes, IPv6 only"),
    Case::new(
        "B17",
        "TLS: expired, wrong host, unknown authority, broken bundle, old version, cut",
        FAILS,
    )
    .held_by(
        &[
            "an_untrusted_server_is_named_with_the_reason_and_gets_nothing",
            "a_broken_certificate_file_is_named_before_anything_is_sent",
            "tls_on_one_side_only_is_not_reported_as_a_server_that_is_down",
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
    Case::new("B20", "A partition of 10 minutes that heals", RECOVERS)
        .held_by(
            &[
                "an_upload_survives_a_network_outage",
                "a_lasting_outage_ends_the_run_in_time_and_says_what_to_do",
            ],
            "an upload goes on after 6 s of resets and silence, with at least four retries",
        )
        .lacks("export and import"),
];
