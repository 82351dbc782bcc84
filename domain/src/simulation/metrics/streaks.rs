//! The most winning and losing trades in a row.

use rust_decimal::Decimal;

use super::{Metrics, count};
use crate::simulation::trade::Trade;

/// A trade with a pnl of 0 ends both.
pub(super) fn measure(trades: &[Trade], metrics: &mut Metrics) {
    let closed = || trades.iter().filter(|trade| trade.exit.is_some());
    let streaks = if closed().is_sorted_by_key(exit_order) {
        Streaks::of(closed())
    } else {
        let mut closed: Vec<&Trade> = closed().collect();
        closed.sort_by_key(|trade| exit_order(trade));
        Streaks::of(closed.into_iter())
    };
    if let Some(Streaks { winning, losing }) = streaks {
        metrics.longest_winning_streak = Some(count(winning.longest));
        metrics.longest_losing_streak = Some(count(losing.longest));
    }
}

/// Earlier exits first. On one candle trades leave in the order of their entries, a part before the rest of its trade.
fn exit_order(trade: &Trade) -> (i64, u32, bool, u32) {
    let time = trade.exit.as_ref().map_or(i64::MAX, |exit| exit.time);
    let whole = trade.part_of.unwrap_or(trade.number);
    (time, whole, trade.part_of.is_none(), trade.number)
}

#[derive(Default)]
struct Streaks {
    winning: Streak,
    losing: Streak,
}

#[derive(Default)]
struct Streak {
    current: usize,
    longest: usize,
}

impl Streaks {
    /// `None` if no trade was closed.
    fn of<'a>(closed: impl Iterator<Item = &'a Trade>) -> Option<Self> {
        let mut streaks = None::<Self>;
        for pnl in closed.filter_map(|trade| trade.pnl) {
            let Self { winning, losing } = streaks.get_or_insert_default();
            winning.add(pnl > Decimal::ZERO);
            losing.add(pnl < Decimal::ZERO);
        }
        streaks
    }
}

impl Streak {
    fn add(&mut self, goes_on: bool) {
        self.current = if goes_on { self.current + 1 } else { 0 };
        self.longest = self.longest.max(self.current);
    }
}
