//! Why a fill happened: a text that all fills of the same rule share.

use std::{fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The rule that triggered a fill, or `stop_loss`, `take_profit`, `liquidation` or `end_of_data`; a run with a million
/// fills has few of them. A string in JSON.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct FillReason(
    /// `None` is an empty text, which then has no counter that the threads of a sweep would share.
    Option<Arc<str>>,
);

impl FillReason {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Deref for FillReason {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for FillReason {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl From<String> for FillReason {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<FillReason> for String {
    fn from(reason: FillReason) -> Self {
        reason.as_str().to_owned()
    }
}

impl PartialEq<str> for FillReason {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for FillReason {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for FillReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for FillReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

impl Serialize for FillReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FillReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_its_text_in_json() {
        for text in ["", "close > 0", "\"ü\""] {
            let reason = FillReason::from(text);
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<FillReason>(&json).unwrap(), reason);
            assert_eq!(reason, text);
        }
    }
}
