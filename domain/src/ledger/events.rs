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
    /// The first entry of every run.
    LedgerOpened {
        backtest_id: BacktestId,
        symbol: Symbol,
        timeframe: Timeframe,
        initial_balance: Decimal,
    },
    /// An entry was filled.
    TradeOpened { trade_id: TradeId, number: u32, direction: Direction, fill: Fill },
    /// An exit was filled. `entry` is repeated, so that a reader needs no state.
    TradeClosed {
        trade_id: TradeId,
        number: u32,
        direction: Direction,
        entry: Fill,
        fill: Fill,
        /// Net of both fees.
        pnl: Decimal,
        /// Received above 0, paid below, while it was open; not in `pnl`.
        #[serde(default, skip_serializing_if = "Decimal::is_zero")]
        funding: Decimal,
        is_ambiguous: bool,
    },
    /// A part of an open trade is closed and becomes a trade of its own.
    TradeReduced {
        /// Of the part.
        trade_id: TradeId,
        /// Of the part.
        number: u32,
        /// Of the trade that stays open.
        of_number: u32,
        direction: Direction,
        /// The part's share of the entry: quantity and fee.
        entry: Fill,
        fill: Fill,
        /// What is left of the entry.
        rest: Fill,
        /// Net of the part's share of the entry and its own fee.
        pnl: Decimal,
        /// The part's share.
        #[serde(default, skip_serializing_if = "Decimal::is_zero")]
        funding: Decimal,
        is_ambiguous: bool,
    },
    /// The equity at the end of days, up to 250 points; after the last trade.
    EquityRecorded { points: Vec<EquityPoint> },
    /// The engine changed between attempts: what was before is void.
    LedgerRestarted { engine_version: String },
    /// The last entry of a run, with its sums.
    LedgerClosed {
        trades_count: u32,
        fills_count: u32,
        total_fees: Decimal,
        total_pnl: Decimal,
        final_balance: Decimal,
        /// Hex SHA-256 over the payloads before it.
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
