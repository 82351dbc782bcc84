//! The one form of cursors: where a page of a list ended, opaque to clients.

use std::{fmt, str::FromStr};

use projections::page::Place;
use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// Where a page of a list ended; each kind of list has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cursor {
    /// A row of a read model.
    Row(Place),
    /// The position of an event.
    Event(i64),
    /// In the revision that the first page read, so that no page of a walk ever changes.
    Candle { revision: i64, open_time_ms: i64 },
    /// The key of a row of a list that is in memory.
    Key(String),
    /// How many built-ins were shown.
    Builtins(usize),
    /// The number of a trade.
    Trade(u32),
}

/// A cursor that no page gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The cursor is invalid.")]
pub(crate) struct InvalidCursor;

impl From<InvalidCursor> for ApiError {
    fn from(error: InvalidCursor) -> Self {
        Self::invalid_field("cursor", error.to_string())
    }
}

impl fmt::Display for Cursor {
    /// JSON in hexadecimal: it needs no escaping in a URL, and clients are not tempted to parse it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(16 * digit(*high)? + digit(*low)?),
            _ => None,
        });
        let bytes: Vec<u8> = pairs.collect::<Option<_>>().ok_or(InvalidCursor)?;
        serde_json::from_slice(&bytes).map_err(|_| InvalidCursor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_comes_back_as_what_it_was_made_of() {
        let row = |number: Option<f64>| {
            let id = "00000000-0000-0000-0000-000000000007";
            let place = json!({"order": "-sharpe_ratio", "key": {"Number": number}, "id": id});
            Cursor::Row(serde_json::from_value(place).unwrap())
        };
        let cursors = [
            row(Some(0.1 + 0.2)),
            row(Some(-0.0)),
            row(None),
            Cursor::Event(i64::MAX),
            Cursor::Candle { revision: 3, open_time_ms: -1 },
            Cursor::Key("é".to_owned()),
            Cursor::Builtins(2),
            Cursor::Trade(7),
        ];
        for cursor in cursors {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_no_page_gave_is_refused() {
        let old = ["", "x", "zz", "abc", "7b7d", "12", "3.17", "builtins-2", "BTC", "5b312c325d"];
        for text in old {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
