//! Stops and targets of the queue's trades: separate orders, and how they move.

use super::{
    Queue, QueueTrade,
    orders::{Leaving, Order, Purpose},
};
use crate::simulation::{
    engine::{Engine, fills::Reason},
    exact,
    rules::Trailing,
};

impl Queue {
    /// A new stop-loss goes to the front of the queue.
    pub(super) fn set_stop(&mut self, number: u32, level: f64, name: &'static str) {
        self.forget(number, Leaving::StopLoss);
        if let Some(trade) = self.trades.iter_mut().find(|trade| trade.number == number) {
            trade.stop = Some(level);
        }
        let purpose = Purpose::Leave { number, lots: None, kind: Leaving::StopLoss };
        let reason = Reason::Named(name);
        self.prepend(Order { stop: Some(level), ..Order::new(purpose, reason) });
    }

    /// A new take-profit goes to the back of the queue.
    pub(super) fn set_target(&mut self, number: u32, level: f64) {
        self.forget(number, Leaving::TakeProfit);
        if let Some(trade) = self.trades.iter_mut().find(|trade| trade.number == number) {
            trade.target = Some(level);
        }
        let purpose = Purpose::Leave { number, lots: None, kind: Leaving::TakeProfit };
        let reason = Reason::Named("take_profit");
        self.append(Order { limit: Some(level), ..Order::new(purpose, reason) });
    }

    fn forget(&mut self, number: u32, what: Leaving) {
        self.orders.retain(|order| {
            !matches!(order.purpose, Purpose::Leave { number: of, kind, .. } if of == number && kind == what)
        });
    }

    pub(super) fn stop_name(engine: &Engine<'_>, level: f64, trade: &QueueTrade) -> &'static str {
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
                if away < exact::to_f64(distance) * trade.entry_price {
                    "trailing_stop"
                } else {
                    "stop_loss"
                }
            }
        }
    }
}
