//! Collects the names of all top-level fields of documents.
//!
//! Each name remembers the last two names that followed it, so documents that lack a field now and
//! then, or come in two orders, need no hash lookup.

use std::collections::HashMap;

use lob_core::manifest::NameRoom;

/// The names so far, as bytes: they need not be UTF-8.
#[derive(Debug)]
pub(crate) struct FieldNames {
    /// The first entry stands for the start of a document and is not a name.
    list: Vec<Name>,
    positions: HashMap<Box<[u8]>, usize>,
    room: NameRoom,
}

#[derive(Debug)]
struct Name {
    bytes: Box<[u8]>,
    followers: [usize; 2],
}

/// The start of a document, before its first name.
pub(crate) const START: usize = 0;

impl Default for FieldNames {
    fn default() -> Self {
        let start = Name {
            bytes: [0].into(),
            followers: [START; 2],
        };
        Self {
            list: vec![start],
            positions: HashMap::new(),
            room: NameRoom::default(),
        }
    }
}

impl FieldNames {
    /// The position of the name that follows the one at `last`; `None` if there is no more room.
    pub(crate) fn next(&mut self, last: usize, name: &[u8]) -> Option<usize> {
        let followers = self.list[last].followers;
        let is_name = |position: &usize| *self.list[*position].bytes == *name;
        if let Some(position) = followers.into_iter().find(is_name) {
            return Some(position);
        }
        let position = match self.positions.get(name) {
            Some(position) => *position,
            None if self.room.take(name.len()) => {
                self.positions.insert(name.into(), self.list.len());
                self.list.push(Name {
                    bytes: name.into(),
                    followers: [START; 2],
                });
                self.list.len() - 1
            }
            None => return None,
        };
        self.list[last].followers = [position, followers[0]];
        Some(position)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        let names = self.list.iter().skip(START + 1);
        names.map(|name| String::from_utf8_lossy(&name.bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_kept_once_in_any_order() {
        let mut names = FieldNames::default();
        for document in ["abcd", "acd", "dcba", "", "aab", "eb", "abcd"] {
            let mut last = START;
            for name in document.chars() {
                last = names.next(last, name.to_string().as_bytes()).unwrap();
            }
        }
        names.next(START, b"").unwrap();
        assert_eq!(
            names.texts().collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e", ""]
        );
    }
}
