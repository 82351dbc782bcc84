//! Fills and trades: how a simulation changes cash, exact to the last digit.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{exact, fill_reason::FillReason, time};

/// The reason of a fill that ends what is open at the end of a run.
pub(crate) const END_OF_DATA: &str = "end_of_data";

/// The side of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// The direction of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Long,
    Short,
}

impl Direction {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }

    /// The side that enters it.
    #[must_use]
    pub const fn entry_side(self) -> Side {
        match self {
            Self::Long => Side::Buy,
            Self::Short => Side::Sell,
        }
    }

    /// The side that leaves it.
    #[must_use]
    pub const fn exit_side(self) -> Side {
        match self {
            Self::Long => Side::Sell,
            Self::Short => Side::Buy,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Long => Self::Short,
            Self::Short => Self::Long,
        }
    }
}

/// An execution. Amounts have at most 8 decimals, prices 8 or 9 significant digits, whichever is finer; without
/// trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fill {
    /// Epoch milliseconds UTC, RFC 3339 in JSON: open time of the candle on which it happens.
    #[serde(with = "time")]
    #[schemars(with = "chrono::DateTime<chrono::Utc>")]
    pub time: i64,
    pub side: Side,
    /// Quote money per unit, including slippage and spread.
    pub price: Decimal,
    /// Units of the base asset, above 0.
    pub quantity: Decimal,
    /// Quote money.
    pub fee: Decimal,
    /// Cash after the fill.
    pub cash_after: Decimal,
    /// The rule that triggered it, or `stop_loss`, `take_profit`, `liquidation` or `end_of_data`.
    #[schemars(with = "String")]
    pub reason: FillReason,
}

/// Where in a run's candles a fill happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillPlace {
    /// Index of the candle on which it is stamped.
    pub candle: usize,
    pub moment: Moment,
}

/// When in its candle a fill happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Open,
    /// Somewhere after the open.
    Within,
    Close,
}

/// The stop and target prices that the entry of a trade sets; `None` where it sets no such price.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Barriers {
    /// Of the stop-loss or, if that is tighter, of the trailing stop.
    pub stop: Option<f64>,
    /// Of the take-profit.
    pub target: Option<f64>,
}

/// A round trip, or its open half.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// From 1, in order of entry; a part that is closed on its own takes the next number when it is closed.
    pub number: u32,
    pub direction: Direction,
    pub entry: Fill,
    /// None while it is open.
    pub exit: Option<Fill>,
    /// Net of both fees; none while it is open.
    pub pnl: Option<Decimal>,
    /// Funding received (above 0) or paid (below) while it was open, settled with its exit and not in `pnl`.
    pub funding: Decimal,
    /// What its exit lost beyond all cash, which it brings to 0; 0 or more, and not in `pnl`.
    pub shortfall: Decimal,
    pub barriers: Barriers,
    pub entered: FillPlace,
    /// `None` while it is open.
    pub exited: Option<FillPlace>,
    /// The number of the trade of which this is a part that was closed on its own.
    pub part_of: Option<u32>,
    /// One candle touched stop-loss and take-profit, so the result depended on the convention.
    pub is_ambiguous: bool,
}

impl Fill {
    /// Price × quantity, rounded half-even to 8 decimals; none beyond what a `Decimal` holds.
    #[must_use]
    pub fn notional(&self) -> Option<Decimal> {
        exact::multiply(self.price, self.quantity)
    }
}

impl Barriers {
    /// Stop and target as the ledger holds prices; `None` beyond what it holds.
    #[must_use]
    pub fn prices(self) -> Option<(Option<Decimal>, Option<Decimal>)> {
        let price =
            |level: Option<f64>| level.map_or(Some(None), |level| exact::price(level).map(Some));
        Some((price(self.stop)?, price(self.target)?))
    }
}

impl Trade {
    /// A trade that has just been entered.
    #[must_use]
    pub fn opened(
        number: u32,
        direction: Direction,
        entry: Fill,
        entered: FillPlace,
        barriers: Barriers,
    ) -> Self {
        Self {
            number,
            direction,
            entry,
            exit: None,
            pnl: None,
            funding: Decimal::ZERO,
            shortfall: Decimal::ZERO,
            barriers,
            entered,
            exited: None,
            part_of: None,
            is_ambiguous: false,
        }
    }

    /// Fees of both sides so far, in quote money.
    #[must_use]
    pub fn fees(&self) -> Decimal {
        self.entry.fee + self.exit.as_ref().map_or(Decimal::ZERO, |exit| exit.fee)
    }

    /// [`pnl_percentage`]; none while it is open.
    #[must_use]
    pub fn pnl_percentage(&self) -> Option<Decimal> {
        pnl_percentage(self.pnl?, self.entry.price, self.entry.quantity)
    }
}

/// 100 × pnl ÷ entry notional, rounded half-even to 8 decimals; none beyond what a `Decimal` holds.
#[must_use]
pub fn pnl_percentage(
    pnl: Decimal,
    entry_price: Decimal,
    entry_quantity: Decimal,
) -> Option<Decimal> {
    let notional = exact::multiply(entry_price, entry_quantity)?;
    exact::share(pnl, Decimal::ONE_HUNDRED, notional)
}
