//! Cash and the position: every fill changes them by exactly what it says.

use rust_decimal::Decimal;

use super::{
    SimulationError,
    costs::{Costs, overflow},
    exact,
    trade::{Direction, Fill, Side, Trade},
};

/// Cash, the open position and all trades so far.
#[derive(Debug)]
pub(crate) struct Portfolio {
    pub(crate) cash: Decimal,
    /// In order of entry; the last is open while there is a position.
    pub(crate) trades: Vec<Trade>,
    pub(crate) position: Option<Position>,
    /// What closing lost beyond all cash: cash is never below 0 after an exit.
    pub(crate) shortfall: Decimal,
}

/// What is held. Prices and quantity as `f64`, for marking and comparing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) direction: Direction,
    pub(crate) quantity: Decimal,
    /// The quantity, negative for a short.
    pub(crate) signed_quantity: f64,
    pub(crate) cash: f64,
    pub(crate) stop_loss: Option<f64>,
    pub(crate) take_profit: Option<f64>,
    entry_change: Decimal,
}

/// A fill about to happen; its price holds slippage and spread.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Epoch milliseconds UTC of the candle.
    pub(crate) time: i64,
    pub(crate) price: Decimal,
    pub(crate) reason: String,
}

/// Where a position is left at a loss and with a profit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exits {
    pub(crate) stop_loss: Option<f64>,
    pub(crate) take_profit: Option<f64>,
}

impl Portfolio {
    /// `cash` and nothing else.
    pub(crate) fn new(cash: Decimal) -> Self {
        Self { cash, trades: Vec::new(), position: None, shortfall: Decimal::ZERO }
    }

    /// Enters a position; there is none yet.
    pub(crate) fn open(
        &mut self,
        execution: Execution,
        direction: Direction,
        quantity: Decimal,
        exits: Exits,
        costs: &Costs,
    ) -> Result<&Trade, SimulationError> {
        let side = direction.entry_side();
        let (fill, change) = self.fill(execution, side, quantity, costs)?;
        let size = exact::to_f64(quantity);
        self.position = Some(Position {
            direction,
            quantity,
            signed_quantity: match direction {
                Direction::Long => size,
                Direction::Short => -size,
            },
            cash: exact::to_f64(self.cash),
            stop_loss: exits.stop_loss,
            take_profit: exits.take_profit,
            entry_change: change,
        });
        let number = u32::try_from(self.trades.len() + 1).map_err(|_| overflow("the ledger"))?;
        let trade =
            Trade { number, direction, entry: fill, exit: None, pnl: None, is_ambiguous: false };
        Ok(self.trades.push_mut(trade))
    }

    /// Leaves the position; what cash cannot pay becomes the shortfall.
    pub(crate) fn close(
        &mut self,
        execution: Execution,
        is_ambiguous: bool,
        costs: &Costs,
    ) -> Result<Option<&Trade>, SimulationError> {
        let Some(position) = self.position.take() else { return Ok(None) };
        let side = position.direction.exit_side();
        let (mut fill, change) = self.fill(execution, side, position.quantity, costs)?;
        if self.cash.is_sign_negative() && !self.cash.is_zero() {
            self.shortfall = -self.cash;
            self.cash = Decimal::ZERO;
            fill.cash_after = Decimal::ZERO;
        }
        let pnl = position.entry_change.checked_add(change).ok_or_else(|| overflow("a pnl"))?;
        let Some(trade) = self.trades.last_mut() else { return Ok(None) };
        trade.exit = Some(fill);
        trade.pnl = Some(pnl.normalize());
        trade.is_ambiguous = is_ambiguous;
        Ok(Some(trade))
    }

    /// Cash and what the position is worth at `close`, exactly.
    pub(crate) fn balance(&self, close: f64) -> Result<Decimal, SimulationError> {
        let Some(position) = &self.position else { return Ok(self.cash) };
        let worth = exact::round_f64(close)
            .and_then(|close| exact::multiply(close, position.quantity))
            .ok_or_else(|| overflow("the position's worth"))?;
        let balance = match position.direction {
            Direction::Long => self.cash.checked_add(worth),
            Direction::Short => self.cash.checked_sub(worth),
        };
        balance.map(|balance| balance.normalize()).ok_or_else(|| overflow("the balance"))
    }

    fn fill(
        &mut self,
        execution: Execution,
        side: Side,
        quantity: Decimal,
        costs: &Costs,
    ) -> Result<(Fill, Decimal), SimulationError> {
        let Execution { time, price, reason } = execution;
        let notional =
            exact::multiply(price, quantity).ok_or_else(|| overflow("a fill's notional"))?;
        let fee = costs.fee(notional)?;
        let change = match side {
            Side::Buy => (-notional).checked_sub(fee),
            Side::Sell => notional.checked_sub(fee),
        };
        let change = change.ok_or_else(|| overflow("a fill"))?;
        let cash = self.cash.checked_add(change).ok_or_else(|| overflow("cash"))?;
        self.cash = cash.normalize();
        Ok((Fill { time, side, price, quantity, fee, cash_after: self.cash, reason }, change))
    }
}

impl Position {
    /// Cash and worth at `close`.
    pub(crate) fn equity(&self, close: f64) -> f64 {
        self.cash + self.signed_quantity * close
    }
}
