//! The events of a ledger. Payloads do not depend on attempt, executor or clock: every attempt writes the same bytes.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::event_versions,
    ids::{BacktestId, TradeId},
    market::{Symbol, Timeframe},
    simulation::{
        equity::EquityPoint,
        trade::{Direction, Fill},
    },
};

/// The facts of a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum LedgerEvent {
    /// The first entry of a run's ledger.
    LedgerOpened {
        backtest_id: BacktestId,
        symbol: Symbol,
        timeframe: Timeframe,
        initial_balance: Decimal,
    },
    /// An entry was filled.
    TradeOpened { trade_id: TradeId, number: u32, direction: Direction, fill: Fill },
    /// An exit was filled. `entry` is repeated so that consumers need no state.
    TradeClosed {
        trade_id: TradeId,
        number: u32,
        direction: Direction,
        entry: Fill,
        fill: Fill,
        /// Profit net of both fees.
        pnl: Decimal,
        /// Funding while it was open: positive if received, negative if paid. Not included in `pnl`.
        #[serde(default, skip_serializing_if = "Decimal::is_zero")]
        funding: Decimal,
        is_ambiguous: bool,
    },
    /// A part of an open trade was closed and becomes a separate trade.
    TradeReduced {
        /// Number of the part.
        trade_id: TradeId,
        /// Number of the part.
        number: u32,
        /// Number of the trade that stays open.
        of_number: u32,
        direction: Direction,
        /// The part's share of the entry's quantity and fee.
        entry: Fill,
        fill: Fill,
        /// The rest of the entry.
        rest: Fill,
        /// Profit net of the part's share of the entry fee and its exit fee.
        pnl: Decimal,
        /// The part's share of the funding.
        #[serde(default, skip_serializing_if = "Decimal::is_zero")]
        funding: Decimal,
        is_ambiguous: bool,
    },
    /// The equity at the end of each day, up to 250 points per event. Recorded after the last trade.
    EquityRecorded { points: Vec<EquityPoint> },
    /// The engine changed between attempts. All previous entries are void.
    LedgerRestarted { engine_version: String },
    /// The last entry of a run's ledger, with totals.
    LedgerClosed {
        trades_count: u32,
        fills_count: u32,
        total_fees: Decimal,
        total_pnl: Decimal,
        final_balance: Decimal,
        /// Hex SHA-256 over all previous payloads.
        ledger_hash: String,
    },
}

impl LedgerEvent {
    /// The type of [`Self::EquityRecorded`], by which readers know it without decoding it.
    pub const EQUITY_RECORDED: &str = "EquityRecorded";
}

event_versions!(LedgerEvent {
    LedgerOpened => "1.0",
    TradeOpened => "1.0",
    TradeClosed => "1.0",
    TradeReduced => "1.0",
    EquityRecorded => "1.0",
    LedgerRestarted => "1.0",
    LedgerClosed => "1.0",
});
