//! `Trade`: a round trip of a run.

use async_graphql::{Enum, ID, SimpleObject};
use domain::simulation::Direction;
use projections::trades::TradeRow;

use crate::graphql::scalars::{Decimal, Time};

/// A round trip. `exit…` and `pnl…` are null while the trade is open.
#[derive(Clone, SimpleObject)]
pub(crate) struct Trade {
    id: ID,
    /// Starts at 1, in order of entry. A part that was closed separately gets the next number when it is closed.
    number: u32,
    entry_time: Time,
    entry_price: Decimal,
    exit_time: Option<Time>,
    exit_price: Option<Decimal>,
    quantity: Decimal,
    side: TradeSide,
    /// Profit net of both fees.
    pnl: Option<Decimal>,
    pnl_percentage: Option<Decimal>,
    fees: Decimal,
    entry_reason: String,
    exit_reason: Option<String>,
    /// Whether one candle touched both the stop-loss and the take-profit.
    is_ambiguous: bool,
    /// Funding: positive if received, negative if paid. Not included in `pnl`. Null if there was none.
    funding: Option<Decimal>,
    /// What the exit lost beyond all cash, for example in a liquidation. 0 or more, and not included in `pnl`. Null while the
    /// trade is open, or if an older version did not record it.
    shortfall: Option<Decimal>,
    /// If this is a separately closed part, the number of the trade it was split from.
    part_of: Option<u32>,
    /// Candles from entry to exit, both included.
    candles_count: Option<u32>,
    /// Price of the stop-loss as set at the entry. Null if there was none.
    stop_price: Option<Decimal>,
    /// Price of the take-profit as set at the entry. Null if there was none.
    target_price: Option<Decimal>,
    /// How far the price moved against the trade while it was held, in percent of the entry price.
    max_adverse_percentage: Option<f64>,
    /// How far the price moved in the trade's favor while it was held, in percent of the entry price.
    max_favorable_percentage: Option<f64>,
    created_at: Time,
}

/// The direction of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum TradeSide {
    Long,
    Short,
}

impl From<TradeRow> for Trade {
    fn from(row: TradeRow) -> Self {
        Self {
            id: row.id.to_string().into(),
            number: row.number,
            entry_time: Time(row.entry_time),
            entry_price: Decimal(row.entry_price),
            exit_time: row.exit_time.map(Time),
            exit_price: row.exit_price.map(Decimal),
            quantity: Decimal(row.quantity),
            side: match row.direction {
                Direction::Long => TradeSide::Long,
                Direction::Short => TradeSide::Short,
            },
            pnl: row.pnl.map(Decimal),
            pnl_percentage: row.pnl_percentage.map(Decimal),
            fees: Decimal(row.fees),
            entry_reason: row.entry_reason,
            exit_reason: row.exit_reason,
            is_ambiguous: row.is_ambiguous,
            funding: row.funding.map(Decimal),
            shortfall: row.shortfall.map(Decimal),
            part_of: row.part_of,
            candles_count: row.candles_count,
            stop_price: row.stop_price.map(Decimal),
            target_price: row.target_price.map(Decimal),
            max_adverse_percentage: row.max_adverse.map(|fraction| fraction * 100.0),
            max_favorable_percentage: row.max_favorable.map(|fraction| fraction * 100.0),
            created_at: Time(row.created_at),
        }
    }
}
