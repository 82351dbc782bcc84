//! A strategy with every parameter bound, which the engine evaluates.

mod bits;
pub(super) mod series;
mod signal;
pub(super) mod signals;
mod streamed;

use rust_decimal::Decimal;

use super::{indicators::IndicatorCall, source::Source};

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
    /// Closes a part of what is held while it holds; `config.partial_exit_portion` says how much.
    pub partial_exit: Option<Condition>,
    /// Where resting entries wait, by direction and by part of a stop-limit order.
    pub entry_prices: EntryPrices,
    /// `atr(period)`, where the stop trails by it.
    pub trailing_range: Option<Operand>,
    pub config: StrategyConfig,
}

/// Prices of resting entries as expressions; none goes by the offsets of the config.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryPrices {
    /// The limit of a limit order, the stop of a stop or stop-limit order.
    pub price: Option<Operand>,
    /// The limit of a stop-limit order.
    pub limit: Option<Operand>,
    /// As `price`, of a short when the direction is `both`; none takes `price`.
    pub short_price: Option<Operand>,
    /// As `limit`, of a short when the direction is `both`; none takes `limit`.
    pub short_limit: Option<Operand>,
}

impl EntryPrices {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Operand> {
        [&self.price, &self.limit, &self.short_price, &self.short_limit].into_iter().flatten()
    }
}

impl BoundStrategy {
    /// The largest first defined index of all that the rules use, lags included: rules are evaluated from the
    /// candle after it on.
    #[must_use]
    pub fn first_defined(&self) -> usize {
        let rules = self.rules().map(Condition::first_defined);
        rules.chain(self.levels().map(Operand::first_defined)).max().unwrap_or(0)
    }

    fn rules(&self) -> impl Iterator<Item = &Condition> {
        let rules = [Some(&self.entry), self.exit.as_ref()];
        let short_rules = [self.short_entry.as_ref(), self.short_exit.as_ref()];
        rules.into_iter().chain(short_rules).chain([self.partial_exit.as_ref()]).flatten()
    }

    fn levels(&self) -> impl Iterator<Item = &Operand> {
        self.entry_prices.all().chain(&self.trailing_range)
    }
}

/// How positions are entered, sized and protected. Fractions, not percent, with the digits that were written.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyConfig {
    pub sizing: Sizing,
    /// Distance as a fraction of the price.
    pub stop_loss: Option<Decimal>,
    /// Distance as a fraction of the price.
    pub take_profit: Option<Decimal>,
    pub direction: Directions,
    pub entry_order: EntryOrder,
    /// How many candles a resting entry is examined against, 1 or more.
    pub entry_valid_candles: usize,
    pub trailing_stop: Option<Trailing>,
    /// Gain, as a fraction of the entry price, after which the stop is not below (above, of a short) it.
    pub break_even: Option<Decimal>,
    /// Candles after which a trade is left at market, 1 or more.
    pub max_candles: Option<usize>,
    /// Nearest first; their portions sum to 1 at most.
    pub partial_take_profits: Vec<PartialTarget>,
    /// Of what is held, closed on each candle where the partial exit holds; above 0, below 1.
    pub partial_exit_portion: Decimal,
    /// Trades of one direction that may be open at the same time, 1 or more.
    pub max_entries: usize,
    pub position_mode: PositionMode,
}

impl StrategyConfig {
    /// All in at market, long, without stops.
    pub const DEFAULT: Self = Self {
        sizing: Sizing::AllIn,
        stop_loss: None,
        take_profit: None,
        direction: Directions::Long,
        entry_order: EntryOrder::Market,
        entry_valid_candles: 1,
        trailing_stop: None,
        break_even: None,
        max_candles: None,
        partial_take_profits: Vec::new(),
        partial_exit_portion: Decimal::from_parts(5, 0, 0, false, 1),
        max_entries: 1,
        position_mode: PositionMode::Single,
    };
}

/// What kind of order enters. Offsets are fractions of the signal candle's close; without them the price is an
/// expression of [`EntryPrices`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EntryOrder {
    Market,
    /// Waits for a better price: below the close for a long, above it for a short.
    Limit {
        offset: Option<Decimal>,
    },
    /// Waits for a break-out: above the close for a long, below it for a short.
    Stop {
        offset: Option<Decimal>,
    },
    /// A stop that becomes a limit order; `limit_offset` is a fraction of the stop, above 0 where the limit gives
    /// way (above the stop of a long).
    StopLimit {
        offset: Option<Decimal>,
        limit_offset: Option<Decimal>,
    },
}

/// How far behind the closes a stop trails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trailing {
    /// A fraction of the close.
    Fraction(Decimal),
    /// That many times the average true range of [`BoundStrategy::trailing_range`].
    Ranges(f64),
}

/// A target that closes a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartialTarget {
    /// Distance as a fraction of the price.
    pub distance: Decimal,
    /// Of the quantity that was entered.
    pub portion: Decimal,
}

/// What an entry does to a position of the other direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionMode {
    /// Nothing: in a position only its exit acts, and an opposite entry of the same candle fills after it.
    Single,
    /// Closes it, and enters.
    Exclusive,
    /// Closes as much of it as the entry is large, oldest trade first; the rest enters.
    Netting,
    /// Nothing: both directions are held side by side.
    Hedging,
}

/// How much is bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizing {
    AllIn,
    /// Fraction of equity.
    PercentOfEquity(Decimal),
    /// Quote money.
    FixedAmount(Decimal),
    /// Base units.
    FixedQuantity(Decimal),
    /// Fraction of equity that the stop-loss may lose.
    RiskPercentage(Decimal),
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

impl Comparator {
    /// Its sign, or its word where it has no sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::CrossesAbove => "crosses_above",
            Self::CrossesBelow => "crosses_below",
        }
    }

    /// Whether it asks for two candles.
    const fn is_crossing(self) -> bool {
        matches!(self, Self::CrossesAbove | Self::CrossesBelow)
    }
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
