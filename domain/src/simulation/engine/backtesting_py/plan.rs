//! The micro cases: the calls of a backtesting.py strategy, one by one.

use std::collections::BTreeMap;

use super::{
    Queue,
    broker::LARGEST_FRACTION,
    orders::{Leaving, Order, Purpose, QueueEntry, Size},
};
use crate::simulation::{
    SimulationError,
    engine::{Engine, fills::Reason, general, levels},
    rules::PositionMode,
    trade::Direction,
};

/// Orders by candle, as a strategy of backtesting.py would place them.
pub(crate) type Plan = BTreeMap<usize, Vec<Action>>;

/// One call of a strategy of backtesting.py.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Size below 1 is a fraction of the free margin, else units; `None` is all.
    Order {
        direction: Direction,
        size: Option<f64>,
        limit: Option<f64>,
        stop: Option<f64>,
        stop_loss: Option<f64>,
        take_profit: Option<f64>,
    },
    Close {
        portion: Option<f64>,
    },
    MoveStop(f64),
}

/// Walks by orders instead of rules.
pub(in super::super) fn walk(engine: &mut Engine<'_>, plan: &Plan) -> Result<(), SimulationError> {
    let mut queue = Queue::new(engine);
    while engine.next < engine.input.candles.len() {
        let index = engine.next;
        if !general::step(engine, &mut queue, index)? {
            return Ok(());
        }
        for action in plan.get(&index).into_iter().flatten() {
            queue.act(engine, index, *action);
        }
    }
    engine.finalize(&mut queue)
}

impl Queue {
    fn act(&mut self, engine: &mut Engine<'_>, index: usize, action: Action) {
        match action {
            Action::Close { portion } => {
                self.leave_trades(None, portion, Reason::Named("plan"));
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
                    self.leave_trades(None, None, Reason::Named("plan"));
                }
                let close = engine.input.candles.close[index];
                let price = limit.or(stop).unwrap_or(engine.entry_price(close, direction, index));
                let sign = levels::sign(direction);
                let is_sound = stop_loss.is_none_or(|level| sign * level < sign * price)
                    && take_profit.is_none_or(|level| sign * level > sign * price);
                if !is_sound {
                    engine.reject_placing(
                        index,
                        direction,
                        "stop-loss and take-profit do not embrace the price".to_owned(),
                    );
                    return;
                }
                let purpose =
                    Purpose::Enter(QueueEntry { direction, size, stop_loss, take_profit });
                self.append(Order { stop, limit, ..Order::new(purpose, Reason::Named("plan")) });
            }
        }
    }
}
