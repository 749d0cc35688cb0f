//! Setting values as people write them in one line of text, and as `--show-settings` prints them.

use figment::error::{Actual, Kind};
use figment::value::{Dict, Value};

use super::typed::{DURATION, NUMBER, POSITIVE_NUMBER};

/// What is shown for a missing value.
pub(super) const NOT_SET: &str = "(not set)";

/// Parses `text` as the same kind of value as the default; the types of the settings check the
/// rest.
pub(super) fn of_kind(default: Option<&Value>, text: &str) -> Value {
    match default {
        Some(Value::Num(..)) => text.parse::<u64>().ok().map(Value::from),
        Some(Value::Bool(..)) => yes_or_no(text).map(Value::from),
        Some(Value::Array(..)) => Some(Value::from(list(text))),
        Some(Value::Dict(..)) => table(text).map(Value::from),
        _ => None,
    }
    .unwrap_or_else(|| Value::from(text))
}

/// `value` as it would be written in an environment variable.
pub(super) fn shown(value: &Value) -> String {
    let absent_if_empty = |items: Vec<String>| match items.as_slice() {
        [] => NOT_SET.to_owned(),
        items => items.join(","),
    };
    match value {
        Value::String(_, text) => text.clone(),
        Value::Empty(..) => NOT_SET.to_owned(),
        Value::Bool(_, value) => value.to_string(),
        Value::Array(_, items) => absent_if_empty(items.iter().map(shown).collect()),
        Value::Dict(_, table) => {
            let pair = |(key, value)| format!("{key}={}", shown(value));
            absent_if_empty(table.iter().map(pair).collect())
        }
        Value::Char(_, character) => character.to_string(),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128()) {
            (Some(number), _) => number.to_string(),
            (None, Some(number)) => number.to_string(),
            (None, None) => number.to_f64().unwrap_or(f64::NAN).to_string(),
        },
    }
}

/// Why a value is refused, in words for the person who wrote it. A list or a table is not repeated.
pub(super) fn refusal(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            let expected = format!("expected {}", in_words(wanted));
            match found {
                Actual::Str(text) => format!("{expected}, not `{text}`"),
                Actual::Bool(value) => format!("{expected}, not `{value}`"),
                Actual::Unsigned(number) => format!("{expected}, not `{number}`"),
                Actual::Signed(number) => format!("{expected}, not `{number}`"),
                Actual::Float(number) => format!("{expected}, not `{number}`"),
                _ => expected,
            }
        }
        Kind::UnknownVariant(found, known) => {
            format!("expected one of `{}`, not `{found}`", known.join("`, `"))
        }
        other => other.to_string(),
    }
}

/// What to write where serde expects `wanted`.
fn in_words(wanted: &str) -> &str {
    const NUMBERS: [&str; 6] = ["u8", "u16", "u32", "u64", "usize", "i64"];
    match wanted {
        "a boolean" => "true or false",
        "path string" => "a string",
        "a sequence" => "a list of strings",
        "a map" => "a table of `NAME=VALUE`",
        "a duration" => DURATION,
        number if NUMBERS.contains(&number) => NUMBER,
        number if number.starts_with("a nonzero ") => POSITIVE_NUMBER,
        other => other,
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The texts between commas. A comma inside braces does not separate: it belongs to a glob such as
/// `{bids,asks}*.parquet`.
fn list(text: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let separates = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    let items = text.split(separates);
    items.map(|item| item.trim().to_owned()).collect()
}

/// The pairs `NAME=VALUE` between commas; a value cannot contain a comma.
fn table(text: &str) -> Option<Dict> {
    let pairs = text.split(',').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), Value::from(value.trim())))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(default: Value, text: &str) -> Value {
        of_kind(Some(&default), text)
    }

    #[test]
    fn a_text_is_parsed_as_the_kind_of_the_default() {
        assert_eq!(read(Value::from(1_u8), "20"), Value::from(20_u64));
        assert_eq!(read(Value::from(false), "On"), Value::from(true));
        assert_eq!(read(Value::from(""), "20"), Value::from("20"));
        // Anything of another kind stays a text, for the setting's own type to refuse.
        assert_eq!(read(Value::from(1_u8), "many"), Value::from("many"));
        let table = Value::from(Dict::new());
        assert_eq!(read(table, "team"), Value::from("team"));
    }

    #[test]
    fn only_commas_outside_braces_separate_the_items_of_a_list() {
        let list = |text| read(Value::from(Vec::<String>::new()), text);
        assert_eq!(list("a*"), Value::from(vec!["a*"]));
        assert_eq!(list("a*, b/**"), Value::from(vec!["a*", "b/**"]));
        let braces = "{bids,{asks,trades}}-*,x}y,z";
        let texts = vec!["{bids,{asks,trades}}-*", "x}y", "z"];
        assert_eq!(list(braces), Value::from(texts));
    }

    #[test]
    fn lists_and_tables_are_printed_in_the_form_that_is_parsed() {
        let list = Value::from(vec!["{a,b}*", "c"]);
        assert_eq!(shown(&list), "{a,b}*,c");
        assert_eq!(read(list.clone(), &shown(&list)), list);
        let table = read(Value::from(Dict::new()), "team=research, query=a=b");
        assert_eq!(shown(&table), "query=a=b,team=research");
        assert_eq!(read(table.clone(), &shown(&table)), table);
        assert_eq!(shown(&Value::from(Vec::<String>::new())), NOT_SET);
        assert_eq!(shown(&Value::from(Dict::new())), NOT_SET);
        for number in ["0.5", "-3", "20"] {
            let parsed: Value = figment::util::nest("n", number.parse::<f64>().unwrap().into());
            assert_eq!(shown(parsed.find_ref("n").unwrap()), number);
        }
    }
}
