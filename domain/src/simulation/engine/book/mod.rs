//! The order book of our own conventions: open trades with their stops and targets, and resting entries.

mod envelope;
mod open_trade;

use rust_decimal::Decimal;

use self::{
    envelope::Envelope,
    open_trade::{Examined, OpenTrade, PendingExit, Trail, portion_of},
};
use super::{
    Engine,
    entries::{Entry, EntryKind},
    fills::{AdmittedEntry, FillContext, Reason},
    finalize::{Holdings, needs_preset},
    general::OrderModel,
    levels::{self, CandlePrices},
};
use crate::simulation::{
    SimulationError,
    portfolio::sizing::{Offer, Refusal},
    rules::{PositionMode, Sizing},
    settings::Intrabar,
    trade::Direction,
};

/// What is held, and what waits to be.
#[derive(Debug)]
pub(super) struct Book {
    /// In order of entry.
    trades: Vec<OpenTrade>,
    entries: Vec<Entry>,
    /// Around no trade: it has all room, but where each trade is to be looked at on each candle.
    nothing: Envelope,
    envelope: Envelope,
    longs_count: usize,
    shorts_count: usize,
    /// Some trade is left at the next candle.
    is_leaving: bool,
    /// Some trade has been closed and is still among them.
    has_closed: bool,
}

/// How much an entry opens, and what says so.
struct Sized {
    offer: Offer,
    quantity: Result<Decimal, Refusal>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            trades: Vec::new(),
            entries: Vec::new(),
            nothing: Envelope::NOTHING,
            envelope: Envelope::NOTHING,
            longs_count: 0,
            shorts_count: 0,
            is_leaving: false,
            has_closed: false,
        }
    }
}

impl OrderModel for Book {
    fn is_idle(&self) -> bool {
        self.trades.is_empty() && self.entries.is_empty()
    }

    fn count(&self, direction: Direction) -> usize {
        match direction {
            Direction::Long => self.longs_count,
            Direction::Short => self.shorts_count,
        }
    }

    fn enter(&mut self, engine: &Engine<'_>, entry: Entry) {
        let mode = engine.input.strategy.config.position_mode;
        self.entries.retain(|waiting| {
            mode == PositionMode::Hedging && waiting.direction != entry.direction
        });
        self.entries.push(entry);
    }

    fn leave(&mut self, direction: Direction, portion: Option<Decimal>, reason: Reason) {
        for trade in self.trades.iter_mut().filter(|trade| trade.direction == direction) {
            trade.pending_exit = Some(PendingExit { portion, reason });
            self.is_leaving = true;
        }
    }

    /// Pending exits, pending entries, stops and targets, resting entries.
    fn examine(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<(), SimulationError> {
        if std::mem::take(&mut self.is_leaving) {
            for position in 0..self.trades.len() {
                if let Some(exit) = self.trades[position].pending_exit.take() {
                    self.leave_at_market(engine, position, exit, index)?;
                }
            }
            self.forget_closed();
        }
        // A ruined run enters nothing.
        let mut place = 0;
        while let Some(entry) = self.entries.get(place).copied().filter(|_| !engine.is_ruined) {
            if entry.kind != EntryKind::Market {
                place += 1;
                continue;
            }
            self.entries.remove(place);
            let context = engine.market_entry(entry.direction, entry.reason, index);
            self.fill(engine, &entry, &context)?;
        }
        if self.envelope.is_reached(CandlePrices::of(engine.input.candles, index)) {
            for position in 0..self.trades.len() {
                if self.trades[position].from <= index {
                    self.examine_barriers(engine, position, index)?;
                }
            }
            self.forget_closed();
            self.envelope = self.nothing.around(&self.trades);
        }
        let mut place = 0;
        while let Some(entry) = self.entries.get_mut(place).filter(|_| !engine.is_ruined) {
            let Some(context) = entry.examine(engine.input.candles, index) else {
                place += 1;
                continue;
            };
            let entry = self.entries.remove(place);
            self.fill(engine, &entry, &context)?;
        }
        self.forget_closed();
        Ok(())
    }

    fn lapse(&mut self, engine: &mut Engine<'_>, index: usize) {
        self.entries.retain(|entry| {
            let is_valid = entry.valid_to > index;
            if !is_valid {
                engine.expire(entry.direction, entry.kind, index);
            }
            is_valid
        });
    }

    fn manage(&mut self, engine: &Engine<'_>, index: usize) -> Result<(), SimulationError> {
        let close = engine.input.candles.close[index];
        let trailing = engine.input.strategy.config.trailing_stop;
        let mut has_moved = false;
        for direction in [Direction::Long, Direction::Short] {
            if self.count(direction) == 0 {
                continue;
            }
            let mut trail = Trail::of(trailing, close, direction, engine.rules.range(index));
            let is_passed = self.envelope.is_passed(direction, close);
            if !is_passed
                && !trail.may_tighten(|level| self.envelope.is_tightened_by(direction, level))
            {
                continue;
            }
            for trade in self.trades.iter_mut().filter(|trade| trade.direction == direction) {
                trade.manage(&mut trail, close)?;
            }
            has_moved = true;
        }
        if has_moved {
            self.envelope = self.nothing.around(&self.trades);
        }
        Ok(())
    }

    fn time_out(&mut self, engine: &Engine<'_>, index: usize) {
        let Some(candles) = engine.input.strategy.config.max_candles else { return };
        // The first one has been held the longest.
        if self.trades.first().is_none_or(|first| index + 1 - first.entered < candles) {
            return;
        }
        for trade in &mut self.trades {
            let is_whole = trade.pending_exit.is_some_and(|exit| exit.portion.is_none());
            if !is_whole && index + 1 - trade.entered >= candles {
                let reason = Reason::Named("time_stop");
                trade.pending_exit = Some(PendingExit { portion: None, reason });
                self.is_leaving = true;
            }
        }
    }
}

impl Holdings for Book {
    fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError> {
        self.entries.clear();
        self.has_closed = true;
        let trades = std::mem::take(&mut self.trades);
        self.forget_closed();
        for trade in trades {
            let fill = engine.close_exit(trade.direction, index, name);
            engine.close(trade.number, fill, false)?;
        }
        Ok(())
    }

    fn examine_last(&mut self, _: &mut Engine<'_>, _: usize) -> Result<(), SimulationError> {
        Err(needs_preset())
    }
}

impl Book {
    /// Looks at each trade on each candle, whether that is needed or not.
    #[cfg(test)]
    pub(super) fn without_envelope() -> Self {
        Self { nothing: Envelope::NO_ROOM, envelope: Envelope::NO_ROOM, ..Self::default() }
    }

    fn forget_closed(&mut self) {
        if !std::mem::take(&mut self.has_closed) {
            return;
        }
        self.trades.retain(|trade| !trade.is_closed);
        let is_long = |trade: &&OpenTrade| trade.direction == Direction::Long;
        self.longs_count = self.trades.iter().filter(is_long).count();
        self.shorts_count = self.trades.len() - self.longs_count;
        if self.trades.is_empty() {
            self.envelope = self.nothing;
        }
    }

    /// Holds one more trade.
    fn hold(&mut self, trade: OpenTrade) {
        self.envelope = self.envelope.with(&trade);
        match trade.direction {
            Direction::Long => self.longs_count += 1,
            Direction::Short => self.shorts_count += 1,
        }
        self.has_closed |= trade.is_closed;
        self.trades.push(trade);
    }

    fn leave_at_market(
        &mut self,
        engine: &mut Engine<'_>,
        position: usize,
        exit: PendingExit,
        index: usize,
    ) -> Result<(), SimulationError> {
        let trade = &mut self.trades[position];
        let fill = engine.market_exit(trade.direction, index, exit.reason);
        let quantity = match exit.portion {
            None => None,
            Some(portion) => Some(portion_of(engine, trade.quantity(engine), portion)?),
        };
        trade.leave(engine, quantity, fill, false)?;
        self.has_closed |= trade.is_closed;
        Ok(())
    }

    fn fill(
        &mut self,
        engine: &mut Engine<'_>,
        entry: &Entry,
        context: &FillContext,
    ) -> Result<(), SimulationError> {
        let Some(admitted) = engine.admit_entry(context)? else { return Ok(()) };
        let mut trade = OpenTrade::new(engine, entry, admitted.booked_price)?;
        let Sized { offer, quantity } = self.size(engine, context, &admitted)?;
        let quantity = engine.admit_quantity(context, &offer, quantity);
        let Some(quantity) = quantity.filter(|quantity| !quantity.is_zero()) else {
            return Ok(());
        };
        trade.number = engine.open(context.direction, quantity, admitted, trade.barriers())?;
        trade.entered = context.index;
        let is_market = entry.kind == EntryKind::Market;
        trade.from = if is_market { context.index } else { context.index + 1 };
        trade.split(engine, quantity, admitted.booked_price)?;
        let candle = CandlePrices::of(engine.input.candles, context.index);
        // A stop entry and its target lie in the same direction: the target came after.
        let is_same_way = matches!(entry.kind, EntryKind::Stop(_)) && !trade.is_stopped(candle);
        if is_same_way {
            trade.take_targets(engine, candle, context.index, false)?;
        }
        self.hold(trade);
        Ok(())
    }

    /// How much is opened, after what the position mode closes.
    fn size(
        &mut self,
        engine: &mut Engine<'_>,
        context: &FillContext,
        admitted: &AdmittedEntry,
    ) -> Result<Sized, SimulationError> {
        let config = &engine.input.strategy.config;
        let booked_price = admitted.booked_price;
        let stop_loss = levels::below(booked_price, config.stop_loss, context.direction)?;
        let offer = |engine: &Engine<'_>| {
            engine.offer(context.price, booked_price, stop_loss, context.liquidity)
        };
        let has_opposite = self.count(context.direction.opposite()) > 0;
        match config.position_mode {
            PositionMode::Exclusive if has_opposite => {
                self.close_opposite(engine, context, None)?;
            }
            PositionMode::Netting if has_opposite => {
                let mut generous = offer(engine)?;
                generous.funds.exposure = Decimal::ZERO;
                let wanted = match generous.wanted_lots(config.sizing, &engine.costs) {
                    Ok(wanted) if wanted.is_zero() => Err(Refusal::TooLittle),
                    wanted => wanted,
                };
                let Ok(wanted) = wanted else {
                    return Ok(Sized { offer: generous, quantity: wanted });
                };
                let rest = self.close_opposite(engine, context, Some(wanted))?;
                let offer = offer(engine)?;
                let quantity =
                    if rest.is_zero() { Ok(rest) } else { rest_of(engine, &offer, rest) };
                return Ok(Sized { offer, quantity });
            }
            PositionMode::Single
            | PositionMode::Exclusive
            | PositionMode::Netting
            | PositionMode::Hedging => {}
        }
        let offer = offer(engine)?;
        Ok(Sized { quantity: offer.quantity(config.sizing, &engine.costs), offer })
    }

    /// Closes the other direction, oldest first, up to `wanted`; what is left of that.
    fn close_opposite(
        &mut self,
        engine: &mut Engine<'_>,
        context: &FillContext,
        wanted: Option<Decimal>,
    ) -> Result<Decimal, SimulationError> {
        let mut left = wanted;
        for trade in self.trades.iter_mut().filter(|trade| trade.direction != context.direction) {
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let fill = engine.opposite_exit(context, trade.direction);
            let quantity = trade.quantity(engine);
            trade.leave(engine, left, fill, false)?;
            self.has_closed |= trade.is_closed;
            left = left.map(|left| (left - quantity).max(Decimal::ZERO));
        }
        self.forget_closed();
        Ok(left.unwrap_or_default())
    }

    /// Stops and targets of one trade against candle `index`, by finer candles where they are needed.
    fn examine_barriers(
        &mut self,
        engine: &mut Engine<'_>,
        position: usize,
        index: usize,
    ) -> Result<(), SimulationError> {
        let trade = &mut self.trades[position];
        let candle = CandlePrices::of(engine.input.candles, index);
        let asks_finer = engine.input.settings.intrabar == Intrabar::LowerTimeframe;
        let fine = engine.input.fine.filter(|_| asks_finer);
        if trade.examine(engine, candle, index, fine.is_some())? != Examined::Undecided {
            self.has_closed |= trade.is_closed;
            return Ok(());
        }
        let mut is_decided = false;
        if let Some(fine) = fine {
            let start = engine.input.candles.open_time[index];
            let end = start + engine.input.timeframe.duration_ms();
            let first = fine.open_time.partition_point(|time| *time < start);
            let finer = fine.open_time[first..].iter().take_while(|time| **time < end).count();
            for row in first..first + finer {
                let examined = trade.examine(engine, CandlePrices::of(fine, row), index, false)?;
                is_decided |= examined == Examined::Filled;
                if trade.is_closed {
                    break;
                }
            }
        }
        if !is_decided {
            trade.examine(engine, candle, index, false)?;
        }
        self.has_closed |= trade.is_closed;
        Ok(())
    }
}

/// What of `rest` can be paid for: all of it or, where the sizing spends what there is, that.
fn rest_of(engine: &Engine<'_>, offer: &Offer, rest: Decimal) -> Result<Decimal, Refusal> {
    let sizing = engine.input.strategy.config.sizing;
    match sizing {
        Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => {
            let affordable = offer.quantity(sizing, &engine.costs)?;
            Ok(affordable.min(rest))
        }
        Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => offer.payable(rest, &engine.costs),
    }
}
