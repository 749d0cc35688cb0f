//! Servers that can do less than S3: the upload succeeds, warns about what is weaker, and claims no
//! more.

use lob_testkit::fault_fired;
use lob_testkit::parquet_files::FeedSize;
use lob_testkit::s3::{
    Checksums, Conditions, Moment, Operation, Request, S3Options, StoredObject, Weaknesses,
};
use serde_json::{Value, json};

use crate::bed::{BUCKET, Bed, Finished, RUN, writes};

const BIG: &str = "2025/big.parquet";
const SMALL: &str = "2025/small.parquet";
const CRC: &str = "full-object-crc64nvme";
const MD5: &str = "part-md5";
const SIZE: &str = "size-only";

const NO_CONDITIONS: &str = "the server ignores conditional writes";
const NO_CRC: &str = "the server reports no CRC64NVME: files are verified by the MD5";
const NO_CRC_OF_PARTS: &str = "the server reports no CRC64NVME for multipart uploads";
const NO_CHECKSUM_OF_PARTS: &str = "the server reports no checksum for multipart uploads";
const NO_CHECKSUM: &str = "the server reports no checksum at all";
const NO_UPLOADS: &str = "the server cannot list open uploads";
const NO_PARTS: &str = "the server cannot list parts";

/// What an upload to a server with these weaknesses reports.
struct Case {
    weaknesses: Weaknesses,
    /// Warnings, each given once.
    told: &'static [&'static str],
    /// The manifest's `endpoint`: conditions on Put and on Complete, CRCs of Put and of Complete,
    /// MD5s as ETags.
    abilities: [bool; 5],
    /// How a file sent in one request and a file sent in parts are proved.
    verified: [&'static str; 2],
}

impl Case {
    async fn bed(&self) -> Bed {
        Bed::on(S3Options {
            weaknesses: self.weaknesses,
            ..S3Options::default()
        })
        .await
    }

    /// Expects exactly the warnings about the endpoint, each once.
    #[track_caller]
    fn check_told(&self, finished: &Finished) {
        for warning in [
            NO_CONDITIONS,
            NO_CRC,
            NO_CRC_OF_PARTS,
            NO_CHECKSUM,
            NO_CHECKSUM_OF_PARTS,
        ] {
            let times = finished.stderr.matches(warning).count();
            let expected = usize::from(self.told.contains(&warning));
            let shown = finished.shown();
            assert_eq!(times, expected, "{:?}: {warning}\n{shown}", self.weaknesses);
        }
    }

    #[track_caller]
    fn check_manifest(&self, bed: &Bed) {
        let manifest = bed.manifest();
        let [put, complete, crc, full, md5] = self.abilities;
        let endpoint = json!({
            "conditional_writes": put,
            "crc64nvme": crc,
            "md5_etags": md5,
            "multipart": { "conditional_completes": complete, "full_object_crc64nvme": full },
        });
        assert_eq!(manifest["endpoint"], endpoint, "{:?}", self.weaknesses);
        let files = manifest["files"].as_array().unwrap();
        let verified: Vec<&Value> = files.iter().map(|file| &file["verified"]).collect();
        let [one, parts] = self.verified;
        assert_eq!(verified, [parts, one, one], "{:?}", self.weaknesses);
    }

    /// Runs one undisturbed upload, and one that is killed twice.
    async fn check(&self) {
        let bed = self.bed().await;
        let feeds = bed.feeds();
        let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
        self.check_told(&finished);
        self.check_manifest(&bed);
        bed.assert_whole(&feeds);

        let bed = self.bed().await;
        bed.feeds();
        let complete = |moment: Moment, request: &Request| {
            let complete = request.operation == Operation::CompleteMultipartUpload;
            moment == Moment::Arrived && complete && request.key == format!("{RUN}/{BIG}")
        };
        bed.kill_at(&[], complete).await.unwrap();
        let before = bed.operations().len();
        let commit = |moment: Moment, request: &Request| {
            moment == Moment::Arrived && writes(request, "manifest.json")
        };
        bed.kill_at(&[], commit).await.unwrap();
        self.check_parts(&bed, before);
        let (small, before) = (bed.object(SMALL), bed.operations().len());
        let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
        self.check_told(&finished);
        self.check_manifest(&bed);
        self.check_whole_files(&bed, &small, before);
        let left = bed.s3.open_uploads(BUCKET).len();
        assert_eq!(left, usize::from(self.weaknesses.no_list_uploads));
        for (name, bytes) in feeds {
            assert!(bed.object(&name).bytes == bytes, "{name}");
        }
    }

    /// Expects parts to be kept if the server can list and prove them.
    fn check_parts(&self, bed: &Bed, before: usize) {
        let weak = self.weaknesses;
        let kept = !weak.no_list_parts && !weak.no_list_uploads && self.verified[1] != SIZE;
        let sent = bed.asked(Operation::UploadPart, BIG, before).len();
        assert_eq!(sent, if kept { 0 } else { 2 });
    }

    /// Expects whole files to be kept if the server can prove them, and to be replaced in place if
    /// not.
    fn check_whole_files(&self, bed: &Bed, small: &StoredObject, before: usize) {
        let puts = bed.asked(Operation::PutObject, SMALL, before);
        if self.verified[0] == SIZE {
            assert_eq!(puts.len(), 1);
            let seen = format!("\"{}\"", small.etag);
            let condition = self.abilities[0].then_some(seen.as_str());
            assert_eq!(puts[0].header("if-match"), condition);
        } else {
            assert_eq!(puts.len(), 0);
        }
    }
}

/// [`Case::check`], for these fields in their order.
async fn check(
    weaknesses: Weaknesses,
    told: &'static [&'static str],
    abilities: [bool; 5],
    verified: [&'static str; 2],
) {
    let case = Case {
        weaknesses,
        told,
        abilities,
        verified,
    };
    case.check().await;
}

#[tokio::test]
async fn ignored_conditions_cause_a_warning_and_are_recorded() {
    let weak = Weaknesses {
        conditions: Conditions::Ignored,
        ..Weaknesses::default()
    };
    let told = &[NO_CONDITIONS];
    check(weak, told, [false, false, true, true, true], [CRC, CRC]).await;
}

#[tokio::test]
async fn conditions_ignored_only_on_complete_cause_a_warning_and_are_recorded() {
    let weak = Weaknesses {
        conditions: Conditions::IgnoredOnComplete,
        ..Weaknesses::default()
    };
    let told = &[NO_CONDITIONS];
    check(weak, told, [true, false, true, true, true], [CRC, CRC]).await;
}

#[tokio::test]
async fn a_server_that_refuses_conditions_is_used_without_them() {
    for (checksums, verified) in [
        (Checksums::Kept, [CRC, CRC]),
        (Checksums::Refused, [MD5, MD5]),
    ] {
        let keeps = checksums == Checksums::Kept;
        let told: &[&str] = if keeps {
            &[NO_CONDITIONS]
        } else {
            &[NO_CONDITIONS, NO_CRC]
        };
        let weak = Weaknesses {
            conditions: Conditions::Refused,
            checksums,
            ..Weaknesses::default()
        };
        check(weak, told, [false, false, keeps, keeps, true], verified).await;
    }
}

#[tokio::test]
async fn part_etags_that_are_not_md5_prove_nothing_but_are_no_error() {
    for (checksums, crc, of_put, told) in [
        (Checksums::Ignored, false, SIZE, &[NO_CHECKSUM]),
        (Checksums::NoFullObject, true, CRC, &[NO_CHECKSUM_OF_PARTS]),
    ] {
        let weak = Weaknesses {
            checksums,
            random_part_etags: true,
            ..Weaknesses::default()
        };
        check(weak, told, [true, true, crc, false, false], [of_put, SIZE]).await;
    }
}

#[tokio::test]
async fn a_multipart_upload_is_created_even_if_empty_bodies_need_a_length() {
    let weak = Weaknesses {
        length_required: true,
        ..Weaknesses::default()
    };
    check(weak, &[], [true; 5], [CRC, CRC]).await;
}

#[tokio::test]
async fn files_are_proved_by_md5_if_the_server_keeps_no_checksums() {
    for checksums in [Checksums::Ignored, Checksums::Refused] {
        let weak = Weaknesses {
            checksums,
            ..Weaknesses::default()
        };
        let told = &[NO_CRC];
        check(weak, told, [true, true, false, false, true], [MD5, MD5]).await;
    }
}

#[tokio::test]
async fn parts_are_proved_by_md5_without_full_object_checksums() {
    let weak = Weaknesses {
        checksums: Checksums::NoFullObject,
        ..Weaknesses::default()
    };
    let told = &[NO_CRC_OF_PARTS];
    check(weak, told, [true, true, true, false, true], [CRC, MD5]).await;
}

#[tokio::test]
async fn etags_that_are_not_md5_do_not_matter_if_there_are_checksums() {
    let weak = Weaknesses {
        random_etags: true,
        ..Weaknesses::default()
    };
    check(weak, &[], [true, true, true, true, false], [CRC, CRC]).await;
}

#[tokio::test]
async fn an_unprovable_object_is_replaced_in_place() {
    for checksums in [Checksums::Ignored, Checksums::Refused] {
        let weak = Weaknesses {
            checksums,
            random_etags: true,
            ..Weaknesses::default()
        };
        let told = &[NO_CHECKSUM];
        check(weak, told, [true, true, false, false, false], [SIZE, SIZE]).await;
    }
}

#[tokio::test]
async fn a_file_is_sent_again_if_the_server_cannot_list_its_parts() {
    for (no_list_parts, no_list_uploads) in [(true, false), (false, true), (true, true)] {
        let weak = Weaknesses {
            no_list_parts,
            no_list_uploads,
            ..Weaknesses::default()
        };
        check(weak, &[], [true; 5], [CRC, CRC]).await;
    }
}

#[tokio::test]
async fn a_resumed_run_reports_what_the_server_cannot_list() {
    for (no_list_parts, told) in [(true, NO_PARTS), (false, NO_UPLOADS)] {
        let bed = Bed::on(S3Options {
            weaknesses: Weaknesses {
                no_list_parts,
                no_list_uploads: !no_list_parts,
                ..Weaknesses::default()
            },
            ..S3Options::default()
        })
        .await;
        bed.feeds();
        let part = |moment: Moment, request: &Request| {
            let part = request.operation == Operation::UploadPart;
            moment == Moment::Executed && part && request.key.ends_with(BIG)
        };
        bed.kill_at(&[], part).await.unwrap();
        let finished = bed.run(&["--run-id", "run-1"]).await.expect(0);
        assert!(finished.stderr.contains(told), "{}", finished.shown());
    }
}

#[tokio::test]
async fn all_of_several_weaknesses_are_reported() {
    let no_checksums = Weaknesses {
        checksums: Checksums::Ignored,
        ..Weaknesses::default()
    };

    let weak = Weaknesses {
        conditions: Conditions::Ignored,
        ..no_checksums
    };
    let told = &[NO_CONDITIONS, NO_CRC];
    check(weak, told, [false, false, false, false, true], [MD5, MD5]).await;

    let weak = Weaknesses {
        conditions: Conditions::IgnoredOnComplete,
        ..no_checksums
    };
    let told = &[NO_CONDITIONS, NO_CRC];
    check(weak, told, [true, false, false, false, true], [MD5, MD5]).await;

    let weak = Weaknesses {
        conditions: Conditions::IgnoredOnComplete,
        checksums: Checksums::NoFullObject,
        ..Weaknesses::default()
    };
    let told = &[NO_CONDITIONS, NO_CRC_OF_PARTS];
    check(weak, told, [true, false, true, false, true], [CRC, MD5]).await;

    let weak = Weaknesses {
        checksums: Checksums::NoFullObject,
        random_etags: true,
        ..Weaknesses::default()
    };
    let told = &[NO_CHECKSUM_OF_PARTS];
    check(weak, told, [true, true, true, false, false], [CRC, SIZE]).await;

    let weak = Weaknesses {
        conditions: Conditions::Ignored,
        checksums: Checksums::Refused,
        no_list_parts: true,
        no_list_uploads: true,
        random_etags: true,
        ..Weaknesses::default()
    };
    let told = &[NO_CONDITIONS, NO_CHECKSUM];
    check(weak, told, [false; 5], [SIZE, SIZE]).await;
    fault_fired("A25");
}

#[tokio::test]
async fn a_profile_in_a_file_that_cannot_be_read_is_not_said_to_be_missing() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    let latin = b"# caf\xe9\n[prod]\naws_access_key_id=a\n".to_vec();
    for (file, told) in [
        (latin, "`credentials` is not UTF-8 text"),
        (
            b"[prod]\nregion=r\ngarbage\n".to_vec(),
            "credentials on line 3",
        ),
    ] {
        std::fs::write(bed.path("credentials"), file).unwrap();
        let variables = [("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
        let named = [&variables[..], &[("AWS_PROFILE", "prod")]].concat();
        let stderr = bed.run_with(&[], &named).await.expect(2).stderr;
        assert!(
            stderr.contains("the AWS profile `prod` cannot be read"),
            "{stderr}"
        );
        assert!(stderr.contains(told), "{stderr}");
        // The keys are in variables.
        let stderr = bed.run_with(&[], &variables).await.expect(0).stderr;
        assert!(
            stderr.contains("a file of the AWS configuration is not used"),
            "{stderr}"
        );
        assert!(stderr.contains(told), "{stderr}");
    }
}

#[tokio::test]
async fn a_missing_profile_is_named_with_the_files_searched() {
    let bed = Bed::new().await;
    bed.feed("a.parquet", FeedSize::Rows(1));
    std::fs::write(bed.path("config"), "[profile there]\nregion = eu-west-1\n").unwrap();
    for (profile, status) in [("thre", 2), ("there", 0)] {
        let variables = [
            ("AWS_PROFILE", profile),
            ("AWS_CONFIG_FILE", "config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ];
        let finished = bed.run_with(&["--run-id", "run-1"], &variables).await;
        let finished = finished.expect(status);
        let told = "error: there is no AWS profile `thre` in `config` or `credentials`\n    \
                    `profile`: environment variable `AWS_PROFILE`\n";
        assert_eq!(
            finished.stderr.contains(told),
            status == 2,
            "{}",
            finished.stderr
        );
    }
}
