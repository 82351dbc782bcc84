//! Stops and targets of the queue's trades: orders of their own, and how they move.

use super::{Leaving, Order, Purpose, Queue, Trade};
use crate::simulation::{
    engine::{Engine, Reason, levels},
    rules::Trailing,
    trade::Direction,
};

impl Queue {
    /// The close of candle `index`: entries lapse, stops move up.
    pub(in super::super) fn manage(&mut self, engine: &Engine<'_>, index: usize) {
        self.orders.retain(|order| order.valid_to > index);
        let config = &engine.input.strategy.config;
        let close = engine.input.candles.close[index];
        for place in 0..self.trades.len() {
            let Trade { number, direction, entry_price, stop, .. } = self.trades[place];
            let is_tighter = |level: f64, stop: Option<f64>| {
                stop.is_none_or(|stop| levels::is_tighter(direction, level, stop))
            };
            let trailed = config
                .trailing_stop
                .and_then(|trailing| trail(trailing, close, direction, engine.rules.range(index)));
            if let Some(level) = trailed.filter(|level| is_tighter(*level, stop)) {
                self.set_stop(number, level, "trailing_stop");
            }
            let stop = self.trades[place].stop;
            let gain = (close - entry_price) * levels::sign(direction);
            let is_due = config.break_even.is_some_and(|wanted| gain >= wanted * entry_price);
            if is_due && is_tighter(entry_price, stop) {
                self.set_stop(number, entry_price, "break_even");
            }
        }
    }

    /// A new stop-loss goes to the front of the queue.
    pub(super) fn set_stop(&mut self, number: u32, level: f64, name: &'static str) {
        self.forget(number, Leaving::StopLoss);
        if let Some(trade) = self.trades.iter_mut().find(|trade| trade.number == number) {
            trade.stop = Some(level);
        }
        let purpose = Purpose::Leave { number, lots: None, kind: Leaving::StopLoss };
        let reason = Reason::Named(name);
        let stop = Some(level);
        self.prepend(Order { id: 0, purpose, stop, limit: None, reason, valid_to: usize::MAX });
    }

    /// A new take-profit goes to the back of the queue.
    pub(super) fn set_target(&mut self, number: u32, level: f64) {
        self.forget(number, Leaving::TakeProfit);
        if let Some(trade) = self.trades.iter_mut().find(|trade| trade.number == number) {
            trade.target = Some(level);
        }
        let purpose = Purpose::Leave { number, lots: None, kind: Leaving::TakeProfit };
        let reason = Reason::Named("take_profit");
        let limit = Some(level);
        self.append(Order { id: 0, purpose, stop: None, limit, reason, valid_to: usize::MAX });
    }

    fn forget(&mut self, number: u32, what: Leaving) {
        self.orders.retain(|order| {
            !matches!(order.purpose, Purpose::Leave { number: of, kind, .. } if of == number && kind == what)
        });
    }

    pub(super) fn stop_name(engine: &Engine<'_>, level: f64, trade: &Trade) -> &'static str {
        let config = &engine.input.strategy.config;
        match (config.stop_loss, config.trailing_stop) {
            (_, None) => "stop_loss",
            (None, Some(_)) => "trailing_stop",
            // Both: the tighter one was taken.
            (Some(distance), Some(Trailing::Fraction(fraction))) => {
                if distance < fraction {
                    "stop_loss"
                } else {
                    "trailing_stop"
                }
            }
            (Some(distance), Some(Trailing::Ranges(_))) => {
                let away = (trade.entry_price - level).abs();
                if away < distance * trade.entry_price { "trailing_stop" } else { "stop_loss" }
            }
        }
    }
}

/// Where a stop that trails `price` lies.
pub(super) fn trail(
    trailing: Trailing,
    price: f64,
    direction: Direction,
    range: Option<f64>,
) -> Option<f64> {
    let sign = levels::sign(direction);
    match trailing {
        Trailing::Fraction(fraction) => Some(price * (1.0 - sign * fraction)),
        Trailing::Ranges(multiple) => range.map(|range| price - sign * multiple * range),
    }
}
