//! The micro cases: calls of a strategy of backtesting.py, one by one.

use super::{Leaving, Order, Purpose, Queue, Size, broker::LARGEST_FRACTION};
use crate::simulation::{
    engine::{Action, Engine, Reason, levels},
    rules::PositionMode,
};

impl Queue {
    pub(in super::super) fn act(&mut self, engine: &mut Engine<'_>, index: usize, action: Action) {
        match action {
            Action::Close { portion } => {
                self.leave(None, portion, Reason::Named("plan"));
            }
            Action::MoveStop(level) => {
                for place in 0..self.trades.len() {
                    self.set_stop(self.trades[place].number, level, "stop_loss");
                }
            }
            Action::Order { direction, size, limit, stop, stop_loss, take_profit } => {
                let size = match size {
                    Some(size) if size >= 1.0 => Size::Lots(size),
                    Some(fraction) => Size::Fraction(fraction),
                    None => Size::Fraction(LARGEST_FRACTION),
                };
                if engine.input.strategy.config.position_mode == PositionMode::Exclusive {
                    self.orders.retain(|order| {
                        matches!(order.purpose, Purpose::Leave { kind, .. } if kind != Leaving::Market)
                    });
                    self.leave(None, None, Reason::Named("plan"));
                }
                let close = engine.input.candles.close[index];
                let price = limit.or(stop).unwrap_or(engine.entry_price(close, direction, index));
                let sign = levels::sign(direction);
                let is_sound = stop_loss.is_none_or(|level| sign * level < sign * price)
                    && take_profit.is_none_or(|level| sign * level > sign * price);
                if !is_sound {
                    engine.reject(
                        index,
                        "stop-loss and take-profit do not embrace the price".to_owned(),
                    );
                    return;
                }
                let purpose = Purpose::Enter { direction, size, stop_loss, take_profit };
                let (reason, valid_to) = (Reason::Named("plan"), usize::MAX);
                self.append(Order { id: 0, purpose, stop, limit, reason, valid_to });
            }
        }
    }
}
