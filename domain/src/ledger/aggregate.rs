//! The ledger aggregate: keeps entries in order and cash exact.

use chrono::NaiveDate;
use cqrs_es::{Aggregate, event_sink::EventSink};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    cash,
    commands::LedgerCommand,
    error::LedgerError,
    events::{ClosedTrade, LedgerEvent, Subject},
};
use crate::{
    ids::{BacktestId, TradeId},
    simulation::{
        exact,
        trade::{Direction, Fill, Side},
    },
};

/// A ledger as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What it belongs to; none before it is opened and after a restart.
    #[serde(default)]
    pub subject: Option<Subject>,
    pub is_open: bool,
    pub is_closed: bool,
    pub cash: Decimal,
    pub trades_count: u32,
    pub fills_count: u32,
    pub total_fees: Decimal,
    /// Of closed trades.
    pub total_pnl: Decimal,
    /// Of closed trades.
    #[serde(default)]
    pub total_shortfall: Decimal,
    /// The trades that are open, in order of entry.
    #[serde(default)]
    pub open_trades: Vec<OpenTrade>,
    /// The last day of recorded equity; after one there are no more trades.
    pub last_equity_day: Option<NaiveDate>,
    /// The engine of the last restart.
    pub restarted_by: Option<String>,
}

/// A trade whose exit is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTrade {
    pub number: u32,
    pub direction: Direction,
    /// Without what its closed parts took of it.
    pub entry: Fill,
    /// What the entry did to cash, without what its closed parts took of that.
    pub entry_change: Decimal,
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
            LedgerEvent::LedgerOpened { opening_cash, opening_position, .. } => {
                ensure(*opening_cash > Decimal::ZERO, || {
                    format!("the opening cash is {opening_cash}")
                })?;
                ensure(opening_position.is_none(), || {
                    "a ledger that opens with a position is not kept yet".to_owned()
                })
            }
            LedgerEvent::LedgerRestarted { .. } => {
                Err(out_of_order("a restart is not an entry".to_owned()))
            }
            LedgerEvent::TradeOpened { .. }
            | LedgerEvent::TradeClosed(_)
            | LedgerEvent::TradeReduced { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerClosed { .. }
                if !self.is_open =>
            {
                Err(LedgerError::NotOpen)
            }
            LedgerEvent::TradeOpened { trade_id, number, direction, fill, .. } => {
                self.check_opened(*trade_id, *number, *direction, fill)
            }
            LedgerEvent::TradeClosed(closed) => self.check_closed(closed),
            LedgerEvent::TradeReduced { part, of_number, rest } => {
                self.check_reduced(part, *of_number, rest)
            }
            LedgerEvent::EquityRecorded(equity) => {
                ensure(equity.last_day().is_some(), || "the days of equity do not fit".to_owned())?;
                ensure(self.last_equity_day.is_none_or(|last| last < equity.from), || {
                    "the days of equity do not ascend".to_owned()
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
        self.check_next(number)?;
        Self::check_fill(fill, direction.entry_side(), cash::after_entry(self.cash, fill))
    }

    fn check_closed(&self, closed: &ClosedTrade) -> Result<(), LedgerError> {
        let ClosedTrade { number, direction, entry, fill, .. } = closed;
        self.check_trading(closed.trade_id, *number)?;
        let open = self.open_trade(*number)?;
        ensure((open.direction, &open.entry) == (*direction, entry), || {
            format!("trade {number} was opened otherwise")
        })?;
        ensure(fill.quantity == entry.quantity, || {
            format!("{} of {} are closed", fill.quantity, entry.quantity)
        })?;
        self.check_exit(closed, open.entry_change, self.open_trades.len() == 1)
    }

    fn check_reduced(
        &self,
        part: &ClosedTrade,
        of_number: u32,
        rest: &Fill,
    ) -> Result<(), LedgerError> {
        let ClosedTrade { number, direction, entry, fill, .. } = part;
        self.check_trading(part.trade_id, *number)?;
        self.check_next(*number)?;
        let open = self.open_trade(of_number)?;
        ensure(fill.quantity == entry.quantity && fill.quantity < open.entry.quantity, || {
            format!("{} of {} are no part", fill.quantity, open.entry.quantity)
        })?;
        let taken = Fill {
            quantity: fill.quantity,
            fee: share(open.entry.fee, fill, open)?,
            ..open.entry.clone()
        };
        let left = Fill {
            quantity: open.entry.quantity - taken.quantity,
            fee: open.entry.fee - taken.fee,
            ..open.entry.clone()
        };
        ensure((open.direction, &taken, &left) == (*direction, entry, rest), || {
            format!("trade {of_number} does not split into these parts")
        })?;
        self.check_exit(part, share(open.entry_change, fill, open)?, false)
    }

    /// That cash, shortfall and pnl follow from the exit; `entry_change` is what its entry did to cash.
    fn check_exit(
        &self,
        closed: &ClosedTrade,
        entry_change: Decimal,
        is_last: bool,
    ) -> Result<(), LedgerError> {
        let ClosedTrade { direction, fill, pnl, funding, shortfall, .. } = closed;
        let after = cash::after_exit(self.cash, fill, *funding, is_last);
        let (cash_after, missing) = after.unzip();
        Self::check_fill(fill, direction.exit_side(), cash_after)?;
        check_shortfall(*shortfall, missing)?;
        check_pnl(*pnl, entry_change, fill)
    }

    fn open_trade(&self, number: u32) -> Result<&OpenTrade, LedgerError> {
        let found = self.open_trades.iter().find(|open| open.number == number);
        found.ok_or_else(|| out_of_order(format!("trade {number} is not open")))
    }

    fn check_next(&self, number: u32) -> Result<(), LedgerError> {
        let expected = self.trades_count.saturating_add(1);
        ensure(number == expected, || format!("trade {number} comes where {expected} is due"))
    }

    fn check_trading(&self, trade_id: TradeId, number: u32) -> Result<(), LedgerError> {
        ensure(self.last_equity_day.is_none(), || {
            format!("trade {number} comes after the equity points")
        })?;
        let expected = self.subject.map(|of| TradeId::of(BacktestId::new(of.id), number));
        ensure(expected == Some(trade_id), || {
            format!("the id of trade {number} is not derived from its ledger's")
        })
    }

    fn check_fill(fill: &Fill, side: Side, cash_after: Option<Decimal>) -> Result<(), LedgerError> {
        ensure(fill.side == side, || "the fill is on the wrong side".to_owned())?;
        ensure(fill.price > Decimal::ZERO && fill.quantity > Decimal::ZERO, || {
            format!("{} units at {} are no fill", fill.quantity, fill.price)
        })?;
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
            total_shortfall,
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
        check_shortfall(*total_shortfall, Some(self.total_shortfall))?;
        if !self.open_trades.is_empty() {
            // Open trades are marked at the last close, which the ledger does not know.
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
            LedgerEvent::LedgerOpened { subject, opening_cash, .. } => {
                self.subject = Some(*subject);
                self.is_open = true;
                self.cash = *opening_cash;
            }
            LedgerEvent::TradeOpened { number, direction, fill, .. } => {
                self.trades_count = *number;
                self.open_trades.push(OpenTrade {
                    number: *number,
                    direction: *direction,
                    entry: fill.clone(),
                    entry_change: cash::change(fill).unwrap_or_default(),
                });
                self.advance_cash(fill);
            }
            LedgerEvent::TradeClosed(closed) => {
                self.open_trades.retain(|open| open.number != closed.number);
                let shortfall = closed.shortfall.unwrap_or_default();
                self.total_shortfall = self.total_shortfall.saturating_add(shortfall);
                self.advance_exit(closed);
            }
            LedgerEvent::TradeReduced { part, of_number, rest } => {
                self.trades_count = part.number;
                let is_it = |open: &&mut OpenTrade| open.number == *of_number;
                if let Some(open) = self.open_trades.iter_mut().find(is_it) {
                    let taken = share(open.entry_change, &part.fill, open).unwrap_or_default();
                    open.entry_change -= taken;
                    open.entry = rest.clone();
                }
                self.advance_exit(part);
            }
            LedgerEvent::EquityRecorded(equity) => {
                self.last_equity_day = equity.last_day().or(self.last_equity_day);
            }
            LedgerEvent::LedgerRestarted { engine_version } => {
                *self = Self { restarted_by: Some(engine_version.clone()), ..Self::default() };
            }
            LedgerEvent::LedgerClosed { .. } => {
                self.is_closed = true;
            }
        }
    }

    fn advance_exit(&mut self, closed: &ClosedTrade) {
        self.total_pnl = self.total_pnl.saturating_add(closed.pnl);
        self.advance_cash(&closed.fill);
    }

    fn advance_cash(&mut self, fill: &Fill) {
        self.fills_count = self.fills_count.saturating_add(1);
        self.total_fees = self.total_fees.saturating_add(fill.fee);
        self.cash = fill.cash_after;
    }
}

/// That a trade's pnl is what its share of the entry and its exit did to cash.
fn check_pnl(pnl: Decimal, entry_change: Decimal, exit: &Fill) -> Result<(), LedgerError> {
    let expected = entry_change
        .checked_add(change(exit)?)
        .ok_or_else(|| out_of_order("the pnl leaves the exact range".to_owned()))?;
    ensure(pnl == expected, || format!("the pnl is {pnl} where {expected} follows"))
}

/// That the shortfall of an exit is what cash could not pay; older events do not tell.
fn check_shortfall(
    shortfall: Option<Decimal>,
    missing: Option<Decimal>,
) -> Result<(), LedgerError> {
    ensure(shortfall.is_none() || shortfall == missing, || {
        let (shortfall, missing) = (shortfall.unwrap_or_default(), missing.unwrap_or_default());
        format!("the shortfall is {shortfall} where {missing} follows")
    })
}

/// What `part` takes of an amount of the whole trade.
fn share(amount: Decimal, part: &Fill, of: &OpenTrade) -> Result<Decimal, LedgerError> {
    exact::share(amount, part.quantity, of.entry.quantity)
        .ok_or_else(|| out_of_order("a part leaves the exact range".to_owned()))
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
