//! Copies arrays of plain numbers run by run.
//!
//! The layout of such an array is known in advance: first the elements with one-digit keys, then
//! those with two digits, and so on, all elements of a run equally wide. So a whole run is compared
//! with its keys, or written with them, without checking lengths or types in between.

use std::sync::LazyLock;

use crate::raw::ArrayKey;

/// Keys of up to this many digits are in [`KEYS`].
const KEY_DIGITS: u32 = 4;

/// Maximum number of leading elements that are read or written at once.
pub(crate) const MAX_ELEMENTS: usize = 10_usize.pow(KEY_DIGITS);

/// Each key with its zero byte.
static KEYS: LazyLock<Vec<[u8; KEY_DIGITS as usize + 1]>> = LazyLock::new(|| {
    let key = |number| {
        let mut bytes = [0; KEY_DIGITS as usize + 1];
        let key = ArrayKey::at(number);
        bytes[..key.bytes().len()].copy_from_slice(key.bytes());
        bytes
    };
    (0..MAX_ELEMENTS).map(key).collect()
});

/// The keys that have `DIGITS` digits.
fn keys<const DIGITS: usize>() -> &'static [[u8; KEY_DIGITS as usize + 1]] {
    let end = 10_usize.pow(DIGITS as u32);
    let first = if DIGITS == 1 { 0 } else { end / 10 };
    &KEYS[first..end]
}

/// Appends the numbers at the start of `bytes`. Returns how many there were and the remaining
/// bytes. Stops before the first run with an element of another type or with the wrong key.
pub(crate) fn read<'a, T, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &'a [u8],
    value: fn([u8; WIDTH]) -> T,
) -> (usize, &'a [u8]) {
    let start = values.len();
    let mut rest = bytes;
    let _ = read_run::<T, 1, WIDTH>(code, values, &mut rest, value)
        && read_run::<T, 2, WIDTH>(code, values, &mut rest, value)
        && read_run::<T, 3, WIDTH>(code, values, &mut rest, value)
        && read_run::<T, 4, WIDTH>(code, values, &mut rest, value);
    (values.len() - start, rest)
}

/// Copies the elements whose keys have `DIGITS` digits, or as many of them as there are. Returns
/// false, with nothing copied, if any of them has the wrong type or key.
fn read_run<T, const DIGITS: usize, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &mut &[u8],
    value: fn([u8; WIDTH]) -> T,
) -> bool {
    let (keys, stride) = (keys::<DIGITS>(), DIGITS + 2 + WIDTH);
    let (run, rest) = bytes.split_at((bytes.len() / stride).min(keys.len()) * stride);
    let start = values.len();
    let mut same = true;
    values.extend(run.chunks_exact(stride).zip(keys).map(|(element, key)| {
        same &= element[0] == code && element[1..DIGITS + 2] == key[..DIGITS + 1];
        let mut bytes = [0; WIDTH];
        bytes.copy_from_slice(&element[DIGITS + 2..]);
        value(bytes)
    }));
    if same {
        *bytes = rest;
    } else {
        values.truncate(start);
    }
    same
}

/// Appends elements of an array up to the last precomputed key, and returns how many it appended.
pub(crate) fn write<T: Copy, const WIDTH: usize>(
    code: u8,
    values: &[T],
    bytes: fn(T) -> [u8; WIDTH],
    document: &mut Vec<u8>,
) -> usize {
    let mut rest = write_run::<T, 1, WIDTH>(code, values, bytes, document);
    rest = write_run::<T, 2, WIDTH>(code, rest, bytes, document);
    rest = write_run::<T, 3, WIDTH>(code, rest, bytes, document);
    rest = write_run::<T, 4, WIDTH>(code, rest, bytes, document);
    values.len() - rest.len()
}

/// Appends the elements whose keys have `DIGITS` digits, and returns the values of the others.
fn write_run<'a, T: Copy, const DIGITS: usize, const WIDTH: usize>(
    code: u8,
    values: &'a [T],
    bytes: fn(T) -> [u8; WIDTH],
    document: &mut Vec<u8>,
) -> &'a [T] {
    let (keys, stride) = (keys::<DIGITS>(), DIGITS + 2 + WIDTH);
    let (run, rest) = values.split_at(values.len().min(keys.len()));
    let start = document.len();
    document.resize(start + run.len() * stride, 0);
    let elements = document[start..].chunks_exact_mut(stride);
    for ((element, key), value) in elements.zip(keys).zip(run) {
        element[0] = code;
        element[1..DIGITS + 2].copy_from_slice(&key[..DIGITS + 1]);
        element[DIGITS + 2..].copy_from_slice(&bytes(*value));
    }
    rest
}
