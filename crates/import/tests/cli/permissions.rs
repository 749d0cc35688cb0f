//! Imports with keys that lack a permission: it is named, and no target is touched.

use std::sync::Arc;

use lob_testkit::fault_fired;
use lob_testkit::s3::{Denied, Role};

use crate::bed::{BUCKET, Bed};

#[tokio::test]
async fn a_missing_object_without_the_right_to_list_names_that_right() {
    let role = Role::default();
    let bed = Bed::with_gate(<_>::default(), Some(Arc::new(role.clone()))).await;
    bed.publish("run-1", "2025-11-15T09:30:00Z");
    bed.put_old();
    let key = "processed-splits/run-1/split_0.parquet/part-00000-00001.parquet";
    assert!(bed.s3.remove(BUCKET, key));
    role.set(Some(Denied::ListBucket));
    let told = bed.import(&[]).await.expect(1).stderr;
    for words in [key, "s3:ListBucket"] {
        assert!(told.contains(words), "{told}");
    }
    let denied = bed.s3.requests().into_iter();
    let denied = denied.filter(|request| request.status == Some(403));
    assert!(denied.count() >= 1);
    bed.assert_target_untouched();
    fault_fired("A15");
}
