//! The ledger aggregate: keeps entries in order and cash exact.

use cqrs_es::{Aggregate, event_sink::EventSink};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{cash, commands::LedgerCommand, error::LedgerError, events::LedgerEvent};
use crate::{
    ids::{BacktestId, TradeId},
    simulation::trade::{Direction, Fill, Side},
};

/// A ledger as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The backtest that it belongs to; none before it is opened and after a restart.
    pub backtest_id: Option<BacktestId>,
    pub is_open: bool,
    pub is_closed: bool,
    pub cash: Decimal,
    pub trades_count: u32,
    pub fills_count: u32,
    pub total_fees: Decimal,
    /// Of closed trades.
    pub total_pnl: Decimal,
    /// The trade that is open.
    pub open_trade: Option<OpenTrade>,
    /// Epoch milliseconds of the last equity point; after one there are no more trades.
    pub last_equity_time: Option<i64>,
    /// The engine of the last restart.
    pub restarted_by: Option<String>,
}

/// A trade whose exit is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTrade {
    pub number: u32,
    pub direction: Direction,
    pub entry: Fill,
}

impl Ledger {
    /// The events that `command` makes in this state.
    ///
    /// # Errors
    /// The refusal; one wrong entry refuses them all.
    pub fn decide(&self, command: LedgerCommand) -> Result<Vec<LedgerEvent>, LedgerError> {
        match command {
            LedgerCommand::Record(entries) => {
                let mut after = self.clone();
                for entry in &entries {
                    after.check(entry)?;
                    after.advance(entry);
                }
                Ok(entries)
            }
            LedgerCommand::Restart { .. } if self.is_closed => Err(LedgerError::Closed),
            LedgerCommand::Restart { engine_version } if self.is_open => {
                Ok(vec![LedgerEvent::LedgerRestarted { engine_version }])
            }
            LedgerCommand::Restart { engine_version } => {
                let is_repeated = self.restarted_by.as_ref() == Some(&engine_version);
                if is_repeated { Ok(Vec::new()) } else { Err(LedgerError::NotOpen) }
            }
        }
    }

    /// Whether `entry` follows from what was before.
    fn check(&self, entry: &LedgerEvent) -> Result<(), LedgerError> {
        if self.is_closed {
            return Err(LedgerError::Closed);
        }
        match entry {
            LedgerEvent::LedgerOpened { .. } if self.is_open => Err(LedgerError::AlreadyOpen),
            LedgerEvent::LedgerOpened { initial_balance, .. } => {
                ensure(*initial_balance > Decimal::ZERO, || {
                    format!("the initial balance is {initial_balance}")
                })
            }
            LedgerEvent::LedgerRestarted { .. } => {
                Err(out_of_order("a restart is not an entry".to_owned()))
            }
            LedgerEvent::TradeOpened { .. }
            | LedgerEvent::TradeClosed { .. }
            | LedgerEvent::EquityRecorded { .. }
            | LedgerEvent::LedgerClosed { .. }
                if !self.is_open =>
            {
                Err(LedgerError::NotOpen)
            }
            LedgerEvent::TradeOpened { trade_id, number, direction, fill } => {
                self.check_opened(*trade_id, *number, *direction, fill)
            }
            closed @ LedgerEvent::TradeClosed { .. } => self.check_closed(closed),
            LedgerEvent::EquityRecorded { points } => {
                let times = points.iter().map(|point| point.time);
                let all: Vec<_> = self.last_equity_time.into_iter().chain(times).collect();
                ensure(all.is_sorted_by(|a, b| a < b), || {
                    "the equity points do not ascend".to_owned()
                })?;
                ensure(points.iter().all(|point| point.equity.is_finite()), || {
                    "an equity point is not a number".to_owned()
                })
            }
            closed @ LedgerEvent::LedgerClosed { .. } => self.check_totals(closed),
        }
    }

    fn check_opened(
        &self,
        trade_id: TradeId,
        number: u32,
        direction: Direction,
        fill: &Fill,
    ) -> Result<(), LedgerError> {
        self.check_trading(trade_id, number)?;
        if let Some(open) = &self.open_trade {
            return Err(out_of_order(format!("trade {} is still open", open.number)));
        }
        let expected = self.trades_count.saturating_add(1);
        ensure(number == expected, || format!("trade {number} comes where {expected} is due"))?;
        let side = match direction {
            Direction::Long => Side::Buy,
            Direction::Short => Side::Sell,
        };
        Self::check_fill(fill, side, cash::after_entry(self.cash, fill))
    }

    fn check_closed(&self, closed: &LedgerEvent) -> Result<(), LedgerError> {
        let LedgerEvent::TradeClosed { trade_id, number, direction, entry, fill, pnl, .. } = closed
        else {
            return Ok(());
        };
        self.check_trading(*trade_id, *number)?;
        let Some(open) = &self.open_trade else {
            return Err(out_of_order(format!("trade {number} is not open")));
        };
        ensure((open.number, open.direction, &open.entry) == (*number, *direction, entry), || {
            format!("trade {number} was opened otherwise")
        })?;
        ensure(fill.quantity == entry.quantity, || {
            format!("{} of {} are closed", fill.quantity, entry.quantity)
        })?;
        let side = match direction {
            Direction::Long => Side::Sell,
            Direction::Short => Side::Buy,
        };
        Self::check_fill(fill, side, cash::after_exit(self.cash, fill))?;
        let expected = change(entry)?
            .checked_add(change(fill)?)
            .ok_or_else(|| out_of_order("the pnl leaves the exact range".to_owned()))?;
        ensure(*pnl == expected, || format!("the pnl is {pnl} where {expected} follows"))
    }

    fn check_trading(&self, trade_id: TradeId, number: u32) -> Result<(), LedgerError> {
        ensure(self.last_equity_time.is_none(), || {
            format!("trade {number} comes after the equity points")
        })?;
        let expected = self.backtest_id.map(|backtest| TradeId::of(backtest, number));
        ensure(expected == Some(trade_id), || {
            format!("the id of trade {number} is not derived from its backtest")
        })
    }

    fn check_fill(fill: &Fill, side: Side, cash_after: Option<Decimal>) -> Result<(), LedgerError> {
        ensure(fill.side == side, || "the fill is on the wrong side".to_owned())?;
        ensure(fill.price > Decimal::ZERO && fill.quantity > Decimal::ZERO, || {
            format!("{} units at {} are no fill", fill.quantity, fill.price)
        })?;
        ensure(fill.fee >= Decimal::ZERO, || format!("the fee is {}", fill.fee))?;
        let follows =
            cash_after.ok_or_else(|| out_of_order("cash leaves the exact range".to_owned()))?;
        ensure(fill.cash_after == follows, || {
            format!("cash is {} where {follows} follows", fill.cash_after)
        })
    }

    fn check_totals(&self, closed: &LedgerEvent) -> Result<(), LedgerError> {
        let LedgerEvent::LedgerClosed {
            trades_count,
            fills_count,
            total_fees,
            total_pnl,
            final_balance,
            ..
        } = closed
        else {
            return Ok(());
        };
        ensure((*trades_count, *fills_count) == (self.trades_count, self.fills_count), || {
            format!("{trades_count} trades and {fills_count} fills are not what was recorded")
        })?;
        ensure(*total_fees == self.total_fees, || {
            format!("the fees are {total_fees} where {} follow", self.total_fees)
        })?;
        if self.open_trade.is_some() {
            // An open trade is marked at the last close, which the ledger does not know.
            return Ok(());
        }
        ensure(*total_pnl == self.total_pnl, || {
            format!("the pnl is {total_pnl} where {} follows", self.total_pnl)
        })?;
        ensure(*final_balance == self.cash, || {
            format!("the final balance is {final_balance} where {} follows", self.cash)
        })
    }

    fn advance(&mut self, entry: &LedgerEvent) {
        match entry {
            LedgerEvent::LedgerOpened { backtest_id, initial_balance, .. } => {
                self.backtest_id = Some(*backtest_id);
                self.is_open = true;
                self.cash = *initial_balance;
            }
            LedgerEvent::TradeOpened { number, direction, fill, .. } => {
                self.trades_count = *number;
                self.open_trade =
                    Some(OpenTrade { number: *number, direction: *direction, entry: fill.clone() });
                self.advance_cash(fill);
            }
            LedgerEvent::TradeClosed { fill, pnl, .. } => {
                self.open_trade = None;
                self.total_pnl = self.total_pnl.saturating_add(*pnl);
                self.advance_cash(fill);
            }
            LedgerEvent::EquityRecorded { points } => {
                self.last_equity_time =
                    points.last().map(|point| point.time).or(self.last_equity_time);
            }
            LedgerEvent::LedgerRestarted { engine_version } => {
                *self = Self { restarted_by: Some(engine_version.clone()), ..Self::default() };
            }
            LedgerEvent::LedgerClosed { .. } => {
                self.is_closed = true;
            }
        }
    }

    fn advance_cash(&mut self, fill: &Fill) {
        self.fills_count = self.fills_count.saturating_add(1);
        self.total_fees = self.total_fees.saturating_add(fill.fee);
        self.cash = fill.cash_after;
    }
}

fn change(fill: &Fill) -> Result<Decimal, LedgerError> {
    cash::change(fill).ok_or_else(|| out_of_order("a notional leaves the exact range".to_owned()))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), LedgerError> {
    if holds { Ok(()) } else { Err(out_of_order(otherwise())) }
}

fn out_of_order(reason: String) -> LedgerError {
    LedgerError::OutOfOrder(reason)
}

impl Aggregate for Ledger {
    const TYPE: &'static str = "ledger";
    type Command = LedgerCommand;
    type Event = LedgerEvent;
    type Error = LedgerError;
    type Services = ();

    async fn handle(
        &mut self,
        command: LedgerCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), LedgerError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: LedgerEvent) {
        self.advance(&event);
    }
}
