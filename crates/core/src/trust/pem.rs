//! Splits a PEM file. Faults are described in our own words: the library's errors repeat the text,
//! which may be a private key.

use std::fmt;

use rustls::pki_types::pem::{Error, PemObject as _, SectionKind};

/// What a section of a PEM file contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// A certificate, numbered from 1.
    Certificate(usize),
    /// A private key.
    Key,
    /// Something else.
    Other,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(number) => write!(f, "certificate {number}"),
            Self::Key => f.write_str("the private key"),
            Self::Other => f.write_str("a section"),
        }
    }
}

/// What is wrong with a section. It contains nothing from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// Its lines were joined.
    #[error("has no line breaks")]
    NoLineBreaks,
    /// Its last line is missing, or belongs to another section.
    #[error("has no end")]
    NoEnd,
    /// A key encrypted in OpenSSL's format from before PKCS#8.
    #[error("is encrypted in the old `Proc-Type: 4,ENCRYPTED` form, which is not supported")]
    OldEncryption,
    /// Anything else.
    #[error("is damaged")]
    Damaged,
}

/// The certificates in a file, not examined any further.
///
/// # Errors
/// The first section, of any kind, that is incomplete or damaged.
pub(super) fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, (Section, PemFault)> {
    let file = String::from_utf8_lossy(file);
    let mut certificates = Vec::new();
    for text in sections(&file) {
        let of = |fault| (section(&text, certificates.len() + 1), fault);
        match <(SectionKind, Vec<u8>)>::from_pem_slice(text.as_bytes()) {
            Ok((SectionKind::Certificate, der)) => certificates.push(der),
            // A kind that is not needed here.
            Ok(_) | Err(Error::NoItemsFound) => {}
            Err(error) => return Err(of(fault(&text, &error))),
        }
    }
    Ok(certificates)
}

/// The text from the beginning of each section to the beginning of the next.
fn sections(file: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in file.split(['\n', '\r']) {
        if line.starts_with("-----BEGIN ") {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push_str(line);
            section.push('\n');
        }
    }
    sections
}

/// The label of a section, and whatever else is on its first line.
fn first_line(text: &str) -> (&str, &str) {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("-----BEGIN ").unwrap_or(line);
    line.split_once("-----").unwrap_or((line, ""))
}

fn section(text: &str, number: usize) -> Section {
    match first_line(text).0 {
        "CERTIFICATE" => Section::Certificate(number),
        label if label.ends_with("PRIVATE KEY") => Section::Key,
        _ => Section::Other,
    }
}

fn fault(text: &str, error: &Error) -> PemFault {
    let (_, rest) = first_line(text);
    if !rest.trim_matches(['-', ' ', '\t']).is_empty() {
        PemFault::NoLineBreaks
    } else if text.contains("Proc-Type: 4,ENCRYPTED") {
        PemFault::OldEncryption
    } else if matches!(error, Error::MissingSectionEnd { .. }) {
        PemFault::NoEnd
    } else {
        PemFault::Damaged
    }
}
