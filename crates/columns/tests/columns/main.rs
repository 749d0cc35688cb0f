//! Whole files in memory, written and read back.

mod damage;
mod round_trip;
mod support;
