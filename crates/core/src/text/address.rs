//! Addresses as people write them: URLs of servers, connection strings, buckets.
//!
//! They come from variable files and wrapped secrets, which leave quotes and white space where an
//! address has none. Whatever surrounds an address is stripped; whatever is inside is left for the
//! type of the address to refuse.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes a percent-encoded piece of an address.
pub fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// A text without surrounding white space and quotes, such as an address that was copied.
pub fn bare(text: &str) -> &str {
    // Windows editors put a byte order mark at the beginning.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_quotes_around_an_address_are_stripped() {
        for text in [
            "http://h",
            " \thttp://h\r\n",
            "\u{feff}http://h",
            "\"http://h\"",
            "'http://h'\n",
            "\" http://h \"",
        ] {
            assert_eq!(bare(text), "http://h", "{text:?}");
        }
        for text in ["\"http://h", "http://h\"", "\"http://h'", "h\nh", "\"", ""] {
            assert_eq!(bare(text), text);
        }
    }
}
