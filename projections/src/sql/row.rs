//! How columns become values.

use infra::postgres::DatabaseError;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::StrDeserializer},
};
use tokio_postgres::Row;

/// A word (`running`, `1d`, `buy`) as the type whose serde form it is.
pub(crate) fn word<T: for<'a> Deserialize<'a>>(
    row: &Row,
    column: &str,
) -> Result<T, DatabaseError> {
    let text: &str = row.try_get(column)?;
    let reader: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(reader)
        .map_err(|error| DatabaseError::Corrupt(format!("{column} `{text}`: {error}")))
}

/// A count that there may not be.
pub(crate) fn optional_count(row: &Row, column: &str) -> Result<Option<u32>, DatabaseError> {
    let stored: Option<i32> = row.try_get(column)?;
    stored.map(|_| count(row, column)).transpose()
}

/// A count, stored as an integer.
pub(crate) fn count(row: &Row, column: &str) -> Result<u32, DatabaseError> {
    let stored: i32 = row.try_get(column)?;
    u32::try_from(stored)
        .map_err(|_| DatabaseError::Corrupt(format!("{column} is {stored}, below zero")))
}
