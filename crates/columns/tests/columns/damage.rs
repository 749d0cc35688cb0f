//! Damaged and hostile files cause an error or yield other documents, which the digest reveals.
//! They never cause a panic or unbounded memory use.

use std::io::Cursor;

use lob_columns::{Columns, Compression, ReadError, Reader};
use proptest::prelude::*;

use crate::support::{Doc, propose, write};

/// A file of several row groups, with columns of all kinds and a residual row.
fn file(compression: Compression) -> Vec<u8> {
    let row = |n: i32| {
        let numbers = (0..4).map(|i| (0x01, f64::from(i * n).sin().to_le_bytes().to_vec()));
        let items = (0..n % 3).map(|i| (0x03, Doc::new().int32("i", i).null("n").bytes()));
        let document = Doc::new()
            .raw(0x07, "_id", &[u8::try_from(n).unwrap(); 12])
            .string("role", if n % 2 == 0 { "train" } else { "test" })
            .raw(0x04, "features", &Doc::array(numbers))
            .raw(0x04, "items", &Doc::array(items))
            .raw(
                0x03,
                "sub",
                &Doc::new()
                    .int64("x", n.into())
                    .raw(0x08, "b", b"\x01")
                    .bytes(),
            );
        if n == 7 {
            document.int32("role", 1).bytes()
        } else {
            document.bytes()
        }
    };
    let documents: Vec<_> = (0..12).map(row).collect();
    write(&propose(&documents), &documents, 8, compression)
}

/// Reads as far as possible.
fn read(file: &[u8]) -> Result<usize, ReadError> {
    let mut reader = Reader::open(Cursor::new(file))?;
    let mut documents = 0;
    for index in 0..reader.row_groups() {
        for document in reader.read_row_group(index)? {
            document?;
            documents += 1;
        }
    }
    Ok(documents)
}

#[test]
fn a_flipped_bit_anywhere_never_panics() {
    for compression in [Compression::None, Compression::Auto] {
        let whole = file(compression);
        assert_eq!(read(&whole).unwrap(), 12);
        let mut errors = 0;
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << (position % 8);
            errors += usize::from(read(&damaged).is_err());
        }
        assert!(errors > 0);
    }
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_is_cut() {
    let whole = file(Compression::Auto);
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "cut to {len} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn overwritten_bytes_never_panic(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..64),
        near_the_end in any::<bool>(),
    ) {
        let mut damaged = file(Compression::Auto);
        let footer = damaged.len() - 1500;
        let start = if near_the_end { footer + at.index(1500) } else { at.index(footer) };
        let end = (start + bytes.len()).min(damaged.len());
        damaged[start..end].copy_from_slice(&bytes[..end - start]);
        let _ = read(&damaged);
    }

    #[test]
    fn a_parquet_frame_around_arbitrary_bytes_never_panics(footer in prop::collection::vec(any::<u8>(), 0..200)) {
        let len = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let file = [b"PAR1", &footer[..], &len, b"PAR1"].concat();
        prop_assert!(read(&file).is_err());
    }
}

/// A schema that claims to be a million levels deep would overflow the library's stack.
#[test]
fn a_schema_of_a_million_levels_is_an_error() {
    let level = [0x48, 1, b'a', 0x15, 2, 0];
    let count = 1_000_000_u32;
    let mut footer = vec![0x15, 2, 0x19, 0xfc, 0x80 | 0x40, 0x84, 0x3d];
    assert_eq!(0x40 + (0x04 << 7) + (0x3d << 14), count);
    footer.extend(level.repeat(count as usize));
    footer.push(0);
    let len = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let file = [b"PAR1", &footer[..], &len, b"PAR1"].concat();
    assert!(matches!(read(&file), Err(ReadError::Unsound(reason)) if reason.contains("schema")));
}

#[test]
fn a_foreign_parquet_file_gets_an_error_that_says_so() {
    let file = write(
        &Columns::default(),
        &[Doc::new().bytes()],
        1,
        Compression::None,
    );
    let key = b"lob.format_version";
    let at = file
        .windows(key.len())
        .position(|window| window == key)
        .unwrap();
    let mut other = file.clone();
    other[at] = b'x';
    assert!(
        matches!(read(&other), Err(ReadError::Footer(error)) if error.to_string().contains("no lob.format_version"))
    );
    let mut later = file;
    later[at + key.len() + 2] = b'3';
    assert!(
        matches!(read(&later), Err(ReadError::Footer(error)) if error.to_string().contains("\"3\""))
    );
}

/// Hundreds of thousands of row groups sharing one small chunk would yield many documents.
#[test]
fn row_groups_that_share_a_column_chunk_are_an_error() {
    let documents = vec![Doc::new().bytes(); 3];
    let whole = write(&Columns::default(), &documents, 1, Compression::None);
    assert_eq!(read(&whole).unwrap(), 3);
    // Each row group starts with its list of two columns and the offset of the first. Overwrite the
    // third with the second.
    let list = [0x19, 0x2c, 0x26];
    let starts = (0..whole.len()).filter(|at| whole[*at..].starts_with(&list));
    let [_, second, third] = starts.collect::<Vec<_>>()[..] else {
        panic!("not three row groups");
    };
    let mut shared = whole.clone();
    shared.copy_within(second..third, third);
    let error = read(&shared).unwrap_err();
    assert!(error.to_string().contains("overlaps"), "{error}");
}
