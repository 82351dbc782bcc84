//! Orders of backtesting.py's queue: what they are for, and when a candle reaches their price.

use super::{Queue, QueueTrade};
use crate::simulation::{
    engine::{
        Engine,
        entries::EntryKind,
        fills::Reason,
        levels::{self, CandlePrices},
    },
    portfolio::costs::Liquidity,
    rules::Sizing,
    settings::FillMode,
    trade::Direction,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) id: u32,
    pub(super) purpose: Purpose,
    pub(super) stop: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) reason: Reason,
    /// The last candle after whose close it still waits.
    pub(super) valid_to: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Enter(QueueEntry),
    /// Closes a part of a trade, or all of it.
    Leave {
        number: u32,
        /// `None` is all.
        lots: Option<f64>,
        kind: Leaving,
    },
}

/// What an order enters.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueEntry {
    pub(super) direction: Direction,
    pub(super) size: Size,
    pub(super) stop_loss: Option<f64>,
    pub(super) take_profit: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Market,
    StopLoss,
    TakeProfit,
}

/// How much an order is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    /// Of the free margin, below 1.
    Fraction(f64),
    /// Whole lots.
    Lots(f64),
    /// By our own rules, which it does not have.
    Sizing(Sizing),
}

/// How an order met its price.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetPrice {
    pub(super) price: f64,
    /// The stop that it passed on this candle.
    pub(super) stop: Option<f64>,
    pub(super) is_market: bool,
    pub(super) liquidity: Liquidity,
    /// The candle on which it is stamped.
    pub(super) candle: usize,
}

impl Order {
    /// An order without an id, which the queue gives it.
    pub(super) const fn new(purpose: Purpose, reason: Reason) -> Self {
        Self { id: 0, purpose, stop: None, limit: None, reason, valid_to: usize::MAX }
    }

    /// What an entry waits for.
    pub(super) const fn entry_kind(&self) -> EntryKind {
        match (self.stop, self.limit) {
            (None, None) => EntryKind::Market,
            (None, Some(limit)) => EntryKind::Limit(limit),
            (Some(stop), None) => EntryKind::Stop(stop),
            (Some(stop), Some(limit)) => EntryKind::StopLimit { stop, limit },
        }
    }
}

impl Queue {
    /// The price at which the order fills on candle `index`, if it does; a stop that was reached is gone.
    pub(super) fn meet(
        &mut self,
        engine: &Engine<'_>,
        place: usize,
        index: usize,
    ) -> Option<MetPrice> {
        let candles = engine.input.candles;
        let candle = CandlePrices::of(candles, index);
        let order = &mut self.orders[place];
        let (side, is_contingent) = match order.purpose {
            Purpose::Enter(entry) => (entry.direction.entry_side(), false),
            Purpose::Leave { number, kind, .. } => {
                let trade = QueueTrade::find(&self.trades, number)?;
                (trade.direction.exit_side(), kind != Leaving::Market)
            }
        };
        let stop = order.stop;
        if let Some(stop) = stop {
            if !levels::is_stop_hit(side, candle, stop) {
                return None;
            }
            if !is_contingent {
                order.stop = None;
            }
        }
        if let Some(limit) = order.limit {
            // A limit that lies before the stop would have been passed first: it waits as a limit order.
            let is_before_stop = stop.is_some_and(|stop| levels::is_limit_met(side, limit, stop));
            if !levels::is_limit_hit(side, candle, limit) || is_before_stop {
                return None;
            }
            let price = levels::limit_fill(side, stop.unwrap_or(candle.open), limit);
            let liquidity = Liquidity::Maker;
            return Some(MetPrice { price, stop, is_market: false, liquidity, candle: index });
        }
        let by_close = engine.input.settings.fill == FillMode::Close && !is_contingent;
        let price = if by_close { candles.close[index - 1] } else { candle.open };
        let price = stop.map_or(price, |stop| levels::stop_fill(side, price, stop));
        let is_market = stop.is_none();
        let candle = if by_close && is_market { index - 1 } else { index };
        Some(MetPrice { price, stop, is_market, liquidity: Liquidity::Taker, candle })
    }
}
