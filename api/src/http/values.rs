//! Values of the wire: decimals as strings, times as RFC 3339 with `Z`, and their readers.

use std::{borrow::Cow, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
pub(crate) use domain::request_time::{DayEnd, parse as time};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A decimal, written as a string without trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct DecimalText(String);

impl From<Decimal> for DecimalText {
    fn from(value: Decimal) -> Self {
        Self(value.normalize().to_string())
    }
}

impl DecimalText {
    /// A real number in its shortest form, without an exponent; `None` if it is not finite.
    pub(crate) fn of_real(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self(format!("{}", value + 0.0)))
    }

    /// A metric in the units of the wire; `None` if it is undefined.
    pub(crate) fn of_metric(name: &str, value: Option<f64>) -> Option<Self> {
        value.and_then(|value| Self::of_real(value * metric_scale(name)))
    }

    /// A real number with that many digits after the point.
    pub(crate) fn of_real_with(value: f64, decimals: u32) -> Self {
        Self(format!("{value:.precision$}", precision = decimals as usize))
    }
}

/// What a metric is multiplied by on the wire: percentages are fractions inside.
pub(crate) fn metric_scale(name: &str) -> f64 {
    if matches!(name, "max_drawdown_percentage" | "total_pnl_percentage") { 100.0 } else { 1.0 }
}

impl Type for DecimalText {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_decimal".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "decimal")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for DecimalText {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        decimal(&value).map(Self::from).map_err(ParseError::custom)
    }
}

impl ToJSON for DecimalText {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

/// RFC 3339 with `Z`; fractions of a second only where there are some.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Epoch milliseconds as RFC 3339 with `Z`.
pub(crate) fn time_text_of_ms(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map(time_text).unwrap_or_default()
}

/// Reads a decimal from a string or a number.
///
/// # Errors
/// What is wrong with it, for the client.
pub(crate) fn decimal(value: &Value) -> Result<Decimal, String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err("must be a decimal, as a string or a number".to_owned());
        }
    };
    let unsigned = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(unsigned.as_str(), "nan" | "inf" | "infinity") {
        return Err("must be a finite number".to_owned());
    }
    let parsed = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_str(&text));
    let parsed = parsed.or_else(|_| Decimal::from_scientific(&text));
    parsed.map(|decimal| decimal.normalize()).map_err(|_| {
        if text.parse::<f64>().is_ok() {
            "exceeds the supported precision".to_owned()
        } else {
            "must be a decimal, as a string or a number".to_owned()
        }
    })
}

/// Reads a UUID or ULID, whose letters may be in any case, in the form in which it is stored.
///
/// # Errors
/// What is wrong with it, for the client.
pub(crate) fn id(value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id.hyphenated().to_string());
    }
    let is_ulid = text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let ulid = is_ulid.then(|| text.to_ascii_uppercase());
    ulid.ok_or_else(|| "must be a UUID or a ULID".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_come_as_strings_or_numbers_and_are_finite() {
        for value in [json!("10000.50"), json!(10000.5), json!("1.00005e4"), json!("10000.5000")] {
            let text = decimal(&value).map(DecimalText::from);
            assert_eq!(text, Ok(DecimalText("10000.5".to_owned())), "{value}");
        }
        for wrong in [json!("NaN"), json!("-Infinity"), json!("ten"), json!([1]), json!("1e99")] {
            assert!(decimal(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_read_in_any_case() {
        for (text, stored) in [
            ("0192F0C1-2D3E-7F00-8A1B-2C3D4E5F6A7B", "0192f0c1-2d3e-7f00-8a1b-2c3d4e5f6a7b"),
            ("01jdqz6z3q8v9w0x1y2z3a4b5c", "01JDQZ6Z3Q8V9W0X1Y2Z3A4B5C"),
        ] {
            assert_eq!(id(&json!(text)).as_deref(), Ok(stored));
        }
        for wrong in ["", "golden-cross", "01jdqz6z3q8v9w0x1y2z3a4b5", "0192f0c1"] {
            assert!(id(&json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn real_numbers_have_no_exponent() {
        assert_eq!(DecimalText::of_real(1e-9), Some(DecimalText("0.000000001".to_owned())));
        assert_eq!(DecimalText::of_real(-0.0), Some(DecimalText("0".to_owned())));
        assert_eq!(DecimalText::of_real(f64::NAN), None);
        assert_eq!(DecimalText::of_real_with(0.1, 2), DecimalText("0.10".to_owned()));
    }
}
