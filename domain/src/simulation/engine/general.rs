//! The walk for everything else, candle by candle: orders, mark, liquidation, rules.

use rust_decimal::Decimal;

use super::{Engine, entries::Entry, fills::Reason, finalize::Holdings};
use crate::simulation::{
    SimulationError, portfolio::funding::funding_rate, rules::PositionMode, trade::Direction,
};

const DIRECTIONS: [Direction; 2] = [Direction::Long, Direction::Short];

/// The conventions that orders follow: ours in [`super::book`], backtesting.py's in [`super::backtesting_py`].
pub(super) trait OrderModel: Holdings {
    /// Whether nothing is held and nothing waits.
    fn is_idle(&self) -> bool;

    /// Open trades of a direction.
    fn count(&self, direction: Direction) -> usize;

    /// Places an entry; it takes the place of the one that waits, in hedging of the one of its direction.
    fn enter(&mut self, engine: &Engine<'_>, entry: Entry);

    /// Leaves all trades of a direction at market, or `portion` of each.
    fn leave(&mut self, direction: Direction, portion: Option<Decimal>, reason: Reason);

    /// Examines every order against candle `index`.
    fn examine(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<(), SimulationError>;

    /// The close of candle `index`: entries lapse.
    fn lapse(&mut self, engine: &mut Engine<'_>, index: usize);

    /// The close of candle `index`: stops move up.
    fn manage(&mut self, engine: &Engine<'_>, index: usize) -> Result<(), SimulationError>;

    /// Leaves every trade that was held long enough, after the rules of candle `index`.
    fn time_out(&mut self, engine: &Engine<'_>, index: usize);
}

/// Walks by the strategy's rules to the end and finalizes.
pub(super) fn by_rules(
    engine: &mut Engine<'_>,
    mut orders: impl OrderModel,
) -> Result<(), SimulationError> {
    let len = engine.input.candles.len();
    while engine.next < len {
        if orders.is_idle() {
            let next = engine.rules.next_entry(engine.next).map(|(signal, _)| signal);
            engine.mark_cash(next.unwrap_or(len))?;
            if next.is_none() {
                break;
            }
        }
        let index = engine.next;
        if !step(engine, &mut orders, index)? {
            return Ok(());
        }
        decide(engine, &mut orders, index)?;
        engine.progress()?;
    }
    engine.finalize(&mut orders)
}

/// Orders, mark and liquidation of candle `index`; false if there is nothing left to trade with.
pub(super) fn step(
    engine: &mut Engine<'_>,
    orders: &mut impl OrderModel,
    index: usize,
) -> Result<bool, SimulationError> {
    engine.fund(index)?;
    orders.examine(engine, index)?;
    if !engine.is_ruined {
        engine.mark(orders, index)?;
    }
    if engine.is_ruined {
        engine.mark_cash(engine.input.candles.len())?;
    }
    Ok(!engine.is_ruined)
}

/// What the rules ask for at the close of candle `index`.
fn decide<M: OrderModel>(
    engine: &mut Engine<'_>,
    orders: &mut M,
    index: usize,
) -> Result<(), SimulationError> {
    orders.lapse(engine, index);
    orders.manage(engine, index)?;
    let config = &engine.input.strategy.config;
    let (rules, mode) = (engine.rules, config.position_mode);
    let mut is_leaving = [false; 2];
    for (direction, is_leaving) in DIRECTIONS.into_iter().zip(&mut is_leaving) {
        if orders.count(direction) == 0 {
            continue;
        }
        if rules.is_exit(direction, index) {
            *is_leaving = true;
            orders.leave(direction, None, Reason::Exit(direction, index));
        } else if rules.is_partial_exit(index) {
            let portion = Some(config.partial_exit_portion);
            orders.leave(direction, portion, Reason::PartialExit(index));
        }
    }
    orders.time_out(engine, index);
    let can_add = |orders: &M, direction: Direction| {
        orders.count(direction) < config.max_entries && rules.is_entry(direction, index)
    };
    if mode == PositionMode::Hedging {
        for (direction, is_leaving) in DIRECTIONS.into_iter().zip(is_leaving) {
            if !is_leaving && can_add(orders, direction) {
                place(engine, orders, direction, index);
            }
        }
        return Ok(());
    }
    let held = DIRECTIONS.into_iter().zip(is_leaving).find(|(held, _)| orders.count(*held) > 0);
    let direction = match held {
        None => DIRECTIONS.into_iter().find(|direction| rules.is_entry(*direction, index)),
        Some((held, is_leaving)) => {
            let opposite = held.opposite();
            let flips = is_leaving || mode != PositionMode::Single;
            if flips && rules.is_entry(opposite, index) {
                Some(opposite)
            } else {
                Some(held).filter(|held| !is_leaving && can_add(orders, *held))
            }
        }
    };
    if let Some(direction) = direction {
        place(engine, orders, direction, index);
    }
    Ok(())
}

fn place(
    engine: &mut Engine<'_>,
    orders: &mut impl OrderModel,
    direction: Direction,
    index: usize,
) {
    match Entry::place(engine, direction, index) {
        Ok(entry) => orders.enter(engine, entry),
        Err(reason) => engine.reject_placing(index, direction, reason),
    }
}

impl Engine<'_> {
    /// Accrues the fundings between the opening of the last candle and the opening of `index`.
    fn fund(&mut self, index: usize) -> Result<(), SimulationError> {
        let settings = self.input.settings;
        if self.portfolio.open.is_empty() || settings.funding_rate.get() == 0.0 {
            return Ok(());
        }
        let candles = self.input.candles;
        let rate = funding_rate(settings, candles.open_time[index - 1], candles.open_time[index])?;
        self.portfolio.accrue(candles.open[index], rate)
    }
}
