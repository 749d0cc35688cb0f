//! Arrays of plain numbers, copied run by run.
//!
//! The layout of such an array is known in advance: the elements whose keys have one digit, then
//! those of two digits, and so on, each element as wide as the one before it. So a run is compared
//! with its keys, or written with them, without a look at lengths or types in between.

use std::sync::LazyLock;

use crate::raw::ArrayKey;

/// Keys of up to this many digits stand in [`KEYS`].
const KEY_DIGITS: u32 = 4;

/// Each key with its zero.
static KEYS: LazyLock<Vec<[u8; KEY_DIGITS as usize + 1]>> = LazyLock::new(|| {
    let key = |number| {
        let mut bytes = [0; KEY_DIGITS as usize + 1];
        let key = ArrayKey::at(number);
        bytes[..key.bytes().len()].copy_from_slice(key.bytes());
        bytes
    };
    (0..10_usize.pow(KEY_DIGITS)).map(key).collect()
});

/// The keys of so many digits.
fn keys<const DIGITS: usize>() -> &'static [[u8; KEY_DIGITS as usize + 1]] {
    let end = 10_usize.pow(DIGITS as u32);
    let first = if DIGITS == 1 { 0 } else { end / 10 };
    &KEYS[first..end]
}

/// Appends the elements that `bytes` begin with: how many, and what is left of the bytes. None if one
/// of them is not of this type or not in its place.
pub(crate) fn read<'a, T, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &'a [u8],
    value: fn([u8; WIDTH]) -> T,
) -> Option<(usize, &'a [u8])> {
    let mut rest = read_run::<T, 1, WIDTH>(code, values, bytes, value)?;
    rest = read_run::<T, 2, WIDTH>(code, values, rest, value)?;
    rest = read_run::<T, 3, WIDTH>(code, values, rest, value)?;
    rest = read_run::<T, 4, WIDTH>(code, values, rest, value)?;
    Some((elements_in::<WIDTH>(bytes.len() - rest.len()), rest))
}

/// Copies the elements whose keys have `DIGITS` digits, or as many of them as there are.
fn read_run<'a, T, const DIGITS: usize, const WIDTH: usize>(
    code: u8,
    values: &mut Vec<T>,
    bytes: &'a [u8],
    value: fn([u8; WIDTH]) -> T,
) -> Option<&'a [u8]> {
    let (keys, stride) = (keys::<DIGITS>(), DIGITS + 2 + WIDTH);
    let (run, rest) = bytes.split_at((bytes.len() / stride).min(keys.len()) * stride);
    let mut same = true;
    values.extend(run.chunks_exact(stride).zip(keys).map(|(element, key)| {
        same &= element[0] == code && element[1..DIGITS + 2] == key[..DIGITS + 1];
        let mut bytes = [0; WIDTH];
        bytes.copy_from_slice(&element[DIGITS + 2..]);
        value(bytes)
    }));
    same.then_some(rest)
}

/// The number of elements that take `len` bytes from the array's start.
fn elements_in<const WIDTH: usize>(mut len: usize) -> usize {
    let mut count = 0;
    for digits in 1..=KEY_DIGITS {
        let run = if digits == 1 {
            10
        } else {
            9 * 10_usize.pow(digits - 1)
        };
        let stride = digits as usize + 2 + WIDTH;
        let here = (len / stride).min(run);
        count += here;
        len -= here * stride;
    }
    count
}

/// Appends the elements of an array, as many as there are keys for: how many.
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

/// Appends the elements whose keys have `DIGITS` digits; gives back the values of the others.
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
