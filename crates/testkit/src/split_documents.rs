//! Documents like those in split collections: as many as needed, and the same for the same seed.
//!
//! They are written as raw bytes: a 10 GB collection cannot be built from decoded documents.

use bson::RawDocumentBuf;

use crate::document_writer::DocumentWriter;

/// The roles a document may have, with their percentages.
const ROLES: [(&str, u32); 4] = [
    ("train", 70),
    ("train_warmup", 5),
    ("validation", 15),
    ("test", 10),
];
/// The time of the first document, 2024-01-01T00:00:00Z, in milliseconds.
const START: i64 = 1_704_067_200_000;

/// An endless iterator over split documents in ascending `_id` order; take as many as needed.
///
/// `{_id, timestamp, timestamp_str, role, features, fold_id, fold_type}` with random finite doubles
/// in `features`.
#[derive(Debug)]
pub struct SplitDocuments {
    randomness: Randomness,
    features: Features,
    next: u32,
}

/// The bytes of a `features` array; only the values differ between documents.
#[derive(Debug)]
struct Features {
    array: Vec<u8>,
    /// Offset of each value.
    values: Vec<usize>,
}

impl SplitDocuments {
    /// `feature_length` is the number of doubles in each document.
    #[must_use]
    pub fn new(seed: u64, feature_length: usize) -> Self {
        Self {
            randomness: Randomness(seed),
            features: Features::new(feature_length),
            next: 0,
        }
    }
}

impl Iterator for SplitDocuments {
    type Item = RawDocumentBuf;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next;
        self.next = number.checked_add(1)?;
        // One document per second; ids are in time order.
        let time = START + i64::from(number) * 1000;
        let mut id = [0; 12];
        id[..4].copy_from_slice(&((time / 1000) as u32).to_be_bytes());
        id[4..8].copy_from_slice(&(self.randomness.next() as u32).to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        let fold = (self.randomness.next() % 5) as i32;
        let role = role((self.randomness.next() % 100) as u32);
        self.features.fill(&mut self.randomness);

        let mut document = DocumentWriter::with_capacity(self.features.array.len() + 200);
        document.element(bson::spec::ElementType::ObjectId, "_id", &id);
        document
            .date("timestamp", time)
            .string("timestamp_str", text(time));
        document
            .string("role", role)
            .array("features", &self.features.array);
        document
            .int32("fold_id", fold)
            .string("fold_type", fold_type(role));
        RawDocumentBuf::from_bytes(document.finish()).ok()
    }
}

/// SplitMix64: yields the same numbers with every version of every library, and is fast enough to
/// fill gigabytes in an unoptimised build.
#[derive(Debug)]
struct Randomness(u64);

impl Randomness {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Features {
    fn new(length: usize) -> Self {
        let mut array = DocumentWriter::with_capacity(length * 13 + 5);
        let values = (0..length).map(|index| array.double(index.to_string(), 0.0).len() - 8);
        let values = values.collect();
        Self {
            array: array.finish(),
            values,
        }
    }

    /// Randomises every bit except the exponent's upper ones: values between 2^-8 and 2^8, of
    /// either sign.
    fn fill(&mut self, randomness: &mut Randomness) {
        for at in &self.values {
            let bits = randomness.next();
            let exponent = 1023 - 8 + (bits >> 52 & 0xf);
            let value = bits & 0x800f_ffff_ffff_ffff | exponent << 52;
            self.array[*at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
}

fn role(percent: u32) -> &'static str {
    let mut below = 0;
    let found = ROLES.into_iter().find(|(_, share)| {
        below += share;
        percent < below
    });
    found.map_or(ROLES[0].0, |(role, _)| role)
}

fn fold_type(role: &str) -> &'static str {
    if role == "test" {
        "holdout"
    } else {
        "walk_forward"
    }
}

/// Formats milliseconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`.
fn text(milliseconds: i64) -> String {
    bson::DateTime::from_millis(milliseconds)
        .try_to_rfc3339_string()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
        let some = |seed| SplitDocuments::new(seed, 8).take(20).collect::<Vec<_>>();
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }

    #[test]
    fn documents_have_the_fields_of_a_split_and_ascending_ids() {
        let mut last = None;
        for document in SplitDocuments::new(7, 768).take(300) {
            let document = bson::Document::try_from(document).unwrap();
            let names: Vec<_> = document.keys().map(String::as_str).collect();
            let expected = [
                "_id",
                "timestamp",
                "timestamp_str",
                "role",
                "features",
                "fold_id",
                "fold_type",
            ];
            assert_eq!(names, expected);
            assert!(document.get_datetime("timestamp").is_ok());
            assert!(document.get_i32("fold_id").is_ok());
            assert!(
                ROLES
                    .iter()
                    .any(|(role, _)| *role == document.get_str("role").unwrap())
            );
            let features = document.get_array("features").unwrap();
            assert_eq!(features.len(), 768);
            assert!(
                features
                    .iter()
                    .all(|value| value.as_f64().unwrap().is_finite())
            );
            let id = Some(document.get_object_id("_id").unwrap());
            assert!(last < id);
            last = id;
        }
    }
}
