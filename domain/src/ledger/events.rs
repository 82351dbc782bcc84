//! The events of a ledger. Payloads do not depend on attempt, executor or clock: every attempt writes the same bytes.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::equity::DailyEquity;
use crate::{
    event::event_versions,
    ids::{BacktestId, TradeId},
    market::{Symbol, Timeframe},
    simulation::trade::{Direction, Fill},
};

/// Whose ledger it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    #[serde(rename = "type")]
    pub kind: SubjectKind,
    /// Its id, which is also the ledger's.
    pub id: Uuid,
}

/// What has a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Backtest,
    Automation,
}

impl From<BacktestId> for Subject {
    fn from(id: BacktestId) -> Self {
        Self { kind: SubjectKind::Backtest, id: id.uuid() }
    }
}

/// What was held when a ledger was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpeningPosition {
    pub direction: Direction,
    /// Units of the base asset, above 0.
    pub quantity: Decimal,
    /// Quote money per unit, at which it was entered.
    pub price: Decimal,
}

/// A trade that was closed, or the part of one that was closed on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ClosedTrade {
    pub trade_id: TradeId,
    pub number: u32,
    pub direction: Direction,
    /// A part has its share of the entry's quantity and fee.
    pub entry: Fill,
    pub fill: Fill,
    /// Profit net of both fees.
    pub pnl: Decimal,
    /// Funding while it was open: positive if received, negative if paid. A part has its share. Not included in `pnl`.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub funding: Decimal,
    /// What the exit lost beyond all cash, which it brings to 0; 0 or more, and 0 if a part stays open. Not included in
    /// `pnl`. Absent if an older version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<Decimal>,
    pub is_ambiguous: bool,
    /// Candles from the entry's to the exit's, both included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candles_count: Option<u32>,
    /// As in `TradeOpened`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Decimal>,
    /// As in `TradeOpened`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_price: Option<Decimal>,
    /// How far prices went against the trade while it was held, as a fraction of the entry price; 0 or more. The
    /// entry's candle counts if the trade filled at its open, the exit's candle up to the exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_adverse: Option<f64>,
    /// As `max_adverse`, in the trade's favor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_favorable: Option<f64>,
}

/// The facts of a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum LedgerEvent {
    /// The first entry of a run's ledger.
    LedgerOpened {
        subject: Subject,
        symbol: Symbol,
        timeframe: Timeframe,
        /// Quote money. A backtest's is its initial balance.
        opening_cash: Decimal,
        /// Null if nothing was held. A backtest begins without a position.
        opening_position: Option<OpeningPosition>,
    },
    /// An entry was filled.
    TradeOpened {
        trade_id: TradeId,
        number: u32,
        direction: Direction,
        fill: Fill,
        /// The price of the stop-loss as the entry set it, or of the trailing stop if that was tighter. Absent if there
        /// was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop_price: Option<Decimal>,
        /// The price of the take-profit. Absent if there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target_price: Option<Decimal>,
    },
    /// An exit was filled. `entry` is repeated so that consumers need no state.
    TradeClosed(ClosedTrade),
    /// A part of an open trade was closed and becomes a separate trade. `trade_id`, `number` and amounts are the part's;
    /// `stop_price` and `target_price` are of the trade that stays open.
    TradeReduced {
        #[serde(flatten)]
        part: ClosedTrade,
        /// Number of the trade that stays open.
        of_number: u32,
        /// The rest of the entry.
        rest: Fill,
    },
    /// The equity at the end of each UTC day, in columns: up to 4,096 calendar days per event. Recorded after the last
    /// trade.
    EquityRecorded(DailyEquity),
    /// The engine changed between attempts. All previous entries are void.
    LedgerRestarted { engine_version: String },
    /// The last entry of a run's ledger, with totals.
    LedgerClosed {
        trades_count: u32,
        fills_count: u32,
        total_fees: Decimal,
        total_pnl: Decimal,
        /// Σ `shortfall` of the trades: `opening_cash` + Σ `pnl` + Σ `shortfall` + Σ `funding` = `final_balance`. Absent if
        /// an older version did not record it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total_shortfall: Option<Decimal>,
        final_balance: Decimal,
        /// Hex SHA-256 over all previous payloads as they are stored.
        ledger_hash: String,
    },
}

impl LedgerEvent {
    /// The type of [`Self::EquityRecorded`], by which readers know it without decoding it.
    pub const EQUITY_RECORDED: &str = "EquityRecorded";
    /// The type of [`Self::LedgerClosed`].
    pub const LEDGER_CLOSED: &str = "LedgerClosed";
}

event_versions!(LedgerEvent {
    LedgerOpened => "2.0",
    TradeOpened => "2.0",
    TradeClosed => "2.0",
    TradeReduced => "2.0",
    EquityRecorded => "2.0",
    LedgerRestarted => "1.0",
    LedgerClosed => "2.0",
});
