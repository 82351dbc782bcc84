//! Marks a run's own ledger over its pinned candles: equity, drawdown and exposure at each close, and how far each trade
//! went against and with its holder.
//!
//! It reads what stands in the ledger and needs no strategy, so it also serves runs of other engine versions, and runs
//! that failed or are under way. Charts and verification will use it; today the tests alone do, which hold its equity
//! against the engine's, bit by bit.

use super::{Portfolio, costs::Costs, funding::funding_rate};
use crate::{
    ledger::LedgerEvent,
    simulation::{
        Candles, Settings, SimulationError, exact,
        settings::{FillMode, Finalize},
        trade::{Direction, Fill},
    },
};

/// What a ledger amounts to, candle by candle and trade by trade.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marks {
    /// Cash and the worth of what is held at each close, in quote money.
    pub equity: Vec<f64>,
    /// How far equity lies below its peak so far, as a fraction of the peak.
    pub drawdown: Vec<f64>,
    /// Worth of what is held at each close, longs and shorts added, in quote money.
    pub exposure: Vec<f64>,
    /// By number; those that are open are marked up to the last candle.
    pub trades: Vec<TradeMarks>,
}

/// How a trade went while it was held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradeMarks {
    pub number: u32,
    /// From the candle of the entry to the candle of the exit, both included; 0 if `finalize = "open"` stamps the exit before.
    pub candles_held: usize,
    /// How far prices went against it, as a fraction of the entry price, 0 or more. The entry's candle counts if it filled
    /// at its open, the exit's candle up to the exit.
    pub max_adverse: f64,
    /// As `max_adverse`, in its favor.
    pub max_favorable: f64,
}

/// Why a ledger cannot be marked over these candles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    #[error("the ledger does not begin with an opening entry")]
    NotOpened,
    #[error("no candle opened at {0}, the time of a fill in milliseconds")]
    UnknownCandle(i64),
    #[error("trade {0} is not open")]
    UnknownTrade(u32),
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// Marks a ledger at each of `candles`; warm-up candles, and all others before the first fill, are marked at the opening
/// balance. `candles` end where the run ended.
///
/// With `fill = "close"` a market order counts one candle after the one it is stamped on. The ledger does not name the
/// kind of an order, so it is known by its price: a resting order that fills at precisely the price of a market order at
/// that close is taken for one, and its costs count one candle late.
///
/// # Errors
/// [`MarkError`]: a ledger without its opening, fills outside the candles, exits of trades that are not open, numbers
/// beyond exactness.
pub fn mark(
    ledger: &[LedgerEvent],
    candles: &Candles,
    settings: &Settings,
) -> Result<Marks, MarkError> {
    let restart =
        ledger.iter().rposition(|event| matches!(event, LedgerEvent::LedgerRestarted { .. }));
    let ledger = &ledger[restart.map_or(0, |restart| restart + 1)..];
    let Some((LedgerEvent::LedgerOpened { initial_balance, .. }, entries)) = ledger.split_first()
    else {
        return Err(MarkError::NotOpened);
    };
    let pricing = Pricing { candles, settings, costs: Costs::try_new(settings)? };
    let mut bookings = bookings(entries, &pricing)?.into_iter().peekable();
    let mut portfolio = Portfolio::new(*initial_balance);
    let mut open: Vec<OpenMarks> = Vec::new();
    let mut marks = Marks::default();
    let mut peak = portfolio.cash_real();
    for index in 0..candles.len() {
        if !portfolio.open.is_empty() && settings.funding_rate.get() != 0.0 {
            let (from, to) = (candles.open_time[index - 1], candles.open_time[index]);
            portfolio.accrue(candles.open[index], funding_rate(settings, from, to)?)?;
        }
        while let Some(booking) = bookings.next_if(|booking| booking.index <= index) {
            book(&booking, &pricing, &mut portfolio, &mut open, &mut marks.trades)?;
        }
        for trade in open.iter_mut().filter(|trade| trade.from <= index) {
            trade.reach(candles.low[index]);
            trade.reach(candles.high[index]);
        }
        let equity = portfolio.equity(candles.close[index]);
        peak = peak.max(equity);
        marks.equity.push(equity);
        marks.drawdown.push(if peak > 0.0 { 1.0 - equity / peak } else { 0.0 });
        marks.exposure.push(portfolio.exposure(candles.close[index]));
    }
    if let Some(last) = candles.len().checked_sub(1) {
        marks.trades.extend(open.iter().map(|trade| trade.marks(trade.number, last)));
    }
    marks.trades.sort_by_key(|trade| trade.number);
    Ok(marks)
}

/// An entry of the ledger that changes what is held.
#[derive(Debug, Clone, Copy)]
struct Booking<'a> {
    event: &'a LedgerEvent,
    /// The candle on which it is stamped.
    candle: usize,
    /// The candle at whose close it counts for the first time.
    index: usize,
}

/// An open trade and the prices that it saw.
#[derive(Debug, Clone, Copy)]
struct OpenMarks {
    number: u32,
    direction: Direction,
    entry_price: f64,
    /// The candle on which its entry is stamped.
    entered: usize,
    /// The first candle that was held from its open on.
    from: usize,
    lowest: f64,
    highest: f64,
}

impl OpenMarks {
    fn reach(&mut self, price: f64) {
        self.lowest = self.lowest.min(price);
        self.highest = self.highest.max(price);
    }

    fn marks(&self, number: u32, last: usize) -> TradeMarks {
        let below = (self.entry_price - self.lowest) / self.entry_price;
        let above = (self.highest - self.entry_price) / self.entry_price;
        let (max_adverse, max_favorable) = match self.direction {
            Direction::Long => (below, above),
            Direction::Short => (above, below),
        };
        let candles_held = (last + 1).saturating_sub(self.entered);
        TradeMarks { number, candles_held, max_adverse, max_favorable }
    }
}

/// Whether a fill's price is that one as it is booked; engine 1 kept 8 decimals of every price.
fn is_booked(price: f64, fill: &Fill) -> bool {
    [exact::price(price), exact::round_f64(price, exact::SCALE)].contains(&Some(fill.price))
}

/// What is needed to tell at which moment of its candle a fill happened.
struct Pricing<'a> {
    candles: &'a Candles,
    settings: &'a Settings,
    costs: Costs,
}

impl Pricing<'_> {
    fn candle_of(&self, fill: &Fill) -> Result<usize, MarkError> {
        let found = self.candles.open_time.binary_search(&fill.time);
        found.map_err(|_| MarkError::UnknownCandle(fill.time))
    }

    /// Whether a fill belongs to a market order at `price` on `candle`.
    fn is_market(&self, fill: &Fill, direction: Direction, price: f64, candle: usize) -> bool {
        let slipped = self.costs.slipped(
            price,
            fill.side,
            self.candles.low[candle],
            self.candles.high[candle],
        );
        let is_entry = fill.side == direction.entry_side();
        let price = if is_entry {
            self.costs.entry_price(slipped, direction)
        } else {
            self.costs.exit_price(slipped, direction)
        };
        is_booked(price, fill)
    }

    /// Whether an entry filled at the open of `candle`: at market, or as a maker where the candle opened beyond its limit.
    fn is_at_open(&self, fill: &Fill, direction: Direction, candle: usize) -> bool {
        let open = self.candles.open[candle];
        self.is_market(fill, direction, open, candle) || is_booked(open, fill)
    }

    /// Whether a fill happened at its candle's close and counts there.
    fn ends_candle(&self, fill: &Fill) -> bool {
        match fill.reason.as_str() {
            "liquidation" => true,
            "end_of_data" => self.settings.finalize == Finalize::Close,
            _ => false,
        }
    }

    /// The candle at whose close a fill counts for the first time.
    fn counts_from(&self, fill: &Fill, direction: Direction, candle: usize) -> usize {
        let is_next = match fill.reason.as_str() {
            "stop_loss" | "take_profit" | "trailing_stop" | "break_even" => false,
            _ if self.settings.fill == FillMode::NextOpen || self.ends_candle(fill) => false,
            _ => self.is_market(fill, direction, self.candles.close[candle], candle),
        };
        if is_next { candle + 1 } else { candle }
    }
}

fn bookings<'a>(
    entries: &'a [LedgerEvent],
    pricing: &Pricing<'_>,
) -> Result<Vec<Booking<'a>>, MarkError> {
    let mut bookings = Vec::new();
    let mut latest = 0;
    for event in entries {
        let (fill, direction) = match event {
            LedgerEvent::TradeOpened { fill, direction, .. }
            | LedgerEvent::TradeClosed { fill, direction, .. }
            | LedgerEvent::TradeReduced { fill, direction, .. } => (fill, *direction),
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded { .. }
            | LedgerEvent::LedgerRestarted { .. }
            | LedgerEvent::LedgerClosed { .. } => continue,
        };
        let candle = pricing.candle_of(fill)?;
        // The ledger is in the order of booking.
        latest = pricing.counts_from(fill, direction, candle).max(latest);
        bookings.push(Booking { event, candle, index: latest });
    }
    Ok(bookings)
}

/// Changes cash and what is held as the ledger says, and concludes what is closed.
fn book(
    booking: &Booking<'_>,
    pricing: &Pricing<'_>,
    portfolio: &mut Portfolio,
    open: &mut Vec<OpenMarks>,
    closed: &mut Vec<TradeMarks>,
) -> Result<(), MarkError> {
    let Booking { event, candle, index } = *booking;
    match event {
        LedgerEvent::TradeOpened { number, direction, fill, .. } => {
            portfolio.restore_entry(*number, *direction, fill);
            let is_held_from_open = index > candle || pricing.is_at_open(fill, *direction, candle);
            let entry_price = exact::to_f64(fill.price);
            open.push(OpenMarks {
                number: *number,
                direction: *direction,
                entry_price,
                entered: candle,
                from: if is_held_from_open { index } else { index + 1 },
                lowest: entry_price,
                highest: entry_price,
            });
        }
        LedgerEvent::TradeClosed { number, fill, .. } => {
            portfolio.restore_exit(*number, fill);
            let place = open.iter().position(|trade| trade.number == *number);
            let trade = open.remove(place.ok_or(MarkError::UnknownTrade(*number))?);
            closed.push(exit(trade, *number, fill, booking, pricing));
        }
        LedgerEvent::TradeReduced { number, of_number, fill, rest, funding, .. } => {
            portfolio.restore_part(*of_number, rest.quantity, *funding, fill);
            let trade = open.iter().find(|trade| trade.number == *of_number);
            let trade = *trade.ok_or(MarkError::UnknownTrade(*of_number))?;
            closed.push(exit(trade, *number, fill, booking, pricing));
        }
        LedgerEvent::LedgerOpened { .. }
        | LedgerEvent::EquityRecorded { .. }
        | LedgerEvent::LedgerRestarted { .. }
        | LedgerEvent::LedgerClosed { .. } => {}
    }
    Ok(())
}

/// The marks of a trade, or of a part, that is closed by `fill`.
fn exit(
    mut trade: OpenMarks,
    number: u32,
    fill: &Fill,
    booking: &Booking<'_>,
    pricing: &Pricing<'_>,
) -> TradeMarks {
    let Booking { candle, index, .. } = *booking;
    // What fills at a close and counts one candle later has seen its candle already.
    if index == candle && trade.from <= candle {
        let Candles { open, high, low, .. } = pricing.candles;
        trade.reach(open[candle]);
        if pricing.ends_candle(fill) {
            trade.reach(low[candle]);
            trade.reach(high[candle]);
        }
    }
    trade.reach(exact::to_f64(fill.price));
    trade.marks(number, candle)
}
