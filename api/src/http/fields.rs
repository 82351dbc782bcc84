//! Reads the fields of a body or a query against one table that also makes the document, and collects every error.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::{error_code::ErrorCode, fields::FieldError, market::Timeframe};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::values::{self, DayEnd};

/// A body or a query: its fields, and how they become a value.
pub(crate) trait Input: Sized + Send {
    /// Its name in the document.
    const NAME: &'static str;
    /// All of its fields; others are refused.
    const FIELDS: &'static [Field];
    /// JSON, for the document; empty where none is needed.
    const EXAMPLE: &'static str = "";
    /// Fields that no hash of the body covers: a hash of a password is quickly guessed.
    const SECRETS: &'static [&'static str] = &[];
    /// Others are not refused.
    const IS_OPEN: bool = false;

    /// Whether a name that is not among the fields may come.
    fn is_extra(_name: &str) -> bool {
        false
    }

    /// Reads it; what is wrong is noted in `fields`, which then is refused as a whole.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// One field as the document shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    pub(crate) description: &'static str,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Password,
    Boolean,
    /// From the first to the last.
    Integer(i64, i64),
    Decimal,
    Time,
    Object,
    List,
    /// A text or an object.
    Any,
    OneOf(&'static [&'static str]),
    /// Any of these words, separated by commas.
    AnyOf(&'static [&'static str]),
    /// Sent back as it was read, and not looked at.
    ReadOnly,
}

/// A field that may be left out.
pub(crate) const fn field(name: &'static str, kind: Kind, description: &'static str) -> Field {
    Field { name, kind, is_required: false, description }
}

/// The fields of two tables in one; `N` is the length of both.
pub(crate) const fn joined<const N: usize>(first: &[Field], second: &[Field]) -> [Field; N] {
    let mut all = [field("", Kind::Any, ""); N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

impl Field {
    /// The same, required.
    pub(crate) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Its schema.
    pub(crate) fn schema(&self) -> MetaSchema {
        let mut schema = match self.kind {
            Kind::Text => MetaSchema::new("string"),
            Kind::Password => MetaSchema::new_with_format("string", "password"),
            Kind::Boolean => MetaSchema::new("boolean"),
            Kind::Integer(minimum, maximum) => {
                let mut schema = MetaSchema::new_with_format("integer", "int64");
                schema.minimum = Some(minimum as f64);
                schema.maximum = (maximum < i64::MAX).then_some(maximum as f64);
                schema
            }
            Kind::Decimal => MetaSchema::new_with_format("string", "decimal"),
            Kind::Time => MetaSchema::new_with_format("string", "date-time"),
            Kind::Object => MetaSchema::new("object"),
            Kind::List => {
                let mut schema = MetaSchema::new("array");
                schema.items = Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::ANY))));
                schema
            }
            Kind::Any => MetaSchema::ANY,
            Kind::OneOf(names) => words(names),
            Kind::AnyOf(names) => {
                let mut schema = MetaSchema::new("array");
                schema.items = Some(Box::new(MetaSchemaRef::Inline(Box::new(words(names)))));
                schema
            }
            Kind::ReadOnly => MetaSchema { read_only: true, ..MetaSchema::ANY },
        };
        schema.description = Some(self.description);
        schema
    }
}

fn words(names: &[&str]) -> MetaSchema {
    let mut schema = MetaSchema::new("string");
    schema.enum_items = names.iter().map(|name| Value::from(*name)).collect();
    schema
}

/// The schema of an input.
pub(crate) fn schema_of<T: Input>() -> MetaSchema {
    let mut schema = MetaSchema::new("object");
    // What is open is only a part of something: nothing in it is required.
    let required = T::FIELDS.iter().filter(|field| field.is_required && !T::IS_OPEN);
    schema.required = required.map(|field| field.name).collect();
    schema.properties = T::FIELDS
        .iter()
        .map(|field| (field.name, MetaSchemaRef::Inline(Box::new(field.schema()))))
        .collect();
    schema.example = serde_json::from_str(T::EXAMPLE).ok();
    schema
}

/// Reads a whole input.
///
/// # Errors
/// Every field error at once.
pub(crate) fn read<T: Input>(
    map: &Map<String, Value>,
    is_query: bool,
) -> Result<T, Vec<FieldError>> {
    let mut fields = Fields { map, is_query, errors: Vec::new() };
    if !T::IS_OPEN {
        fields.refuse_unknown(T::FIELDS, T::is_extra);
    }
    match T::read(&mut fields) {
        Some(value) if fields.errors.is_empty() => Ok(value),
        _ if fields.errors.is_empty() => {
            Err(vec![FieldError::new("", ErrorCode::Invalid, "is invalid")])
        }
        _ => Err(fields.errors),
    }
}

/// The fields that came, and what was wrong with them so far.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    is_query: bool,
    errors: Vec<FieldError>,
}

impl Fields<'_> {
    /// All that came.
    pub(crate) fn map(&self) -> &Map<String, Value> {
        self.map
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, field: &str, code: ErrorCode, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, code, message));
    }

    /// Notes what another reader found.
    pub(crate) fn errors(&mut self, errors: Vec<FieldError>) {
        self.errors.extend(errors);
    }

    /// Takes the errors that were noted; the reader has to report them.
    pub(crate) fn take_errors(&mut self) -> Vec<FieldError> {
        std::mem::take(&mut self.errors)
    }

    /// The field of any of these names, which mean the same; null counts as absent.
    pub(crate) fn parsed<T: PartialEq>(
        &mut self,
        names: &[&'static str],
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let mut found: Option<(&'static str, T)> = None;
        for name in names {
            let Some(value) = self.map.get(*name).filter(|value| !value.is_null()) else {
                continue;
            };
            match (parse(value), &found) {
                (Err(message), _) => {
                    self.error(name, ErrorCode::Invalid, format!("`{name}` {message}."))
                }
                (Ok(value), None) => found = Some((name, value)),
                (Ok(value), Some((_, earlier))) if value == *earlier => {}
                (Ok(_), Some((other, _))) => {
                    let message =
                        format!("`{other}` and `{name}` are aliases but have different values.");
                    let other = *other;
                    self.error(other, ErrorCode::ConflictingSynonyms, message.clone());
                    self.error(name, ErrorCode::ConflictingSynonyms, message);
                }
            }
        }
        found.map(|(_, value)| value)
    }

    /// Whether any of these names came with a value.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.map.get(*name).is_some_and(|value| !value.is_null()))
    }

    /// Notes that none of these names came.
    pub(crate) fn require(&mut self, names: &[&str]) {
        if !self.has(names) {
            let name = names.first().copied().unwrap_or_default();
            self.error(name, ErrorCode::Required, format!("`{name}` is required."));
        }
    }

    /// Returns a string of at most that many characters.
    pub(crate) fn text(&mut self, names: &[&'static str], chars_max: usize) -> Option<String> {
        self.parsed(names, |value| {
            let text = value.as_str().ok_or("must be a string")?;
            if text.chars().count() > chars_max {
                return Err(format!("may have at most {chars_max} characters"));
            }
            if text.contains('\0') {
                return Err("must not contain a NUL character".to_owned());
            }
            Ok(text.to_owned())
        })
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let is_query = self.is_query;
        self.parsed(&[name], |value| match value {
            Value::Bool(value) => Ok(*value),
            Value::String(text) if is_query && text == "true" => Ok(true),
            Value::String(text) if is_query && text == "false" => Ok(false),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Err("must be true or false".to_owned()),
        })
    }

    /// A whole number from `minimum` to `maximum`.
    pub(crate) fn integer(
        &mut self,
        names: &[&'static str],
        minimum: i64,
        maximum: i64,
    ) -> Option<i64> {
        self.parsed(names, |value| {
            let number = match value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            let number = number.filter(|number| (minimum..=maximum).contains(number));
            number.ok_or_else(|| format!("must be a whole number from {minimum} to {maximum}"))
        })
    }

    /// A decimal.
    pub(crate) fn decimal(&mut self, names: &[&'static str]) -> Option<Decimal> {
        self.parsed(names, values::decimal)
    }

    /// A time; a bare date is that end of its day.
    pub(crate) fn time(&mut self, names: &[&'static str], day: DayEnd) -> Option<DateTime<Utc>> {
        self.parsed(names, |value| values::time(value, day))
    }

    /// A timeframe.
    pub(crate) fn timeframe(&mut self, names: &[&'static str]) -> Option<Timeframe> {
        self.parsed(names, |value| {
            let known = value.as_str().and_then(|text| Timeframe::from_str(text).ok());
            known.ok_or_else(|| "must be one of 1m, 5m, 15m, 1h, 4h and 1d".to_owned())
        })
    }

    /// One of these words.
    pub(crate) fn one_of(
        &mut self,
        name: &'static str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        self.parsed(&[name], |value| {
            let known = words.iter().copied().find(|word| value.as_str() == Some(word));
            known.ok_or_else(|| format!("must be one of {}", words.join(", ")))
        })
    }

    /// Those of all values whose words came, separated by commas; none if the field did not come.
    pub(crate) fn any_of<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Vec<T> {
        let read = self.parsed(&[name], |value| {
            let text = value.as_str().unwrap_or_default();
            let known = |part: &str| all.iter().copied().find(|one| word(*one) == part.trim());
            let read: Option<Vec<_>> = text.split(',').map(known).collect();
            read.ok_or_else(|| {
                let words: Vec<_> = all.iter().copied().map(word).collect();
                format!("must be one of {}, or several separated by commas", words.join(", "))
            })
        });
        read.unwrap_or_default()
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        self.parsed(&[name], |value| {
            value.as_object().cloned().ok_or_else(|| "must be an object".to_owned())
        })
    }

    fn refuse_unknown(&mut self, known: &'static [Field], is_extra: fn(&str) -> bool) {
        let common: &[&str] = if self.is_query { &["fields", "min_position"] } else { &[] };
        let names: Vec<&str> = known.iter().map(|field| field.name).collect();
        let unknown: Vec<&String> = self
            .map
            .keys()
            .filter(|key| !names.contains(&key.as_str()) && !common.contains(&key.as_str()))
            .filter(|key| !is_extra(key))
            .collect();
        for key in unknown {
            let what = if self.is_query { "query parameter" } else { "field" };
            let shown: String = key.chars().take(60).collect();
            let hint = if self.is_query { choices(&shown, &names) } else { hint(&shown, &names) };
            let message = format!("There is no {what} `{shown}`.{hint}");
            self.errors.push(FieldError::new(shown, ErrorCode::UnknownField, message));
        }
    }
}

/// Returns the sentence that suggests the known name nearest to a misspelt one; empty if none is near.
pub(crate) fn hint(text: &str, known: &[&str]) -> String {
    let near = domain::strategy::language::suggest::nearest(text, known.iter().copied());
    near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default()
}

/// Returns the sentences that suggest the nearest name, if any is near, and list all of them.
pub(crate) fn choices(text: &str, known: &[&str]) -> String {
    format!("{} Choose from {}.", hint(text, known), known.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Sample {
        symbol: Option<String>,
        balance: Option<Decimal>,
    }

    impl Input for Sample {
        const NAME: &'static str = "Sample";
        const FIELDS: &'static [Field] = &[
            field("symbol", Kind::Text, "").required(),
            field("asset_symbol", Kind::Text, ""),
            field("initial_balance", Kind::Decimal, ""),
            field("initial_capital", Kind::Decimal, ""),
        ];

        fn read(fields: &mut Fields<'_>) -> Option<Self> {
            fields.require(&["symbol", "asset_symbol"]);
            Some(Self {
                symbol: fields.text(&["symbol", "asset_symbol"], 30),
                balance: fields.decimal(&["initial_balance", "initial_capital"]),
            })
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
    fn read_sample(value: Value) -> Result<Sample, Vec<FieldError>> {
        read(value.as_object().unwrap(), false)
    }

    #[test]
    fn synonyms_with_the_same_value_are_one_and_with_different_values_name_both() {
        let same = json!({"symbol": "BTC", "initial_balance": "100", "initial_capital": 100.0});
        let sample = read_sample(same).unwrap();
        assert_eq!(sample.symbol.as_deref(), Some("BTC"));
        assert_eq!(sample.balance, Some(Decimal::from(100)));
        let errors = read_sample(json!({"symbol": "BTC", "asset_symbol": "ETH"})).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["symbol", "asset_symbol"]);
        assert!(errors[0].message.contains("`symbol` and `asset_symbol`"));
    }

    #[test]
    fn every_error_comes_at_once_and_unknown_fields_suggest_the_nearest() {
        let errors =
            read_sample(json!({"initial_balence": 1, "initial_balance": "x"})).unwrap_err();
        assert_eq!(errors.len(), 3);
        assert_eq!(errors[0].code.as_str(), "unknown_field");
        assert!(errors[0].message.contains("Did you mean `initial_balance`?"));
        assert_eq!(errors[1].code.as_str(), "required");
        assert_eq!(errors[2].field, "initial_balance");
    }
}
