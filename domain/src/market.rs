//! Symbols, timeframes, candles, markets and assets.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A market's symbol: 1 to 30 of `A–Z 0–9 . _ -`, upper case (`BTCUSDT`, `GOOG`).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

/// A text that is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a symbol is 1 to 30 of A-Z, 0-9, `.`, `_` and `-`, not `{0}`")]
pub struct SymbolError(pub String);

impl Symbol {
    /// The symbol's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let upper = text.trim().to_ascii_uppercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if upper.is_empty() || upper.len() > 30 || !upper.bytes().all(allowed) {
            return Err(SymbolError(text.chars().take(60).collect()));
        }
        Ok(Self(upper))
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The duration of a candle.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Timeframe {
    #[serde(rename = "1m")]
    OneMinute,
    #[serde(rename = "5m")]
    FiveMinutes,
    #[serde(rename = "15m")]
    FifteenMinutes,
    #[serde(rename = "1h")]
    OneHour,
    #[serde(rename = "4h")]
    FourHours,
    #[serde(rename = "1d")]
    OneDay,
}

/// A text that is not a timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timeframe; there are 1m, 5m, 15m, 1h, 4h and 1d")]
pub struct TimeframeError(pub String);

impl Timeframe {
    /// All of them, finest first.
    pub const ALL: [Self; 6] = [
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::OneHour,
        Self::FourHours,
        Self::OneDay,
    ];

    /// Its name on the wire and in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::OneHour => "1h",
            Self::FourHours => "4h",
            Self::OneDay => "1d",
        }
    }

    /// Its length in milliseconds.
    #[must_use]
    pub const fn duration_ms(self) -> i64 {
        let minutes = match self {
            Self::OneMinute => 1,
            Self::FiveMinutes => 5,
            Self::FifteenMinutes => 15,
            Self::OneHour => 60,
            Self::FourHours => 240,
            Self::OneDay => 1_440,
        };
        minutes * 60_000
    }
}

impl FromStr for Timeframe {
    type Err = TimeframeError;

    fn from_str(text: &str) -> Result<Self, TimeframeError> {
        let found = Self::ALL.into_iter().find(|timeframe| timeframe.as_str() == text);
        found.ok_or_else(|| TimeframeError(text.chars().take(60).collect()))
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One candle; prices in quote units, volume in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candle {
    /// The candle's opening, epoch milliseconds UTC.
    pub open_time: i64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

/// What is traded on a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketKind {
    Crypto,
    Fiat,
    Equity,
}

impl MarketKind {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crypto => "crypto",
            Self::Fiat => "fiat",
            Self::Equity => "equity",
        }
    }
}

/// A pair that can be traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    pub symbol: Symbol,
    /// The asset that is bought (`BTC`).
    pub base: String,
    /// The asset that is paid (`USDT`).
    pub quote: String,
    pub kind: MarketKind,
    /// Quantities are floored to multiples of it (1e-8 for crypto, 1 for whole units).
    pub lot: Decimal,
    /// Digits after the point of a candle's prices.
    pub price_decimals: u32,
    /// Digits after the point of a candle's volume.
    pub volume_decimals: u32,
}

/// Something that can be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub symbol: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: MarketKind,
    pub active: bool,
    /// The markets whose base it is.
    pub markets: Vec<Symbol>,
}
