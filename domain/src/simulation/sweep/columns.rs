//! Indicator columns that combinations share: computed once while they fit into memory; the one needed last is dropped first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::simulation::{
    Candles,
    indicators::{Columns, IndicatorCall},
    rules::{
        BoundStrategy,
        series::{calls_of_condition, calls_of_operand},
    },
};

/// Columns that are kept at least, however long they are.
const KEPT_MIN_BYTES: usize = 32 << 20;

/// The indicator calls of rows, each under a number, and which rows need it.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses {
    numbers: BTreeMap<Key, usize>,
    /// Of each call, the rows that need it, ascending.
    rows: Vec<Vec<usize>>,
}

/// An indicator's name, its numbers bit by bit, its source.
type Key = (&'static str, Vec<u64>, &'static str);

fn key(call: &IndicatorCall) -> Key {
    let numbers = call.arguments.numbers.iter().map(|number| number.to_bits());
    (call.spec.name, numbers.collect(), call.arguments.source.as_str())
}

impl Uses {
    /// Notes what a row needs; rows come in their order.
    pub(super) fn note(&mut self, row: usize, strategy: &BoundStrategy) {
        let rules = [Some(&strategy.entry), strategy.exit.as_ref()];
        let short_rules = [strategy.short_entry.as_ref(), strategy.short_exit.as_ref()];
        let rules = rules.into_iter().chain(short_rules).chain([strategy.partial_exit.as_ref()]);
        let levels = strategy.entry_prices.all().chain(&strategy.trailing_range);
        let mut calls = Vec::new();
        rules.flatten().for_each(|rule| calls_of_condition(rule, &mut calls));
        levels.for_each(|level| calls_of_operand(level, &mut calls));
        for call in calls {
            let next = self.rows.len();
            let number = *self.numbers.entry(key(call)).or_insert(next);
            if number == next {
                self.rows.push(Vec::new());
            }
            if self.rows[number].last() != Some(&row) {
                self.rows[number].push(row);
            }
        }
    }

    /// The uses of some of the rows, ascending, which are numbered anew by their place among them.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        let places = |users: &Vec<usize>| {
            users.iter().filter_map(|row| rows.binary_search(row).ok()).collect()
        };
        Self { numbers: self.numbers.clone(), rows: self.rows.iter().map(places).collect() }
    }

    /// The rows in an order that needs few columns at a time: their own where all fit, else in blocks of those whose last
    /// calls by name and arguments are neighbours, as many as fit beside one other column.
    fn order(&self, rows_count: usize, held_max: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rows_count).collect();
        let calls_count = self.rows.iter().filter(|rows| !rows.is_empty()).count();
        if calls_count <= held_max {
            return order;
        }
        let mut last_call = vec![0; rows_count];
        for (place, number) in self.numbers.values().enumerate() {
            for row in &self.rows[*number] {
                last_call[*row] = place;
            }
        }
        let block = held_max.saturating_sub(1).max(1);
        order.sort_by_key(|row| (last_call[*row] / block, *row));
        order
    }
}

/// Columns by the number of their call; the first thread that misses one computes it.
type Held = BTreeMap<usize, Arc<OnceLock<Arc<Columns>>>>;

/// The columns that are held; shared by all threads.
pub(super) struct SharedColumns<'a> {
    candles: &'a Candles,
    uses: Uses,
    /// How many columns are held at most, those apart that rows at work still hold.
    held_max: usize,
    /// The rows in the order in which they are best run.
    order: Vec<usize>,
    /// Of each call, the places in that order of the rows that need it, ascending.
    places: Vec<Vec<usize>>,
    held: Mutex<Held>,
}

impl<'a> SharedColumns<'a> {
    /// As many as fit into the memory of the candles themselves, or into a little where the candles are few.
    pub(super) fn new(candles: &'a Candles, uses: Uses, rows_count: usize) -> Self {
        let column_bytes = candles.len().max(1) * size_of::<f64>();
        let held_max = (KEPT_MIN_BYTES / column_bytes).max(6);
        let order = uses.order(rows_count, held_max);
        let mut place_of = vec![0; rows_count];
        for (place, row) in order.iter().enumerate() {
            place_of[*row] = place;
        }
        let places = uses.rows.iter().map(|rows| {
            let mut places: Vec<usize> = rows.iter().map(|row| place_of[*row]).collect();
            places.sort_unstable();
            places
        });
        let places = places.collect();
        Self { candles, uses, held_max, order, places, held: Mutex::new(BTreeMap::new()) }
    }

    /// The rows in the order in which they are best run.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Returns the columns of a call that the row at `place` reads; the first caller computes them, the others wait.
    pub(super) fn get(&self, place: usize, call: &IndicatorCall) -> Arc<Columns> {
        let Some(number) = self.uses.numbers.get(&key(call)) else {
            return Arc::new(call.compute(self.candles));
        };
        let slot = {
            // Nothing panics under the lock, so what it guards is whole.
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = Arc::clone(held.entry(*number).or_default());
            self.drop_last_needed(&mut held, place);
            slot
        };
        Arc::clone(slot.get_or_init(|| Arc::new(call.compute(self.candles))))
    }

    /// Drops what no later row needs, and of the rest what is needed last, until what is held fits.
    fn drop_last_needed(&self, held: &mut Held, place: usize) {
        let next_use = |number: usize| {
            let places = &self.places[number];
            places.get(places.partition_point(|known| *known < place)).copied()
        };
        while held.len() > self.held_max {
            let last =
                held.keys().copied().max_by_key(|number| next_use(*number).unwrap_or(usize::MAX));
            let Some(last) = last else { return };
            held.remove(&last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten short windows by ten long ones, each a separate call.
    fn pairs() -> Uses {
        let mut uses = Uses::default();
        for row in 0..100 {
            for period in [row / 10, 10 + row % 10] {
                let next = uses.rows.len();
                let key = ("sma", vec![u64::try_from(period).unwrap()], "close");
                let number = *uses.numbers.entry(key).or_insert(next);
                uses.rows.resize(next.max(number + 1), Vec::new());
                uses.rows[number].push(row);
            }
        }
        uses
    }

    #[test]
    fn some_of_the_rows_are_numbered_by_their_place_among_them() {
        let some = pairs().of(&[3, 10, 13, 99]);
        // Rows 3 and 13 have the fourth long window, rows 10 and 13 the second short one.
        let users = |period: u64| some.rows[some.numbers[&("sma", vec![period], "close")]].clone();
        assert_eq!((users(13), users(1), users(0)), (vec![0, 2], vec![1, 2], vec![0]));
        assert!(users(5).is_empty());
        assert_eq!(some.order(4, 6), [0, 1, 2, 3], "six calls are in use");
    }

    #[test]
    fn rows_are_run_in_blocks_whose_columns_fit_and_each_once() {
        let uses = pairs();
        assert_eq!(uses.order(100, 20), (0..100).collect::<Vec<_>>(), "all fit");
        let order = uses.order(100, 6);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        // The first fifty rows need ten short windows and five long ones alone.
        let longs: std::collections::BTreeSet<usize> =
            order[..50].iter().map(|row| row % 10).collect();
        assert_eq!(longs.len(), 5);
    }
}
