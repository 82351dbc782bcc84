//! A strategy with every parameter bound: what the engine evaluates.

use super::{candles::Candles, indicators::IndicatorCall};

/// Rules and config with concrete numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundStrategy {
    /// Enters a long, or a short when the direction is `short`.
    pub entry: Condition,
    /// Leaves it; none is never.
    pub exit: Option<Condition>,
    /// Enters a short when the direction is `both`; none takes `exit`.
    pub short_entry: Option<Condition>,
    /// Leaves a short when the direction is `both`; none takes `entry`.
    pub short_exit: Option<Condition>,
    pub config: StrategyConfig,
}

impl BoundStrategy {
    /// The largest first defined index of all that the rules use, lags included: rules are evaluated from the
    /// candle after it on.
    #[must_use]
    pub fn first_defined(&self) -> usize {
        let rules = [Some(&self.entry), self.exit.as_ref()];
        let short_rules = [self.short_entry.as_ref(), self.short_exit.as_ref()];
        let all = rules.into_iter().chain(short_rules).flatten();
        all.map(Condition::first_defined).max().unwrap_or(0)
    }
}

/// How positions are sized and protected. Fractions, not percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrategyConfig {
    pub sizing: Sizing,
    /// Distance as a fraction of the price.
    pub stop_loss: Option<f64>,
    /// Distance as a fraction of the price.
    pub take_profit: Option<f64>,
    pub direction: Directions,
}

/// How much is bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizing {
    AllIn,
    /// Fraction of equity.
    PercentOfEquity(f64),
    /// Quote money.
    FixedAmount(f64),
    /// Base units.
    FixedQuantity(f64),
    /// Fraction of equity that the stop-loss may lose.
    RiskPercentage(f64),
}

/// Which directions are traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directions {
    Long,
    Short,
    Both,
}

/// A rule: comparisons, nested in groups that are never empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Comparison),
}

impl Condition {
    fn first_defined(&self) -> usize {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().map(Self::first_defined).max().unwrap_or(0)
            }
            Self::Compare(Comparison { left, test, .. }) => {
                let right = match test {
                    Test::Is(_, right) => right.first_defined(),
                    Test::Between(low, high) => low.first_defined().max(high.first_defined()),
                };
                left.first_defined().max(right)
            }
        }
    }
}

/// One comparison and its own text (`rsi(14) < 30`).
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub left: Operand,
    pub test: Test,
    pub text: String,
}

/// What the left side is held against. A comparison with an undefined value is false.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Is(Comparator, Operand),
    /// Both ends included.
    Between(Operand, Operand),
}

/// `crosses_*` are strict on both candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    CrossesAbove,
    CrossesBelow,
}

/// An expression over columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Number(f64),
    Source(Source),
    Indicator(IndicatorCall),
    /// The value that many candles earlier.
    Lag(Box<Self>, usize),
    Negate(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    Min(Vec<Self>),
    Max(Vec<Self>),
    Abs(Box<Self>),
}

impl Operand {
    fn first_defined(&self) -> usize {
        match self {
            Self::Number(_) | Self::Source(_) => 0,
            Self::Indicator(call) => (call.spec.first_defined)(&call.arguments),
            Self::Lag(operand, candles) => operand.first_defined().saturating_add(*candles),
            Self::Negate(operand) | Self::Abs(operand) => operand.first_defined(),
            Self::Arithmetic(_, left, right) => left.first_defined().max(right.first_defined()),
            Self::Min(operands) | Self::Max(operands) => {
                operands.iter().map(Self::first_defined).max().unwrap_or(0)
            }
        }
    }
}

/// The four operations; a division by zero is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

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
    pub fn column(self, candles: &Candles) -> std::borrow::Cow<'_, [f64]> {
        use std::borrow::Cow;
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
