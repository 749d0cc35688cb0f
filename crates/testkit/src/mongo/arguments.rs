//! The arguments of a command, each taken once; leftovers are refused.
//!
//! A test server that ignores an option it does not know hides that the real one would behave
//! differently. So a handler takes what it understands and then calls [`Arguments::finish`].

use bson::spec::ElementType;
use bytes::Bytes;

use super::element::{Value, elements, get};
use super::failure::Failure;
use super::number;
use super::wire::Message;

/// Arguments that any command may carry and that have no effect on a single-node server.
const GENERIC: [&str; 8] = [
    "$db",
    "lsid",
    "$clusterTime",
    "$readPreference",
    "comment",
    "maxTimeMS",
    "txnNumber",
    "writeConcern",
];

/// A command, split into its arguments.
pub(crate) struct Arguments<'a> {
    pub(crate) command: &'a str,
    pub(crate) database: &'a str,
    message: &'a Message,
    target: Value<'a>,
    left: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Arguments<'a> {
    /// # Errors
    ///
    /// The body is not a command at all, or `maxTimeMS` is not a time.
    pub(crate) fn new(message: &'a Message) -> Result<Self, Failure> {
        if let Err(malformed) = message.depth {
            return Err(Failure::new(22, malformed.to_string()));
        }
        let mut left = Vec::new();
        for element in elements(&message.body) {
            let name = std::str::from_utf8(element.name)
                .map_err(|_| Failure::new(9, "argument name is not UTF-8"))?;
            left.push((name, element.value));
        }
        if left.is_empty() {
            return Err(Failure::new(9, "empty command"));
        }
        let (command, target) = left.remove(0);
        let database = get(&message.body, "$db").and_then(as_str);
        let database = database.ok_or_else(|| Failure::new(9, "no $db"))?;
        left.retain(|(name, _)| !GENERIC.contains(name));
        let arguments = Self {
            command,
            database,
            message,
            target,
            left,
        };
        arguments.check_max_time()?;
        Ok(arguments)
    }

    /// Checks that `maxTimeMS` is a time. It never expires here unless a gate says so.
    fn check_max_time(&self) -> Result<(), Failure> {
        let Some(time) = get(&self.message.body, "maxTimeMS") else {
            return Ok(());
        };
        match as_integer(time).map(i32::try_from) {
            None => Err(Failure::new(2, "maxTimeMS has non-integral value")),
            Some(Ok(0..)) => Ok(()),
            Some(_) => Err(Failure::new(2, "value for maxTimeMS is out of range")),
        }
    }

    /// Whether any document of the command may nest deeper than `levels`.
    pub(crate) fn may_be_deeper_than(&self, levels: usize) -> bool {
        self.message.depth.is_ok_and(|depth| depth > levels)
    }

    /// The value of the command's own field as a name: a collection or a namespace.
    pub(crate) fn target(&self) -> Result<&'a str, Failure> {
        match as_str(self.target) {
            Some("") | None => Err(Failure::new(73, "Invalid namespace specified")),
            Some(name) => Ok(name),
        }
    }

    /// The value of the command's own field as a 64-bit integer, which is what `getMore` wants.
    pub(crate) fn target_int64(&self) -> Result<i64, Failure> {
        match self.target.kind {
            ElementType::Int64 => Ok(number::integer(self.target).unwrap_or_default()),
            _ => Err(self.wrong_type(self.command)),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let position = self.left.iter().position(|(left, _)| *left == name)?;
        Some(self.left.remove(position).1)
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.typed(name, as_str)
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        self.typed(name, |value| match value.kind {
            ElementType::Boolean => Some(value.bytes == [1]),
            _ => as_integer(value).map(|number| number != 0),
        })
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<usize>, Failure> {
        match self.typed(name, as_integer)?.map(usize::try_from) {
            None => Ok(None),
            Some(Ok(count)) => Ok(Some(count)),
            Some(Err(_)) => Err(Failure::new(51024, format!("'{name}' value must be >= 0"))),
        }
    }

    pub(crate) fn document(&mut self, name: &str) -> Result<Option<&'a [u8]>, Failure> {
        self.typed(name, as_document)
    }

    pub(crate) fn array(&mut self, name: &str) -> Result<Option<Vec<Value<'a>>>, Failure> {
        self.typed(name, as_array)
    }

    /// The value of `collectionUUID`, checked to be a UUID.
    pub(crate) fn collection_uuid(&mut self) -> Result<Option<Value<'a>>, Failure> {
        self.typed("collectionUUID", |value| {
            let is_uuid =
                value.kind == ElementType::Binary && value.bytes.len() == 21 && value.bytes[4] == 4;
            is_uuid.then_some(value)
        })
    }

    /// Documents passed as a message section or as an array, without copying them.
    pub(crate) fn documents(&mut self, name: &str) -> Result<Vec<Bytes>, Failure> {
        if let Some(sequence) = &self.message.sequence
            && *sequence.name == *name.as_bytes()
        {
            return Ok(sequence.documents.clone());
        }
        let values = self.array(name)?.unwrap_or_default();
        let documents = values.into_iter().map(as_document);
        documents
            .map(|document| document.map(|document| self.message.body.slice_ref(document)))
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong_type(name))
    }

    /// Refuses the command if any argument was not taken.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => {
                let field = format!("{}.{name}", self.command);
                Err(Failure::new(
                    40415,
                    format!("BSON field '{field}' is an unknown field."),
                ))
            }
        }
    }

    fn typed<T>(
        &mut self,
        name: &str,
        convert: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.take(name).map(convert) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(self.wrong_type(name)),
        }
    }

    fn wrong_type(&self, name: &str) -> Failure {
        Failure::new(
            14,
            format!("BSON field '{}.{name}' is the wrong type", self.command),
        )
    }
}

/// Whether a write asks for more copies than a single node can make.
pub(crate) fn wants_more_nodes(body: &[u8]) -> bool {
    let concern = get(body, "writeConcern").and_then(as_document);
    let members = concern.and_then(|concern| get(concern, "w"));
    members.is_some_and(|w| as_str(w) != Some("majority") && as_integer(w).is_none_or(|w| w > 1))
}

pub(crate) fn as_str(value: Value<'_>) -> Option<&str> {
    match value.kind {
        ElementType::String => std::str::from_utf8(&value.bytes[4..value.bytes.len() - 1]).ok(),
        _ => None,
    }
}

pub(crate) fn as_document(value: Value<'_>) -> Option<&[u8]> {
    (value.kind == ElementType::EmbeddedDocument).then_some(value.bytes)
}

pub(crate) fn as_array(value: Value<'_>) -> Option<Vec<Value<'_>>> {
    (value.kind == ElementType::Array)
        .then(|| elements(value.bytes).map(|element| element.value).collect())
}

/// A number without a fraction, of any numeric type except Decimal128.
pub(crate) fn as_integer(value: Value<'_>) -> Option<i64> {
    if value.kind == ElementType::Double {
        let double = f64::from_bits(number::bits(value));
        return (double.fract() == 0.0 && double.abs() < 2f64.powi(53)).then_some(double as i64);
    }
    number::integer(value)
}
