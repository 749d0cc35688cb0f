//! Addresses as people write them: URLs of servers, connection strings, buckets.
//!
//! They come out of files of variables and wrapped secrets, which leave quotes and white space where
//! no address has any. What stands around one is no part of it; what stands inside is for the type of
//! the address to refuse.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What a percent-encoded piece of an address says.
pub fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// An address without the white space and the pair of quotes around it.
pub fn bare(text: &str) -> &str {
    // Editors of Windows put a byte order mark before everything.
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_quotes_around_an_address_are_no_part_of_it() {
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
