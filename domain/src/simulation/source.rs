//! The columns of the candles that rules and indicators read by name.

use std::borrow::Cow;

use super::candles::Candles;

/// A column of the candles, or an average of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Open,
    High,
    Low,
    Close,
    Volume,
    Hl2,
    Hlc3,
    Ohlc4,
}

impl Source {
    /// Its name in the rule language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::Hl2 => "hl2",
            Self::Hlc3 => "hlc3",
            Self::Ohlc4 => "ohlc4",
        }
    }

    /// The source of that name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Open,
            Self::High,
            Self::Low,
            Self::Close,
            Self::Volume,
            Self::Hl2,
            Self::Hlc3,
            Self::Ohlc4,
        ];
        all.into_iter().find(|source| source.as_str().eq_ignore_ascii_case(name))
    }

    /// Its values, one a candle; borrowed where it is a stored column.
    #[must_use]
    pub fn column(self, candles: &Candles) -> Cow<'_, [f64]> {
        let (o, h, l, c) = (&candles.open, &candles.high, &candles.low, &candles.close);
        match self {
            Self::Open => Cow::Borrowed(o),
            Self::High => Cow::Borrowed(h),
            Self::Low => Cow::Borrowed(l),
            Self::Close => Cow::Borrowed(c),
            Self::Volume => Cow::Borrowed(&candles.volume),
            Self::Hl2 => h.iter().zip(l).map(|(h, l)| (h + l) / 2.0).collect(),
            Self::Hlc3 => (0..c.len()).map(|i| (h[i] + l[i] + c[i]) / 3.0).collect(),
            Self::Ohlc4 => (0..c.len()).map(|i| (o[i] + h[i] + l[i] + c[i]) / 4.0).collect(),
        }
    }
}
