//! A result that cannot be printed: the work stands, and the log holds the result.

use lob_testkit::every_tool;

use crate::bed::Bed;

#[tokio::test]
async fn an_import_whose_result_cannot_be_printed_succeeds_and_logs_it() {
    for stdout in every_tool::unwritable() {
        let bed = Bed::new().await;
        every_tool::assert_result_logged(&bed, &[], stdout).await;
        bed.assert_imported();
    }
    lob_testkit::fault_fired("C4");
}
