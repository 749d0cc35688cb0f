//! Text from people and servers: masked, printable, counted, and addresses as people write them.

mod address;
mod counted;
mod nearest;
mod printable;
mod redact;
mod written;

pub use self::address::{bare, decoded};
pub use self::counted::{MIB, counted, mebibytes};
pub use self::nearest::nearest;
pub(crate) use self::printable::printable;
pub use self::redact::{MASK, Secret, redact, remember_encoded};
pub(crate) use self::redact::{redact_json, remember, remember_password_of};
pub(crate) use self::written::InvalidText;
