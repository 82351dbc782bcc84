//! Fills: what an order costs or yields at its price, whether it can be traded, and how the portfolio books it.

use rust_decimal::Decimal;

use super::{
    Engine,
    entries::EntryKind,
    levels::{self, CandlePrices},
    progress::tell,
};
use crate::simulation::{
    SimulationError, Step,
    error::overflow,
    exact,
    fill_reason::FillReason,
    outcome::{OrderKind, UnfilledOrder},
    portfolio::{
        Execution,
        costs::Liquidity,
        sizing::{Offer, Refusal},
    },
    rules::EntryOrder,
    settings::FillMode,
    trade::{Barriers, Direction, FillPlace, Moment, Side},
};

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

/// An entry order that met its price: what belongs together until it is booked.
#[derive(Debug, Clone, Copy)]
pub(super) struct FillContext {
    /// The direction that it enters.
    pub(super) direction: Direction,
    pub(super) reason: Reason,
    /// Before slippage and spread, which a maker does not pay.
    pub(super) price: f64,
    pub(super) liquidity: Liquidity,
    /// The candle on which it is stamped.
    pub(super) candle: usize,
    /// The candle that is examined.
    pub(super) index: usize,
}

impl FillContext {
    /// When it fills if it is a market order: one that is stamped on the candle before fills at its close.
    const fn market_moment(&self) -> Moment {
        if self.candle < self.index { Moment::Close } else { Moment::Within }
    }
}

/// A fill before it is booked: price with slippage and spread, place and time of its candle.
#[derive(Debug, Clone, Copy)]
pub(super) struct PricedFill {
    pub(super) price: f64,
    pub(super) place: FillPlace,
    pub(super) time: i64,
    pub(super) liquidity: Liquidity,
    pub(super) reason: Reason,
}

/// An entry whose price can be traded.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdmittedEntry {
    pub(super) fill: PricedFill,
    /// The fill's price as the ledger holds it, above 0.
    pub(super) booked_price: Decimal,
}

impl Engine<'_> {
    /// Price and candle of a market order that is examined on candle `index`, before any costs.
    pub(super) fn market(&self, index: usize) -> (f64, usize) {
        let candles = self.input.candles;
        match self.input.settings.fill {
            FillMode::NextOpen => (candles.open[index], index),
            FillMode::Close => (candles.close[index - 1], index - 1),
        }
    }

    /// A market order that is examined on candle `index`.
    pub(super) fn market_entry(
        &self,
        direction: Direction,
        reason: Reason,
        index: usize,
    ) -> FillContext {
        let (price, candle) = self.market(index);
        FillContext { direction, reason, price, liquidity: Liquidity::Taker, candle, index }
    }

    /// Prices an entry; `None` if that price cannot be traded, which is noted as a rejection.
    pub(super) fn admit_entry(
        &mut self,
        context: &FillContext,
    ) -> Result<Option<AdmittedEntry>, SimulationError> {
        let FillContext { direction, reason, liquidity, candle, .. } = *context;
        let price = match liquidity {
            Liquidity::Maker => context.price,
            Liquidity::Taker => self.entry_price(context.price, direction, candle),
        };
        let booked_price = exact::price(price).ok_or_else(|| overflow("a price"))?;
        if booked_price < exact::PRICE_MIN {
            self.reject(context, || match booked_price <= Decimal::ZERO {
                true => format!("a price of {booked_price} cannot be traded"),
                false => {
                    format!("a price of {booked_price} lies below 1e-12 and cannot be traded")
                }
            });
            return Ok(None);
        }
        let candles = self.input.candles;
        let mut moment = context.market_moment();
        if moment == Moment::Within && context.price == candles.open[candle] {
            moment = Moment::Open;
        }
        let (place, time) = (FillPlace { candle, moment }, candles.open_time[candle]);
        let fill = PricedFill { price, place, time, liquidity, reason };
        Ok(Some(AdmittedEntry { fill, booked_price }))
    }

    /// The quantity of an entry; `None` if the entry is rejected, which is noted.
    pub(super) fn admit_quantity(
        &mut self,
        context: &FillContext,
        offer: &Offer,
        quantity: Result<Decimal, Refusal>,
    ) -> Option<Decimal> {
        let costs = self.costs;
        quantity.map_err(|refusal| self.reject(context, || offer.explain(refusal, &costs))).ok()
    }

    /// What an entry at `booked_price` is sized by; what is held is worth `price` a unit.
    pub(super) fn offer(
        &self,
        price: f64,
        booked_price: Decimal,
        stop_loss: Option<Decimal>,
        liquidity: Liquidity,
    ) -> Result<Offer, SimulationError> {
        let funds = self.portfolio.funds(price)?;
        let (leverage, lot) = (self.leverage, self.lot);
        Ok(Offer { booked_price, stop_loss, funds, leverage, lot, liquidity })
    }

    /// `price` on candle `index` with all that entering at market or by a stop costs.
    pub(super) fn entry_price(&self, price: f64, direction: Direction, index: usize) -> f64 {
        let slipped = self.slipped(price, direction.entry_side(), index);
        self.costs.entry_price(slipped, direction)
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

    /// Leaving at `price`, at market or by a stop.
    pub(super) fn taker_exit(
        &self,
        price: f64,
        direction: Direction,
        place: FillPlace,
        reason: Reason,
    ) -> PricedFill {
        let slipped = self.slipped(price, direction.exit_side(), place.candle);
        let price = self.costs.exit_price(slipped, direction);
        let time = self.input.candles.open_time[place.candle];
        PricedFill { price, place, time, liquidity: Liquidity::Taker, reason }
    }

    /// Leaving at `price`, by a limit or a target, on candle `index`.
    pub(super) fn maker_exit(&self, price: f64, index: usize, reason: Reason) -> PricedFill {
        let time = self.input.candles.open_time[index];
        let place = FillPlace { candle: index, moment: Moment::Within };
        PricedFill { price, place, time, liquidity: Liquidity::Maker, reason }
    }

    /// Leaving a trade of `direction` by the entry order of the other one.
    pub(super) fn opposite_exit(&self, context: &FillContext, direction: Direction) -> PricedFill {
        let FillContext { price, candle, reason, .. } = *context;
        match context.liquidity {
            Liquidity::Maker => self.maker_exit(price, candle, reason),
            Liquidity::Taker => {
                let place = FillPlace { candle, moment: context.market_moment() };
                self.taker_exit(price, direction, place, reason)
            }
        }
    }

    /// Leaving at the market price of an order that is examined on candle `index`.
    pub(super) fn market_exit(
        &self,
        direction: Direction,
        index: usize,
        reason: Reason,
    ) -> PricedFill {
        let (price, candle) = self.market(index);
        let moment = if candle < index { Moment::Close } else { Moment::Open };
        self.taker_exit(price, direction, FillPlace { candle, moment }, reason)
    }

    /// Leaving at the close of candle `index`.
    pub(super) fn close_exit(
        &self,
        direction: Direction,
        index: usize,
        name: &'static str,
    ) -> PricedFill {
        let close = self.input.candles.close[index];
        let place = FillPlace { candle: index, moment: Moment::Close };
        self.taker_exit(close, direction, place, Reason::Named(name))
    }

    /// Leaving by a stop that `candle`, or a finer one within candle `index`, has hit.
    pub(super) fn stop_exit(
        &self,
        direction: Direction,
        stop: f64,
        name: &'static str,
        candle: CandlePrices,
        index: usize,
    ) -> PricedFill {
        let price = levels::stop_fill(direction.exit_side(), candle.open, stop);
        let place = FillPlace { candle: index, moment: Moment::Within };
        self.taker_exit(price, direction, place, Reason::Named(name))
    }

    /// Leaving by a target that `candle`, or a finer one within candle `index`, has reached.
    pub(super) fn target_exit(
        &self,
        direction: Direction,
        target: f64,
        candle: CandlePrices,
        index: usize,
    ) -> PricedFill {
        let price = levels::limit_fill(direction.exit_side(), candle.open, target);
        self.maker_exit(price, index, Reason::Named("take_profit"))
    }

    /// Enters; the number of the trade.
    pub(super) fn open(
        &mut self,
        direction: Direction,
        quantity: Decimal,
        admitted: AdmittedEntry,
        barriers: Barriers,
    ) -> Result<u32, SimulationError> {
        let execution = self.execution(admitted.fill, admitted.booked_price);
        let trade = self.portfolio.open(execution, direction, quantity, barriers, &self.costs)?;
        let number = trade.number;
        tell(self.observer, Step::Opened(trade))?;
        Ok(number)
    }

    /// Leaves a trade as a whole.
    pub(super) fn close(
        &mut self,
        number: u32,
        fill: PricedFill,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let price = booked(&fill)?;
        let execution = self.execution(fill, price);
        if let Some(trade) = self.portfolio.close(number, execution, is_ambiguous, &self.costs)? {
            tell(self.observer, Step::Closed(trade))?;
        }
        self.is_ruined |= self.portfolio.open.is_empty() && self.portfolio.cash <= Decimal::ZERO;
        Ok(())
    }

    /// Closes a part of a trade.
    pub(super) fn reduce(
        &mut self,
        number: u32,
        quantity: Decimal,
        fill: PricedFill,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let price = booked(&fill)?;
        let execution = self.execution(fill, price);
        let reduced =
            self.portfolio.reduce(number, quantity, execution, is_ambiguous, &self.costs)?;
        if let Some((part, rest)) = reduced {
            let trades = &self.portfolio.trades;
            tell(self.observer, Step::Reduced { part: &trades[part], rest: &trades[rest] })?;
        }
        Ok(())
    }

    /// Whether a part brings what leaving with it costs; one that does not is rejected.
    pub(super) fn is_worth_its_fee(
        &mut self,
        direction: Direction,
        quantity: Decimal,
        fill: &PricedFill,
    ) -> Result<bool, SimulationError> {
        if direction.exit_side() == Side::Buy {
            return Ok(true);
        }
        let price = booked(fill)?;
        let notional = exact::multiply(price, quantity);
        let notional = notional.ok_or_else(|| overflow("a fill's notional"))?;
        let fee = self.costs.fee(notional, fill.liquidity)?;
        if fee > notional {
            let kind = match fill.liquidity {
                Liquidity::Maker => OrderKind::Limit,
                Liquidity::Taker => OrderKind::Market,
            };
            self.rejections.push(|| UnfilledOrder {
                time: fill.time,
                side: direction.exit_side(),
                kind,
                price: Some(price),
                reason: format!("a part brings {notional}, and its fee is {fee}"),
            });
        }
        Ok(fee <= notional)
    }

    fn execution(&mut self, fill: PricedFill, price: Decimal) -> Execution {
        let reason = match fill.reason {
            Reason::Entry(direction, index) => self.rules.entry_reason(direction, index),
            Reason::Exit(direction, index) => self.rules.exit_reason(direction, index),
            Reason::PartialExit(index) => self.rules.partial_exit_reason(index),
            Reason::Named(name) => self.named(name),
        };
        let PricedFill { place, time, liquidity, .. } = fill;
        Execution { time, place, price, liquidity, reason }
    }

    /// The reason of that name: the same for all fills that have it.
    fn named(&mut self, name: &'static str) -> FillReason {
        if let Some(known) = self.names.iter().find(|known| **known == name) {
            return known.clone();
        }
        self.names.push_mut(name.into()).clone()
    }

    /// Notes that an entry that met its price is not filled.
    pub(super) fn reject(&mut self, context: &FillContext, reason: impl FnOnce() -> String) {
        let FillContext { direction, price, candle, .. } = *context;
        self.reject_entry(candle, direction, || (exact::price(price), reason()));
    }

    /// Notes that an entry is not even placed at the close of candle `index`.
    pub(super) fn reject_placing(&mut self, index: usize, direction: Direction, reason: String) {
        self.reject_entry(index, direction, || (None, reason));
    }

    fn reject_entry(
        &mut self,
        candle: usize,
        direction: Direction,
        price_and_reason: impl FnOnce() -> (Option<Decimal>, String),
    ) {
        let time = self.input.candles.open_time[candle];
        let kind = match self.input.strategy.config.entry_order {
            EntryOrder::Market => OrderKind::Market,
            EntryOrder::Limit { .. } => OrderKind::Limit,
            EntryOrder::Stop { .. } => OrderKind::Stop,
            EntryOrder::StopLimit { .. } => OrderKind::StopLimit,
        };
        let side = direction.entry_side();
        self.rejections.push(|| {
            let (price, reason) = price_and_reason();
            UnfilledOrder { time, side, kind, price, reason }
        });
    }

    /// Notes that the price of an entry was not reached up to candle `index`, the last one on which it was valid.
    pub(super) fn expire(&mut self, direction: Direction, waited: EntryKind, index: usize) {
        let (kind, price) = match waited {
            EntryKind::Market => (OrderKind::Market, None),
            EntryKind::Limit(limit) => (OrderKind::Limit, Some(limit)),
            EntryKind::Stop(stop) => (OrderKind::Stop, Some(stop)),
            EntryKind::StopLimit { stop, .. } => (OrderKind::StopLimit, Some(stop)),
        };
        let candles = self.input.strategy.config.entry_valid_candles;
        let time = self.input.candles.open_time[index];
        self.expiries.push(|| UnfilledOrder {
            time,
            side: direction.entry_side(),
            kind,
            price: price.and_then(exact::price),
            reason: format!("the price was not reached within {candles} candles"),
        });
    }
}

/// A fill's price as the ledger holds it.
fn booked(fill: &PricedFill) -> Result<Decimal, SimulationError> {
    exact::price(fill.price).ok_or_else(|| overflow("a price"))
}
