//! Writes whole files in memory and reads them back.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod legacy;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod support;
