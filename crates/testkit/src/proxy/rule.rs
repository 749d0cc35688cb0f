//! Rules: which request or reply is broken, where, and how. They are plain data: a failing test prints
//! the rule that it used.

/// Breaks one request, or the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A text in the first bytes of the request, such as `GET /bucket/key`; empty for any request.
    pub request: String,
    /// What is broken.
    pub way: Way,
    /// The bytes that pass unharmed.
    pub after: Place,
    /// What happens then.
    pub act: Act,
}

impl Rule {
    /// A rule for the next such request.
    pub fn up(request: &str, after: Place, act: Act) -> Self {
        Self::new(request, Way::Up, after, act)
    }

    /// A rule for the reply to the next such request.
    pub fn down(request: &str, after: Place, act: Act) -> Self {
        Self::new(request, Way::Down, after, act)
    }

    fn new(request: &str, way: Way, after: Place, act: Act) -> Self {
        let request = request.to_owned();
        Self {
            request,
            way,
            after,
            act,
        }
    }
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The request.
    Up,
    /// The reply.
    Down,
}

/// A number of bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Counted from the first byte.
    Start(u64),
    /// Counted from the end of an HTTP head.
    Body(u64),
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The connection is closed (FIN), as if the message ended there.
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Nothing more arrives, and the connection stays open.
    Stall,
    /// The lowest bit of the next byte is flipped.
    Flip,
    /// This many bytes too many arrive.
    Pad(usize),
}

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A rule at work on one message.
pub(super) struct AtWork {
    act: Act,
    /// The bytes that have yet to pass.
    left: u64,
    /// How much of the end of the head was just seen; `None` once bytes count.
    head: Option<usize>,
}

impl AtWork {
    pub(super) fn new(rule: &Rule) -> Self {
        let (left, head) = match rule.after {
            Place::Start(bytes) => (bytes, None),
            Place::Body(bytes) => (bytes, Some(0)),
        };
        let act = rule.act;
        Self { act, left, head }
    }

    pub(super) fn act(&self) -> Act {
        self.act
    }

    /// How many of these bytes pass before the act, if it happens among them or right after them.
    pub(super) fn due(&mut self, bytes: &[u8]) -> Option<usize> {
        let start = self.counted_from(bytes)?;
        let counted = (bytes.len() - start) as u64;
        // A flip needs a byte to flip.
        let needed = self.left + u64::from(self.act == Act::Flip);
        if needed > counted {
            self.left -= counted;
            return None;
        }
        usize::try_from(self.left).ok().map(|left| start + left)
    }

    /// The first of these bytes that counts.
    fn counted_from(&mut self, bytes: &[u8]) -> Option<usize> {
        let Some(mut seen) = self.head else {
            return Some(0);
        };
        for (index, byte) in bytes.iter().enumerate() {
            seen = match HEAD_END.get(seen) == Some(byte) {
                true => seen + 1,
                false => usize::from(*byte == b'\r'),
            };
            if seen == HEAD_END.len() {
                self.head = None;
                return Some(index + 1);
            }
        }
        self.head = Some(seen);
        None
    }
}

/// The rules of a proxy, each of which breaks one message.
#[derive(Default)]
pub(super) struct Rules {
    waiting: Vec<Rule>,
    struck: usize,
}

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.waiting.push(rule);
    }

    /// Takes the first rule for a request that begins with these bytes.
    pub(super) fn take(&mut self, request: &[u8]) -> Option<Rule> {
        let begins = String::from_utf8_lossy(request);
        let meant = |rule: &Rule| begins.contains(&*rule.request);
        let index = self.waiting.iter().position(meant)?;
        Some(self.waiting.remove(index))
    }

    pub(super) fn count(&mut self) {
        self.struck += 1;
    }

    pub(super) fn struck(&self) -> usize {
        self.struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_at(after: Place, act: Act, pieces: &[&[u8]]) -> Vec<Option<usize>> {
        let mut at_work = AtWork::new(&Rule::down("", after, act));
        pieces.iter().map(|piece| at_work.due(piece)).collect()
    }

    #[test]
    fn an_act_is_due_after_exactly_the_bytes_that_pass() {
        let pieces: [&[u8]; 2] = [b"abc", b"def"];
        assert_eq!(due_at(Place::Start(0), Act::Close, &pieces[..1]), [Some(0)]);
        assert_eq!(due_at(Place::Start(3), Act::Close, &pieces[..1]), [Some(3)]);
        assert_eq!(due_at(Place::Start(3), Act::Flip, &pieces), [None, Some(0)]);
        assert_eq!(
            due_at(Place::Start(4), Act::Close, &pieces),
            [None, Some(1)]
        );
    }

    #[test]
    fn a_body_begins_after_the_first_empty_line() {
        let pieces: [&[u8]; 3] = [b"HTTP/1.1 200 OK\r\nx: y\r\n\r", b"\nab\r\n\r\n", b"c"];
        let due = due_at(Place::Body(1), Act::Close, &pieces[..2]);
        assert_eq!(due, [None, Some(2)]);
        let due = due_at(Place::Body(6), Act::Flip, &pieces);
        assert_eq!(due, [None, None, Some(0)]);
        let due = due_at(Place::Body(0), Act::Stall, &pieces[..2]);
        assert_eq!(due, [None, Some(1)]);
    }
}
