//! The state of a run, and what every walk over the candles does to it: fills, marks, progress.

mod backtesting_py;
mod book;
mod conclusion;
mod fast_path;
mod general;
mod levels;
mod orders;
mod row_summary;

pub(crate) use row_summary::Scratch;

#[cfg(test)]
pub(crate) use general::{Action, Plan};

use rust_decimal::Decimal;

use super::{
    Input, Observer, SimulationError, Step,
    error::overflow,
    exact,
    metrics::LargestFall,
    outcome::Rejection,
    portfolio::{
        Execution, Portfolio,
        costs::{Costs, Liquidity},
        sizing::Offer,
    },
    rules::{EntryOrder, PositionMode, signals::RuleSignals},
    settings::{FillMode, Intrabar, Preset},
    trade::{Direction, Side},
};

/// Progress is told, and the observer asked, at least once in so many candles.
const PROGRESS_CANDLES: usize = 4_096;

/// No more rejections than these are kept; the others are counted.
const REJECTIONS_KEPT: usize = 1_000;

/// The state of a run.
pub(crate) struct Engine<'a> {
    input: Input<'a>,
    rules: &'a RuleSignals<'a>,
    costs: Costs,
    lot: Decimal,
    leverage: Decimal,
    /// Fraction of what is held that equity must exceed.
    maintenance: f64,
    tie: Tie,
    observer: &'a mut dyn Observer,
    portfolio: Portfolio,
    /// Of the candles of the range that have been walked.
    equity: Vec<f64>,
    rejections: Vec<Rejection>,
    rejections_count: usize,
    liquidations_count: usize,
    /// Followed while equity is marked, where nothing else of the curve is asked for.
    fall: Option<LargestFall>,
    /// There is nothing left to trade with.
    is_ruined: bool,
    /// The first candle that has not been marked.
    next: usize,
    /// Where progress was last told.
    told: usize,
    /// Up to where the prices of coming fills were looked at.
    looked_ahead: usize,
}

/// What comes first where one candle touches both and no finer one tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    StopFirst,
    TargetFirst,
}

impl Tie {
    /// What the settings say.
    pub(crate) const fn of(intrabar: Intrabar) -> Self {
        match intrabar {
            Intrabar::StopFirst | Intrabar::LowerTimeframe => Self::StopFirst,
            Intrabar::TargetFirst => Self::TargetFirst,
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::StopFirst => Self::TargetFirst,
            Self::TargetFirst => Self::StopFirst,
        }
    }
}

/// Why a fill happens; its text is made when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The entry rule of a direction, as it held on a candle.
    Entry(Direction, usize),
    /// The exit rule of a direction, as it held on a candle.
    Exit(Direction, usize),
    /// The partial exit, as it held on a candle.
    PartialExit(usize),
    Named(&'static str),
}

/// A fill before it is booked: price with slippage and spread, time of its candle.
#[derive(Debug, Clone, Copy)]
struct Deal {
    price: f64,
    time: i64,
    liquidity: Liquidity,
    reason: Reason,
}

impl<'a> Engine<'a> {
    /// At the first candle of the range, with nothing but cash.
    pub(crate) fn try_new(
        input: Input<'a>,
        rules: &'a RuleSignals<'a>,
        observer: &'a mut dyn Observer,
        tie: Tie,
    ) -> Result<Self, SimulationError> {
        let settings = input.settings;
        let leverage =
            exact::decimal(settings.leverage.get()).ok_or_else(|| overflow("leverage"))?;
        Ok(Self {
            input,
            rules,
            costs: Costs::try_new(settings)?,
            lot: settings.lot.unwrap_or(input.lot),
            leverage,
            maintenance: settings.maintenance(),
            tie,
            observer,
            portfolio: Portfolio::new(input.initial_balance),
            equity: Vec::with_capacity(input.candles.len() - input.range_start),
            rejections: Vec::new(),
            rejections_count: 0,
            liquidations_count: 0,
            fall: None,
            is_ruined: false,
            next: input.range_start,
            told: input.range_start,
            looked_ahead: input.range_start,
        })
    }

    /// Walks to the end and finalizes.
    pub(crate) fn walk(&mut self, first_evaluated: usize) -> Result<(), SimulationError> {
        self.mark_cash(first_evaluated)?;
        if is_plain(&self.input) {
            self.leap()?
        } else {
            general::by_rules(self)?
        }
        self.tell()
    }

    /// Walks candle by candle, whether that is needed or not.
    #[cfg(test)]
    pub(crate) fn walk_slowly(&mut self, first_evaluated: usize) -> Result<(), SimulationError> {
        self.mark_cash(first_evaluated)?;
        general::by_rules(self)?;
        self.tell()
    }

    /// Walks by orders instead of rules, from the second candle on.
    #[cfg(test)]
    pub(crate) fn walk_plan(&mut self, plan: &Plan) -> Result<(), SimulationError> {
        self.mark_cash(self.input.range_start + 1)?;
        general::by_plan(self, plan)?;
        self.tell()
    }

    /// Enters; the number of the trade.
    fn open(
        &mut self,
        direction: Direction,
        quantity: Decimal,
        deal: Deal,
    ) -> Result<u32, SimulationError> {
        let execution = self.execution(deal)?;
        let trade = self.portfolio.open(execution, direction, quantity, &self.costs)?;
        let number = trade.number;
        tell(self.observer, Step::Opened(trade))?;
        Ok(number)
    }

    /// Leaves a trade as a whole.
    fn close(
        &mut self,
        number: u32,
        deal: Deal,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let execution = self.execution(deal)?;
        if let Some(trade) = self.portfolio.close(number, execution, is_ambiguous, &self.costs)? {
            tell(self.observer, Step::Closed(trade))?;
        }
        self.is_ruined |= self.portfolio.open.is_empty() && self.portfolio.cash <= Decimal::ZERO;
        Ok(())
    }

    /// Closes a part of a trade.
    fn reduce(
        &mut self,
        number: u32,
        quantity: Decimal,
        deal: Deal,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let execution = self.execution(deal)?;
        let reduced =
            self.portfolio.reduce(number, quantity, execution, is_ambiguous, &self.costs)?;
        if let Some((part, rest)) = reduced {
            let trades = &self.portfolio.trades;
            tell(self.observer, Step::Reduced { part: &trades[part], rest: &trades[rest] })?;
        }
        Ok(())
    }

    /// Whether a part brings what leaving with it costs; one that does not is rejected.
    fn is_worth_its_fee(
        &mut self,
        direction: Direction,
        quantity: Decimal,
        deal: &Deal,
    ) -> Result<bool, SimulationError> {
        if direction.exit_side() == Side::Buy {
            return Ok(true);
        }
        let price = exact::round_f64(deal.price).ok_or_else(|| overflow("a price"))?;
        let notional = exact::multiply(price, quantity);
        let notional = notional.ok_or_else(|| overflow("a fill's notional"))?;
        let fee = self.costs.fee(notional, deal.liquidity)?;
        if fee > notional {
            let reason = format!("a part brings {notional}, and its fee is {fee}");
            self.reject_at(deal.time, reason);
        }
        Ok(fee <= notional)
    }

    fn execution(&self, deal: Deal) -> Result<Execution, SimulationError> {
        let price = exact::round_f64(deal.price).ok_or_else(|| overflow("a price"))?;
        let reason = match deal.reason {
            Reason::Entry(direction, index) => self.rules.entry_reason(direction, index),
            Reason::Exit(direction, index) => self.rules.exit_reason(direction, index),
            Reason::PartialExit(index) => self.rules.partial_exit_reason(index),
            Reason::Named(name) => name.to_owned(),
        };
        Ok(Execution { time: deal.time, price, liquidity: deal.liquidity, reason })
    }

    /// What an entry at `booked_price` is sized by; what is held is worth `price` a unit.
    fn offer(
        &self,
        price: f64,
        booked_price: Decimal,
        stop_loss: Option<f64>,
        liquidity: Liquidity,
    ) -> Result<Offer, SimulationError> {
        let funds = self.portfolio.funds(price, self.leverage)?;
        let (leverage, lot) = (self.leverage, self.lot);
        Ok(Offer { booked_price, stop_loss, funds, leverage, lot, liquidity })
    }

    /// Price and candle of a market order that is examined on candle `index`, before any costs.
    fn market(&self, index: usize) -> (f64, usize) {
        let candles = self.input.candles;
        match self.input.settings.fill {
            FillMode::NextOpen => (candles.open[index], index),
            FillMode::Close => (candles.close[index - 1], index - 1),
        }
    }

    /// `price` on candle `index` with all that entering at market or by a stop costs.
    fn entry_price(&self, price: f64, direction: Direction, index: usize) -> f64 {
        let slipped = self.slipped(price, direction.entry_side(), index);
        self.costs.entry_price(slipped, direction)
    }

    /// `price` on candle `index` with all that leaving at market or by a stop costs.
    fn exit_price(&self, price: f64, direction: Direction, index: usize) -> f64 {
        let slipped = self.slipped(price, direction.exit_side(), index);
        self.costs.exit_price(slipped, direction)
    }

    /// `price` with the slippage that the range of candle `index` asks for; most runs ask for none, and two columns
    /// are not looked at.
    fn slipped(&self, price: f64, side: Side, index: usize) -> f64 {
        if !self.costs.asks_for_ranges() {
            return price;
        }
        let (low, high) = (self.input.candles.low[index], self.input.candles.high[index]);
        self.costs.slipped(price, side, low, high)
    }

    /// Leaving at `price`, at market or by a stop, on candle `index`.
    fn exit_deal(&self, price: f64, direction: Direction, index: usize, reason: Reason) -> Deal {
        let price = self.exit_price(price, direction, index);
        let time = self.input.candles.open_time[index];
        Deal { price, time, liquidity: Liquidity::Taker, reason }
    }

    fn is_preset(&self) -> bool {
        self.input.settings.preset == Preset::BacktestingPy
    }

    fn reject(&mut self, index: usize, reason: String) {
        self.reject_at(self.input.candles.open_time[index], reason);
    }

    fn reject_at(&mut self, time: i64, reason: String) {
        self.rejections_count += 1;
        if self.rejections.len() < REJECTIONS_KEPT {
            self.rejections.push(Rejection { time, reason });
        }
    }

    /// Marks cash as the equity of every candle before `end` that is not marked yet.
    fn mark_cash(&mut self, end: usize) -> Result<(), SimulationError> {
        let cash = exact::to_f64(self.portfolio.cash);
        while self.next < end {
            self.next = end.min(self.next + PROGRESS_CANDLES);
            self.equity.resize(self.next - self.input.range_start, cash);
            self.follow_fall();
            self.progress()?;
        }
        Ok(())
    }

    /// While what was marked is still at hand.
    fn follow_fall(&mut self) {
        if let Some(fall) = &mut self.fall {
            fall.follow(&self.equity);
        }
    }

    /// Forgets the mark of the last candle, to make it anew.
    fn unmark_last(&mut self) -> usize {
        let last = self.input.candles.len() - 1;
        self.equity.truncate(last - self.input.range_start);
        self.next = last;
        last
    }

    fn progress(&mut self) -> Result<(), SimulationError> {
        if self.next < self.told + PROGRESS_CANDLES { Ok(()) } else { self.tell() }
    }

    fn tell(&mut self) -> Result<(), SimulationError> {
        self.told = self.next;
        let total = self.input.candles.len() - self.input.range_start;
        let done = self.next - self.input.range_start;
        let equity = self.equity.last().copied().unwrap_or_default();
        tell(self.observer, Step::Progress { done, total, equity })
    }
}

/// Whether one trade at a time, entered at market and left by rule or at fixed levels, is all there is.
fn is_plain(input: &Input<'_>) -> bool {
    let config = &input.strategy.config;
    let settings = input.settings;
    settings.preset == Preset::Backtrail
        && settings.leverage.get() == 1.0
        && settings.maintenance() == 0.0
        && settings.funding_rate.get() == 0.0
        && (settings.intrabar != Intrabar::LowerTimeframe || input.fine.is_none())
        && input.strategy.partial_exit.is_none()
        && config.entry_order == EntryOrder::Market
        && config.trailing_stop.is_none()
        && config.break_even.is_none()
        && config.max_candles.is_none()
        && config.partial_take_profits.is_empty()
        && config.max_entries == 1
        && config.position_mode == PositionMode::Single
}

fn tell(observer: &mut dyn Observer, step: Step<'_>) -> Result<(), SimulationError> {
    if observer.observe(step).is_break() { Err(SimulationError::Stopped) } else { Ok(()) }
}
