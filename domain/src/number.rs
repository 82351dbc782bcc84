//! A finite number from user input: a strategy's parameter or a setting, never NaN or infinite.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A finite `f64`. Whole numbers are written without a fraction (`50`, not `50.0`).
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, JsonSchema)]
pub struct Number(f64);

impl Number {
    /// 0.
    pub const ZERO: Self = Self(0.0);
    /// 1.
    pub const ONE: Self = Self(1.0);
    /// 0.001.
    pub const THOUSANDTH: Self = Self(0.001);

    /// The number, if it is finite. Negative zero becomes zero.
    #[must_use]
    pub fn try_new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The value as an integer, when it is one within the exact range of `f64`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "checked against the exact range")]
    pub fn as_integer(self) -> Option<i64> {
        (self.0.fract() == 0.0 && self.0.abs() < 9_007_199_254_740_992.0).then_some(self.0 as i64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_integer() {
            Some(integer) => serializer.serialize_i64(integer),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::try_new(value).ok_or_else(|| D::Error::custom("the number must be finite"))
    }
}
