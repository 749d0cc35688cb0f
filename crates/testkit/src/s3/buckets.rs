//! Buckets: created from options or by `CreateBucket`, found, listed, never deleted.

use s3s::dto::{
    Bucket as BucketEntry, CreateBucketInput, CreateBucketOutput, HeadBucketOutput,
    ListBucketsOutput,
};
use s3s::{S3Result, s3_error};

use super::backend::Backend;
use super::storage::Bucket;

impl Backend {
    pub(crate) fn all_buckets(&self) -> ListBucketsOutput {
        let storage = self.storage();
        let entry = |(name, bucket): (&String, &Bucket)| BucketEntry {
            name: Some(name.clone()),
            creation_date: Some(bucket.created.into()),
            ..BucketEntry::default()
        };
        let buckets = storage.buckets.iter().map(entry).collect();
        ListBucketsOutput {
            buckets: Some(buckets),
            ..ListBucketsOutput::default()
        }
    }

    pub(crate) fn new_bucket(&self, input: CreateBucketInput) -> S3Result<CreateBucketOutput> {
        let mut storage = self.storage();
        if storage.buckets.contains_key(&input.bucket) {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "bucket {} exists",
                input.bucket
            ));
        }
        let location = Some(format!("/{}", input.bucket));
        storage.buckets.insert(input.bucket, Bucket::new());
        Ok(CreateBucketOutput { location })
    }

    pub(crate) fn find_bucket(&self, name: &str) -> S3Result<HeadBucketOutput> {
        self.storage().bucket(name)?;
        Ok(HeadBucketOutput::default())
    }
}
