//! The most winning and losing trades in a row.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{Metrics, count};
use crate::simulation::trade::Trade;

/// Followed in one pass while trades come in the order of their exits. A trade with a pnl of 0 ends both.
#[derive(Default)]
pub(super) struct StreaksInOrder {
    streaks: Option<Streaks>,
    last: Option<ExitOrder>,
    is_out_of_order: bool,
}

impl StreaksInOrder {
    pub(super) fn add(&mut self, trade: &Trade) {
        let Some((order, pnl)) = exit_of(trade).filter(|_| !self.is_out_of_order) else { return };
        self.is_out_of_order = self.last.is_some_and(|last| last > order);
        self.last = Some(order);
        self.streaks.get_or_insert_default().add(pnl);
    }

    pub(super) fn measure(mut self, trades: &[Trade], metrics: &mut Metrics) {
        if self.is_out_of_order {
            let mut closed: Vec<_> = trades.iter().filter_map(exit_of).collect();
            closed.sort_unstable_by_key(|(order, _)| *order);
            let mut streaks = Streaks::default();
            closed.into_iter().for_each(|(_, pnl)| streaks.add(pnl));
            self.streaks = Some(streaks);
        }
        if let Some(Streaks { winning, losing }) = self.streaks {
            metrics.longest_winning_streak = Some(count(winning.longest));
            metrics.longest_losing_streak = Some(count(losing.longest));
        }
    }
}

/// Time, number of the whole trade, whether it is that, own number.
type ExitOrder = (i64, u32, bool, u32);

/// Earlier exits first. On one candle trades leave in the order of their entries, a part before the rest of its trade.
fn exit_of(trade: &Trade) -> Option<(ExitOrder, Ordering)> {
    let (exit, pnl) = trade.exit.as_ref().zip(trade.pnl)?;
    let whole = trade.part_of.unwrap_or(trade.number);
    let order = (exit.time, whole, trade.part_of.is_none(), trade.number);
    Some((order, pnl.cmp(&Decimal::ZERO)))
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
    fn add(&mut self, pnl: Ordering) {
        self.winning.add(pnl == Ordering::Greater);
        self.losing.add(pnl == Ordering::Less);
    }
}

impl Streak {
    fn add(&mut self, goes_on: bool) {
        self.current = if goes_on { self.current + 1 } else { 0 };
        self.longest = self.longest.max(self.current);
    }
}
