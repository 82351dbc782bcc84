//! Cash and positions: every fill changes them by exactly its amounts.

use rust_decimal::Decimal;

pub(crate) mod costs;
pub(crate) mod exposure;
pub(crate) mod funding;
pub(crate) mod mark;
pub(crate) mod sizing;

use self::costs::{Costs, Liquidity};
use super::{
    SimulationError,
    error::overflow,
    exact,
    trade::{Barriers, Direction, Fill, FillPlace, Side, Trade},
};

/// Cash, the open positions and all trades so far.
#[derive(Debug)]
pub(crate) struct Portfolio {
    pub(crate) cash: Decimal,
    /// `cash` as the nearest real number.
    cash_real: f64,
    /// In order of entry; a part that is closed on its own takes the next place when it is closed.
    pub(crate) trades: Vec<Trade>,
    /// What is held, in order of entry.
    pub(crate) open: Vec<Position>,
    /// What closing lost beyond all cash: without a position, cash is never below 0.
    pub(crate) shortfall: Decimal,
    /// Funding that was settled so far.
    settled_funding: Decimal,
}

/// The open part of a trade. The quantity also as `f64`, for marking and comparing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Number of its trade.
    pub(crate) number: u32,
    pub(crate) direction: Direction,
    pub(crate) quantity: Decimal,
    /// The quantity, negative for a short.
    pub(crate) signed_quantity: f64,
    /// What its entry did to cash, less what its closed parts took of that.
    entry_change: Decimal,
    /// Accrued and not yet settled.
    funding: Decimal,
}

/// A fill about to happen; its price holds slippage and spread.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Epoch milliseconds UTC of the candle.
    pub(crate) time: i64,
    pub(crate) place: FillPlace,
    pub(crate) price: Decimal,
    pub(crate) liquidity: Liquidity,
    pub(crate) reason: String,
}

/// What there is to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Funds {
    /// Cash and the worth of what is held.
    pub(crate) equity: Decimal,
    /// Worth of what is held, longs and shorts added: its margin is not free.
    pub(crate) exposure: Decimal,
}

impl Portfolio {
    /// `cash` and nothing else.
    pub(crate) fn new(cash: Decimal) -> Self {
        Self {
            cash,
            cash_real: exact::to_f64(cash),
            trades: Vec::new(),
            open: Vec::new(),
            shortfall: Decimal::ZERO,
            settled_funding: Decimal::ZERO,
        }
    }

    /// Enters a position.
    pub(crate) fn open(
        &mut self,
        execution: Execution,
        direction: Direction,
        quantity: Decimal,
        barriers: Barriers,
        costs: &Costs,
    ) -> Result<&Trade, SimulationError> {
        let side = direction.entry_side();
        let place = execution.place;
        let (fill, change) = self.fill(execution, side, quantity, costs)?;
        let number = self.next_number()?;
        self.open.push(Position {
            number,
            direction,
            quantity,
            signed_quantity: signed(quantity, direction),
            entry_change: change,
            funding: Decimal::ZERO,
        });
        Ok(self.trades.push_mut(Trade::opened(number, direction, fill, place, barriers)))
    }

    /// Leaves a position; what cash cannot pay when nothing is held any more becomes the shortfall.
    pub(crate) fn close(
        &mut self,
        number: u32,
        execution: Execution,
        is_ambiguous: bool,
        costs: &Costs,
    ) -> Result<Option<&Trade>, SimulationError> {
        let Some(index) = self.index(number) else { return Ok(None) };
        let position = self.open.remove(index);
        let side = position.direction.exit_side();
        let place = execution.place;
        let (mut fill, change) = self.fill(execution, side, position.quantity, costs)?;
        let shortfall = self.settle(position.funding, &mut fill)?;
        let pnl = exact::add(position.entry_change, change).ok_or_else(|| overflow("a pnl"))?;
        let Some(trade) = trade_mut(&mut self.trades, number) else { return Ok(None) };
        trade.exit = Some(fill);
        trade.exited = Some(place);
        trade.pnl = Some(pnl);
        trade.shortfall = shortfall;
        trade.funding = position.funding;
        trade.is_ambiguous |= is_ambiguous;
        Ok(Some(trade))
    }

    /// Closes a part of a position, above 0 and below all of it, as a separate trade. Returns the indices of the part and
    /// of the rest among the trades.
    pub(crate) fn reduce(
        &mut self,
        number: u32,
        quantity: Decimal,
        execution: Execution,
        is_ambiguous: bool,
        costs: &Costs,
    ) -> Result<Option<(usize, usize)>, SimulationError> {
        let Some(index) = self.index(number) else { return Ok(None) };
        let position = self.open[index];
        let (whole, direction) = (position.quantity, position.direction);
        let share = |amount| {
            exact::share(amount, quantity, whole).ok_or_else(|| overflow("a part of a trade"))
        };
        let (entry_change, funding) = (share(position.entry_change)?, share(position.funding)?);
        let rest = exact::normalized(whole - quantity);
        // Before the fill, which marks cash together with the funding that is still accrued.
        self.open[index] = Position {
            quantity: rest,
            signed_quantity: signed(rest, direction),
            entry_change: position.entry_change - entry_change,
            funding: position.funding - funding,
            ..position
        };
        let place = execution.place;
        let (mut fill, change) = self.fill(execution, direction.exit_side(), quantity, costs)?;
        self.settle(funding, &mut fill)?;
        let pnl = exact::add(entry_change, change).ok_or_else(|| overflow("a pnl"))?;
        let part_number = self.next_number()?;
        let Some(trade) = trade_mut(&mut self.trades, number) else { return Ok(None) };
        let fee = share(trade.entry.fee)?;
        let entry = Fill { quantity, fee, ..trade.entry.clone() };
        let opened = Trade::opened(part_number, direction, entry, trade.entered, trade.barriers);
        trade.entry.quantity = rest;
        trade.entry.fee = exact::normalized(trade.entry.fee - fee);
        self.trades.push(Trade {
            exit: Some(fill),
            exited: Some(place),
            pnl: Some(pnl),
            part_of: Some(number),
            funding,
            is_ambiguous,
            ..opened
        });
        Ok(Some((self.trades.len() - 1, number as usize - 1)))
    }

    /// Enters a position as the ledger says.
    pub(super) fn restore_entry(&mut self, number: u32, direction: Direction, fill: &Fill) {
        self.open.push(Position {
            number,
            direction,
            quantity: fill.quantity,
            signed_quantity: signed(fill.quantity, direction),
            entry_change: Decimal::ZERO,
            funding: Decimal::ZERO,
        });
        self.restore_cash(fill);
    }

    /// Leaves a position as the ledger says.
    pub(super) fn restore_exit(&mut self, number: u32, fill: &Fill) {
        self.open.retain(|held| held.number != number);
        self.restore_cash(fill);
    }

    /// Closes a part of a position as the ledger says: what is left of it, and the funding that was settled.
    pub(super) fn restore_part(
        &mut self,
        number: u32,
        rest: Decimal,
        funding: Decimal,
        fill: &Fill,
    ) {
        if let Some(held) = self.open.iter_mut().find(|held| held.number == number) {
            held.quantity = rest;
            held.signed_quantity = signed(rest, held.direction);
            held.funding -= funding;
        }
        self.restore_cash(fill);
    }

    fn restore_cash(&mut self, fill: &Fill) {
        self.cash = fill.cash_after;
        self.refresh();
    }

    /// Accrues funding on all that is held at `price`: longs pay `rate` of their worth, shorts receive it.
    pub(crate) fn accrue(&mut self, price: f64, rate: Decimal) -> Result<(), SimulationError> {
        let error = || overflow("funding");
        let price = exact::written(price).ok_or_else(error)?;
        for position in &mut self.open {
            let worth = exact::multiply(price, position.quantity).ok_or_else(error)?;
            let paid = exact::multiply(worth, rate).ok_or_else(error)?;
            let change = match position.direction {
                Direction::Long => -paid,
                Direction::Short => paid,
            };
            position.funding = exact::add(position.funding, change).ok_or_else(error)?;
        }
        self.refresh();
        Ok(())
    }

    /// Cash, accrued funding and worth at `close`.
    pub(crate) fn equity(&self, close: f64) -> f64 {
        self.open.iter().fold(self.cash_real, |equity, held| equity + held.signed_quantity * close)
    }

    /// Cash and accrued funding as a real number: equity without the worth of what is held.
    pub(crate) fn cash_real(&self) -> f64 {
        self.cash_real
    }

    /// What is held at `close`, longs and shorts added.
    pub(crate) fn exposure(&self, close: f64) -> f64 {
        let worth = self.open.iter().map(|held| held.signed_quantity.abs() * close);
        // A sum of nothing would be -0.
        worth.fold(0.0, |exposure, worth| exposure + worth)
    }

    /// Cash and what is held at `close`, exactly.
    pub(crate) fn balance(&self, close: f64) -> Result<Decimal, SimulationError> {
        if self.open.is_empty() {
            return Ok(self.cash);
        }
        let (worth, _) = self.worth(close)?;
        exact::add(self.cash, worth).ok_or_else(|| overflow("the balance"))
    }

    /// All funding so far, settled or not: received above 0, paid below.
    pub(crate) fn funding(&self) -> Decimal {
        let accrued: Decimal = self.open.iter().map(|held| held.funding).sum();
        (self.settled_funding + accrued).normalize()
    }

    /// What there is to spend when all that is held is worth `price` a unit.
    pub(crate) fn funds(&self, price: f64) -> Result<Funds, SimulationError> {
        if self.open.is_empty() {
            return Ok(Funds { equity: self.cash, exposure: Decimal::ZERO });
        }
        let (worth, exposure) = self.worth(price)?;
        let equity = exact::add(self.cash, worth).ok_or_else(|| overflow("the free margin"))?;
        Ok(Funds { equity, exposure })
    }

    /// Of all that is held at `price`: signed worth with the accrued funding, and size regardless of direction.
    fn worth(&self, price: f64) -> Result<(Decimal, Decimal), SimulationError> {
        let error = || overflow("the position's worth");
        let price = exact::written(price).ok_or_else(error)?;
        let mut totals = (Decimal::ZERO, Decimal::ZERO);
        for held in &self.open {
            let size = exact::multiply(price, held.quantity).ok_or_else(error)?;
            let worth = match held.direction {
                Direction::Long => size,
                Direction::Short => -size,
            };
            let with_funding = exact::add(worth, held.funding).ok_or_else(error)?;
            totals.0 = exact::add(totals.0, with_funding).ok_or_else(error)?;
            totals.1 = exact::add(totals.1, size).ok_or_else(error)?;
        }
        Ok(totals)
    }

    /// The position of that trade.
    pub(crate) fn position(&self, number: u32) -> Option<&Position> {
        self.open.get(self.index(number)?)
    }

    fn index(&self, number: u32) -> Option<usize> {
        self.open.iter().position(|held| held.number == number)
    }

    fn next_number(&self) -> Result<u32, SimulationError> {
        u32::try_from(self.trades.len() + 1).map_err(|_| overflow("the ledger"))
    }

    /// Pays what a position accrued, and what is missing when nothing is held any more; returns what was missing.
    fn settle(&mut self, funding: Decimal, fill: &mut Fill) -> Result<Decimal, SimulationError> {
        if !funding.is_zero() {
            let settled = exact::add(self.settled_funding, funding);
            self.settled_funding = settled.ok_or_else(|| overflow("funding"))?;
            self.cash = exact::add(self.cash, funding).ok_or_else(|| overflow("cash"))?;
        }
        let mut shortfall = Decimal::ZERO;
        if self.open.is_empty() && self.cash.is_sign_negative() && !self.cash.is_zero() {
            shortfall = -self.cash;
            self.shortfall += shortfall;
            self.cash = Decimal::ZERO;
        }
        fill.cash_after = self.cash;
        self.refresh();
        Ok(shortfall)
    }

    fn fill(
        &mut self,
        execution: Execution,
        side: Side,
        quantity: Decimal,
        costs: &Costs,
    ) -> Result<(Fill, Decimal), SimulationError> {
        let Execution { time, price, liquidity, reason, place: _ } = execution;
        let notional =
            exact::multiply(price, quantity).ok_or_else(|| overflow("a fill's notional"))?;
        let fee = costs.fee(notional, liquidity)?;
        let change = match side {
            Side::Buy => exact::add(-notional, -fee),
            Side::Sell => exact::add(notional, -fee),
        };
        let change = change.ok_or_else(|| overflow("a fill"))?;
        self.cash = exact::add(self.cash, change).ok_or_else(|| overflow("cash"))?;
        self.refresh();
        Ok((Fill { time, side, price, quantity, fee, cash_after: self.cash, reason }, change))
    }

    /// Cash changed: so did its real number.
    fn refresh(&mut self) {
        let mut cash = self.cash;
        for held in self.open.iter().filter(|held| !held.funding.is_zero()) {
            cash += held.funding;
        }
        self.cash_real = exact::to_f64(cash);
    }
}

/// Trades are numbered from 1 in their order.
fn trade_mut(trades: &mut [Trade], number: u32) -> Option<&mut Trade> {
    trades.get_mut((number as usize).checked_sub(1)?)
}

fn signed(quantity: Decimal, direction: Direction) -> f64 {
    let size = exact::to_f64(quantity);
    match direction {
        Direction::Long => size,
        Direction::Short => -size,
    }
}
