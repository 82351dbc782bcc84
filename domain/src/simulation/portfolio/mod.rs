//! Cash and positions: every fill changes them by exactly its amounts.

use std::collections::VecDeque;

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
    fill_reason::FillReason,
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
    /// What is held, in order of entry, so by number.
    pub(crate) open: VecDeque<Position>,
    held: Held,
    /// What closing lost beyond all cash: without a position, cash is never below 0.
    pub(crate) shortfall: Decimal,
    /// Funding that was settled so far.
    settled_funding: Decimal,
}

/// The open part of a trade.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Number of its trade.
    pub(crate) number: u32,
    pub(crate) direction: Direction,
    pub(crate) quantity: Decimal,
    /// What its entry did to cash, less what its closed parts took of that.
    entry_change: Decimal,
    /// Accrued and not yet settled.
    funding: Decimal,
}

/// All that is held together: what a candle changes and an entry needs follows from it, however many positions there are.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// Units held long.
    long: Decimal,
    /// Units held short.
    short: Decimal,
    /// Units held long less units held short.
    net: Decimal,
    /// Units held long and units held short.
    gross: Decimal,
    /// Funding that is accrued and not yet settled.
    funding: Decimal,
    net_real: f64,
    gross_real: f64,
}

impl Held {
    /// With that much more, or less where it is below 0.
    fn changed(
        self,
        direction: Direction,
        quantity: Decimal,
        funding: Decimal,
    ) -> Result<Self, SimulationError> {
        let error = || overflow("what is held");
        let sum = |all: Decimal, more: Decimal| match (all.is_zero(), more.is_zero()) {
            (true, _) => Ok(more),
            (_, true) => Ok(all),
            (false, false) => exact::add(all, more).ok_or_else(error),
        };
        let (long, short) = match direction {
            Direction::Long => (sum(self.long, quantity)?, self.short),
            Direction::Short => (self.long, sum(self.short, quantity)?),
        };
        let funding = sum(self.funding, funding)?;
        // What goes one way is its own net.
        let (net, gross) = match (long.is_zero(), short.is_zero()) {
            (_, true) => (long, long),
            (true, false) => (-short, short),
            (false, false) => (sum(long, -short)?, sum(long, short)?),
        };
        let gross_real = exact::to_f64(gross);
        let net_real = match (long.is_zero(), short.is_zero()) {
            (_, true) => gross_real,
            (true, false) => -gross_real,
            (false, false) => exact::to_f64(net),
        };
        Ok(Self { long, short, net, gross, funding, net_real, gross_real })
    }
}

/// A fill about to happen; its price holds slippage and spread.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Epoch milliseconds UTC of the candle.
    pub(crate) time: i64,
    pub(crate) place: FillPlace,
    pub(crate) price: Decimal,
    pub(crate) liquidity: Liquidity,
    pub(crate) reason: FillReason,
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
            open: VecDeque::new(),
            held: Held::default(),
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
        self.held = self.held.changed(direction, quantity, Decimal::ZERO)?;
        self.open.push_back(Position {
            number,
            direction,
            quantity,
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
        let Some(position) = self.open.remove(index) else { return Ok(None) };
        self.release(&position, position.quantity, position.funding)?;
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
        self.release(&position, quantity, funding)?;
        self.open[index] = Position {
            quantity: rest,
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
    pub(super) fn restore_entry(
        &mut self,
        number: u32,
        direction: Direction,
        fill: &Fill,
    ) -> Result<(), SimulationError> {
        self.held = self.held.changed(direction, fill.quantity, Decimal::ZERO)?;
        self.open.push_back(Position {
            number,
            direction,
            quantity: fill.quantity,
            entry_change: Decimal::ZERO,
            funding: Decimal::ZERO,
        });
        self.restore_cash(fill);
        Ok(())
    }

    /// Leaves a position as the ledger says.
    pub(super) fn restore_exit(&mut self, number: u32, fill: &Fill) -> Result<(), SimulationError> {
        if let Some(position) = self.index(number).and_then(|index| self.open.remove(index)) {
            self.release(&position, position.quantity, position.funding)?;
        }
        self.restore_cash(fill);
        Ok(())
    }

    /// Closes a part of a position as the ledger says: what is left of it, and the funding that was settled.
    pub(super) fn restore_part(
        &mut self,
        number: u32,
        rest: Decimal,
        funding: Decimal,
        fill: &Fill,
    ) -> Result<(), SimulationError> {
        if let Some(index) = self.index(number) {
            let position = self.open[index];
            self.release(&position, position.quantity - rest, funding)?;
            let left = position.funding - funding;
            self.open[index] = Position { quantity: rest, funding: left, ..position };
        }
        self.restore_cash(fill);
        Ok(())
    }

    fn restore_cash(&mut self, fill: &Fill) {
        self.cash = fill.cash_after;
        self.refresh();
    }

    /// Accrues funding on all that is held at `price`: longs pay `rate` of their worth, shorts receive it.
    pub(crate) fn accrue(&mut self, price: f64, rate: Decimal) -> Result<(), SimulationError> {
        if rate.is_zero() {
            return Ok(());
        }
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
            self.held.funding = exact::add(self.held.funding, change).ok_or_else(error)?;
        }
        self.refresh();
        Ok(())
    }

    /// Cash, accrued funding and worth at `close`.
    pub(crate) fn equity(&self, close: f64) -> f64 {
        self.cash_real + self.held.net_real * close
    }

    /// Units held long less units held short.
    pub(crate) fn net_quantity(&self) -> f64 {
        self.held.net_real
    }

    /// Cash and accrued funding as a real number: equity without the worth of what is held.
    pub(crate) fn cash_real(&self) -> f64 {
        self.cash_real
    }

    /// What is held at `close`, longs and shorts added.
    pub(crate) fn exposure(&self, close: f64) -> f64 {
        self.held.gross_real * close
    }

    /// Cash and what is held at `close`, exactly: each position as it would be booked.
    pub(crate) fn balance(&self, close: f64) -> Result<Decimal, SimulationError> {
        if self.open.is_empty() {
            return Ok(self.cash);
        }
        let error = || overflow("the position's worth");
        let price = exact::written(close).ok_or_else(error)?;
        self.open.iter().try_fold(self.cash, |balance, position| {
            let size = exact::multiply(price, position.quantity).ok_or_else(error)?;
            let worth = match position.direction {
                Direction::Long => size,
                Direction::Short => -size,
            };
            let worth = exact::add(worth, position.funding).ok_or_else(error)?;
            exact::add(balance, worth).ok_or_else(|| overflow("the balance"))
        })
    }

    /// All funding so far, settled or not: received above 0, paid below.
    pub(crate) fn funding(&self) -> Decimal {
        (self.settled_funding + self.held.funding).normalize()
    }

    /// What there is to spend when all that is held is worth `price` a unit, rounded once.
    pub(crate) fn funds(&self, price: f64) -> Result<Funds, SimulationError> {
        if self.open.is_empty() {
            return Ok(Funds { equity: self.cash, exposure: Decimal::ZERO });
        }
        let error = || overflow("the position's worth");
        let price = exact::written(price).ok_or_else(error)?;
        let worth = exact::multiply(price, self.held.net).ok_or_else(error)?;
        let exposure = exact::multiply(price, self.held.gross).ok_or_else(error)?;
        let worth = exact::add(worth, self.held.funding).ok_or_else(error)?;
        let equity = exact::add(self.cash, worth).ok_or_else(|| overflow("the free margin"))?;
        Ok(Funds { equity, exposure })
    }

    /// The position of that trade.
    pub(crate) fn position(&self, number: u32) -> Option<&Position> {
        self.open.get(self.index(number)?)
    }

    fn index(&self, number: u32) -> Option<usize> {
        self.open.binary_search_by_key(&number, |position| position.number).ok()
    }

    /// Forgets that much of what is held together.
    fn release(
        &mut self,
        position: &Position,
        quantity: Decimal,
        funding: Decimal,
    ) -> Result<(), SimulationError> {
        self.held = match self.open.is_empty() {
            true => Held::default(),
            false => self.held.changed(position.direction, -quantity, -funding)?,
        };
        Ok(())
    }

    fn next_number(&self) -> Result<u32, SimulationError> {
        u32::try_from(self.trades.len() + 1).map_err(|_| overflow("the ledger"))
    }

    /// Pays what a position accrued, and what is missing when nothing is held any more; returns what was missing.
    fn settle(&mut self, funding: Decimal, fill: &mut Fill) -> Result<Decimal, SimulationError> {
        let is_short = self.open.is_empty() && self.cash.is_sign_negative();
        if funding.is_zero() && !is_short {
            // The fill has marked cash already.
            return Ok(Decimal::ZERO);
        }
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
        let funding = self.held.funding;
        let cash = if funding.is_zero() { self.cash } else { self.cash + funding };
        self.cash_real = exact::to_f64(cash);
    }
}

/// Trades are numbered from 1 in their order.
fn trade_mut(trades: &mut [Trade], number: u32) -> Option<&mut Trade> {
    trades.get_mut((number as usize).checked_sub(1)?)
}
