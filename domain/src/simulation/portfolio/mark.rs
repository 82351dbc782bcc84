//! Marks a run's own ledger over its pinned candles: equity, drawdown and exposure at each close, and how far each trade
//! went against and with its holder.
//!
//! It reads what stands in the ledger and needs no strategy, so it also serves runs of other engine versions, and runs
//! that failed or are under way. Charts and verification will use it; today only its exposure is shown, day by day, and
//! the tests hold its equity against the engine's, bit by bit.

use super::{Portfolio, costs::Costs, funding::funding_rate};
use crate::{
    ledger::{ClosedTrade, LedgerEvent},
    simulation::{
        Candles, Settings, SimulationError, exact,
        excursion::{Excursion, Held},
        settings::{FillMode, Finalize},
        trade::{Direction, Fill, FillPlace, Moment},
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
    pub excursion: Excursion,
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
    let Some((LedgerEvent::LedgerOpened { opening_cash, .. }, entries)) = ledger.split_first()
    else {
        return Err(MarkError::NotOpened);
    };
    let pricing = Pricing::try_new(candles, settings)?;
    let mut bookings = bookings(entries, &pricing)?.into_iter().peekable();
    let mut portfolio = Portfolio::new(*opening_cash);
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
        let equity = portfolio.equity(candles.close[index]);
        peak = peak.max(equity);
        marks.equity.push(equity);
        marks.drawdown.push(if peak > 0.0 { 1.0 - equity / peak } else { 0.0 });
        marks.exposure.push(portfolio.exposure(candles.close[index]));
    }
    marks.trades.extend(open.iter().map(|trade| trade.marks(trade.number, None, candles)));
    marks.trades.sort_by_key(|trade| trade.number);
    Ok(marks)
}

/// An entry of the ledger that changes what is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booking<'a> {
    event: &'a LedgerEvent,
    /// The candle on which it is stamped.
    candle: usize,
    /// The candle at whose close it counts for the first time.
    pub(super) index: usize,
}

/// An open trade.
#[derive(Debug, Clone, Copy)]
struct OpenMarks {
    number: u32,
    held: Held,
}

impl OpenMarks {
    /// The marks of the trade, or of a part with that number, left at that price and place.
    fn marks(&self, number: u32, exit: Option<(f64, FillPlace)>, candles: &Candles) -> TradeMarks {
        TradeMarks { number, excursion: self.held.excursion(exit, candles) }
    }
}

/// Whether a fill's price is that one as it is booked; engine 1 kept 8 decimals of every price.
fn is_booked(price: f64, fill: &Fill) -> bool {
    [exact::price(price), exact::round_f64(price, exact::SCALE)].contains(&Some(fill.price))
}

/// What is needed to tell at which moment of its candle a fill happened.
pub(super) struct Pricing<'a> {
    pub(super) candles: &'a Candles,
    settings: &'a Settings,
    costs: Costs,
}

impl<'a> Pricing<'a> {
    pub(super) fn try_new(
        candles: &'a Candles,
        settings: &'a Settings,
    ) -> Result<Self, SimulationError> {
        Ok(Self { candles, settings, costs: Costs::try_new(settings)? })
    }

    /// Where an entry is booked, `latest` being where the one before it was: the ledger is in the order of booking. `None`
    /// if it changes nothing that is held.
    pub(super) fn booking<'e>(
        &self,
        event: &'e LedgerEvent,
        latest: usize,
    ) -> Result<Option<Booking<'e>>, MarkError> {
        let (fill, direction) = match event {
            LedgerEvent::TradeOpened { fill, direction, .. } => (fill, *direction),
            LedgerEvent::TradeClosed(closed) | LedgerEvent::TradeReduced { part: closed, .. } => {
                (&closed.fill, closed.direction)
            }
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerRestarted { .. }
            | LedgerEvent::LedgerClosed { .. } => return Ok(None),
        };
        let candle = self.candle_of(fill)?;
        let index = self.counts_from(fill, direction, candle).max(latest);
        Ok(Some(Booking { event, candle, index }))
    }

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
    let mut bookings: Vec<Booking<'a>> = Vec::new();
    for event in entries {
        let latest = bookings.last().map_or(0, |booking| booking.index);
        bookings.extend(pricing.booking(event, latest)?);
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
            portfolio.restore_entry(*number, *direction, fill)?;
            let moment = match index > candle {
                true => Moment::Close,
                false if pricing.is_at_open(fill, *direction, candle) => Moment::Open,
                false => Moment::Within,
            };
            let (entry_price, entered) = (exact::to_f64(fill.price), FillPlace { candle, moment });
            let held = Held { direction: *direction, entry_price, entered };
            open.push(OpenMarks { number: *number, held });
        }
        LedgerEvent::TradeClosed(ClosedTrade { number, fill, .. }) => {
            portfolio.restore_exit(*number, fill)?;
            let place = open.iter().position(|trade| trade.number == *number);
            let trade = open.remove(place.ok_or(MarkError::UnknownTrade(*number))?);
            let exit = exit(fill, booking, pricing);
            closed.push(trade.marks(*number, Some(exit), pricing.candles));
        }
        LedgerEvent::TradeReduced { part, of_number, rest } => {
            portfolio.restore_part(*of_number, rest.quantity, part.funding, &part.fill)?;
            let trade = open.iter().find(|trade| trade.number == *of_number);
            let trade = *trade.ok_or(MarkError::UnknownTrade(*of_number))?;
            let exit = exit(&part.fill, booking, pricing);
            closed.push(trade.marks(part.number, Some(exit), pricing.candles));
        }
        LedgerEvent::LedgerOpened { .. }
        | LedgerEvent::EquityRecorded(_)
        | LedgerEvent::LedgerRestarted { .. }
        | LedgerEvent::LedgerClosed { .. } => {}
    }
    Ok(())
}

/// Price and place of an exit. What fills at a close and counts one candle later has seen its candle, too.
fn exit(fill: &Fill, booking: &Booking<'_>, pricing: &Pricing<'_>) -> (f64, FillPlace) {
    let Booking { candle, index, .. } = *booking;
    let is_at_close = index > candle || pricing.ends_candle(fill);
    let moment = if is_at_close { Moment::Close } else { Moment::Within };
    (exact::to_f64(fill.price), FillPlace { candle, moment })
}
