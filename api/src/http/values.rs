//! Values of the wire: decimals as strings, times as RFC 3339 with `Z`, and their readers.

use std::{borrow::Cow, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

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

/// Which end of a day a bare date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayEnd {
    Start,
    /// The last millisecond.
    End,
}

/// Reads a time: RFC 3339, without offset (UTC), a date, or epoch milliseconds.
///
/// # Errors
/// What is wrong with it, for the client.
pub(crate) fn time(value: &Value, day: DayEnd) -> Result<DateTime<Utc>, String> {
    const WRONG: &str = "must be a time: RFC 3339, a date, or epoch milliseconds";
    let of_ms = |ms: i64| {
        let known = DateTime::from_timestamp_millis(ms).filter(is_in_range);
        known.ok_or_else(|| "must be between the years 1900 and 9999".to_owned())
    };
    let text = match value {
        Value::Number(number) => return number.as_i64().ok_or(WRONG.to_owned()).and_then(of_ms),
        Value::String(text) => text.trim(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(WRONG.to_owned());
        }
    };
    let found = if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc();
        match day {
            DayEnd::Start => Some(midnight),
            DayEnd::End => {
                midnight.checked_add_signed(TimeDelta::days(1) - TimeDelta::milliseconds(1))
            }
        }
    } else if let Ok(ms) = text.parse::<i64>() {
        return of_ms(ms);
    } else {
        // In a query `+` decodes to a space: `2024-01-01T00:00:00 00:00`.
        let offset = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .or_else(|_| DateTime::parse_from_rfc3339(text));
        offset.map(|time| time.with_timezone(&Utc)).ok().or_else(|| naive(text))
    };
    found.filter(is_in_range).ok_or_else(|| WRONG.to_owned())
}

fn naive(text: &str) -> Option<DateTime<Utc>> {
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let parsed = formats.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    parsed.map(|time| time.and_utc())
}

fn is_in_range(time: &DateTime<Utc>) -> bool {
    use chrono::Datelike as _;
    (1900..=9999).contains(&time.year())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_come_in_every_form_and_go_out_in_one() {
        let cases = [
            (json!("2024-02-29T12:00:00Z"), "2024-02-29T12:00:00Z"),
            (json!("2024-02-29T12:00:00+02:00"), "2024-02-29T10:00:00Z"),
            (json!("2024-02-29T12:00:00 02:00"), "2024-02-29T10:00:00Z"),
            (json!("2024-02-29T12:00:00"), "2024-02-29T12:00:00Z"),
            (json!("2024-02-29"), "2024-02-29T00:00:00Z"),
            (json!(1_709_208_000_000_i64), "2024-02-29T12:00:00Z"),
            (json!("1709208000000"), "2024-02-29T12:00:00Z"),
        ];
        for (value, expected) in cases {
            assert_eq!(time(&value, DayEnd::Start).map(time_text).as_deref(), Ok(expected));
        }
        let end = time(&json!("2024-02-29"), DayEnd::End).map(time_text);
        assert_eq!(end.as_deref(), Ok("2024-02-29T23:59:59.999Z"));
        for wrong in [json!("2024-13-01"), json!("soon"), json!(true), json!(1.5)] {
            assert!(time(&wrong, DayEnd::Start).is_err(), "{wrong}");
        }
    }

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
    fn real_numbers_have_no_exponent() {
        assert_eq!(DecimalText::of_real(1e-9), Some(DecimalText("0.000000001".to_owned())));
        assert_eq!(DecimalText::of_real(-0.0), Some(DecimalText("0".to_owned())));
        assert_eq!(DecimalText::of_real(f64::NAN), None);
        assert_eq!(DecimalText::of_real_with(0.1, 2), DecimalText("0.10".to_owned()));
    }
}
