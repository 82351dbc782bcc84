//! Times as events write them: epoch milliseconds inside, RFC 3339 in JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// For `#[serde(with)]`.
///
/// # Errors
/// Milliseconds beyond the years that chrono knows.
pub(crate) fn serialize<S: Serializer>(epoch_ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = DateTime::<Utc>::from_timestamp_millis(*epoch_ms);
    let time = time.ok_or_else(|| ser::Error::custom(format!("{epoch_ms} ms is no time")))?;
    time.serialize(serializer)
}

/// For `#[serde(with)]`.
///
/// # Errors
/// A text that is not RFC 3339.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let time = DateTime::<Utc>::deserialize(deserializer)?;
    if time.timestamp_subsec_nanos() % 1_000_000 != 0 {
        return Err(de::Error::custom(format!("{time} has more than milliseconds")));
    }
    Ok(time.timestamp_millis())
}

/// The same for a time that may be missing.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// A time within an `Option`.
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Time(#[serde(with = "super")] i64);

    pub(crate) fn serialize<S: Serializer>(
        epoch_ms: &Option<i64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        epoch_ms.map(Time).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(epoch_ms)| epoch_ms))
    }
}
