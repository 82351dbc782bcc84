//! Scalars: money as exact decimals in strings, and times.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Utc};

use crate::http::values::{self, DayEnd, time_text};

/// An exact decimal, as a string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal(pub(crate) rust_decimal::Decimal);

#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let value = value.into_json().map_err(InputValueError::custom)?;
        values::decimal(&value).map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.normalize().to_string())
    }
}

/// RFC 3339, UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

#[Scalar]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let value = value.into_json().map_err(InputValueError::custom)?;
        values::time(&value, DayEnd::Start).map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(time_text(self.0))
    }
}
