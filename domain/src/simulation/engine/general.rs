//! The walk of everything else, candle by candle: orders, mark, liquidation, rules.

use super::{Engine, Reason, backtesting_py::Queue, book::Book, orders::Entry};
use crate::simulation::{
    SimulationError, rules::PositionMode, settings::Finalize, trade::Direction,
};

const DIRECTIONS: [Direction; 2] = [Direction::Long, Direction::Short];

/// Walks by the strategy's rules to the end and finalizes.
pub(super) fn by_rules(engine: &mut Engine<'_>) -> Result<(), SimulationError> {
    let mut desk = Desk::new(engine);
    let len = engine.input.candles.len();
    while engine.next < len {
        if desk.is_idle() {
            let next = engine.rules.next_entry(engine.next).map(|(signal, _)| signal);
            engine.mark_cash(next.unwrap_or(len))?;
            if next.is_none() {
                break;
            }
        }
        let index = engine.next;
        if !desk.step(engine, index)? {
            return Ok(());
        }
        decide(engine, &mut desk, index)?;
        engine.progress()?;
    }
    desk.end(engine)
}

/// What the rules ask for at the close of candle `index`.
fn decide(engine: &mut Engine<'_>, desk: &mut Desk, index: usize) -> Result<(), SimulationError> {
    desk.manage(engine, index)?;
    let config = &engine.input.strategy.config;
    let (rules, mode) = (engine.rules, config.position_mode);
    let mut is_leaving = [false; 2];
    for (direction, is_leaving) in DIRECTIONS.into_iter().zip(&mut is_leaving) {
        if desk.count(direction) == 0 {
            continue;
        }
        if rules.is_exit(direction, index) {
            *is_leaving = true;
            desk.leave(direction, None, Reason::Exit(direction, index));
        } else if rules.is_partial_exit(index) {
            let portion = Some(config.partial_exit_portion);
            desk.leave(direction, portion, Reason::PartialExit(index));
        }
    }
    desk.time_out(engine, index);
    let can_add = |desk: &Desk, direction: Direction| {
        desk.count(direction) < config.max_entries && rules.is_entry(direction, index)
    };
    if mode == PositionMode::Hedging {
        for (direction, is_leaving) in DIRECTIONS.into_iter().zip(is_leaving) {
            if !is_leaving && can_add(desk, direction) {
                place(engine, desk, direction, index);
            }
        }
        return Ok(());
    }
    let held = DIRECTIONS.into_iter().zip(is_leaving).find(|(held, _)| desk.count(*held) > 0);
    let direction = match held {
        None => DIRECTIONS.into_iter().find(|direction| rules.is_entry(*direction, index)),
        Some((held, is_leaving)) => {
            let opposite = held.opposite();
            let flips = is_leaving || mode != PositionMode::Single;
            if flips && rules.is_entry(opposite, index) {
                Some(opposite)
            } else {
                Some(held).filter(|held| !is_leaving && can_add(desk, *held))
            }
        }
    };
    if let Some(direction) = direction {
        place(engine, desk, direction, index);
    }
    Ok(())
}

fn place(engine: &mut Engine<'_>, desk: &mut Desk, direction: Direction, index: usize) {
    match Entry::place(engine, direction, index) {
        Ok(entry) => desk.enter(engine, entry),
        Err(reason) => engine.reject(index, reason),
    }
}

/// Whose rules orders follow.
enum Desk {
    Ours(Book),
    BacktestingPy(Queue),
}

impl Desk {
    fn new(engine: &Engine<'_>) -> Self {
        if engine.is_preset() {
            Self::BacktestingPy(Queue::new(engine))
        } else {
            Self::Ours(Book::default())
        }
    }

    fn is_idle(&self) -> bool {
        match self {
            Self::Ours(book) => book.is_idle(),
            Self::BacktestingPy(queue) => queue.is_idle(),
        }
    }

    fn count(&self, direction: Direction) -> usize {
        match self {
            Self::Ours(book) => book.count(direction),
            Self::BacktestingPy(queue) => queue.count(direction),
        }
    }

    fn enter(&mut self, engine: &Engine<'_>, entry: Entry) {
        let mode = engine.input.strategy.config.position_mode;
        match self {
            Self::Ours(book) => book.enter(entry, mode),
            Self::BacktestingPy(queue) => queue.enter(engine, &entry),
        }
    }

    fn leave(&mut self, direction: Direction, portion: Option<f64>, reason: Reason) {
        match self {
            Self::Ours(book) => book.leave(direction, portion, reason),
            Self::BacktestingPy(queue) => queue.leave(Some(direction), portion, reason),
        }
    }

    fn manage(&mut self, engine: &Engine<'_>, index: usize) -> Result<(), SimulationError> {
        match self {
            Self::Ours(book) => book.manage(engine, index),
            Self::BacktestingPy(queue) => queue.manage(engine, index),
        }
        Ok(())
    }

    fn time_out(&mut self, engine: &Engine<'_>, index: usize) {
        match self {
            Self::Ours(book) => book.time_out(engine, index),
            Self::BacktestingPy(queue) => queue.time_out(engine, index),
        }
    }

    fn examine(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<(), SimulationError> {
        match self {
            Self::Ours(book) => book.examine(engine, index),
            Self::BacktestingPy(queue) => queue.examine(engine, index),
        }
    }

    fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError> {
        match self {
            Self::Ours(book) => book.close_all(engine, index, name),
            Self::BacktestingPy(queue) => queue.close_all(engine, index, name),
        }
    }

    /// Orders, mark and liquidation of candle `index`; false when there is nothing left to trade with.
    fn step(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<bool, SimulationError> {
        engine.fund(index)?;
        self.examine(engine, index)?;
        if !engine.is_ruined {
            self.mark(engine, index)?;
        }
        if engine.is_ruined {
            engine.mark_cash(engine.input.candles.len())?;
        }
        Ok(!engine.is_ruined)
    }

    fn mark(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<(), SimulationError> {
        let close = engine.input.candles.close[index];
        let mut equity = engine.portfolio.equity(close);
        if !engine.portfolio.open.is_empty() && equity <= engine.required(close) {
            engine.liquidations_count += 1;
            engine.is_ruined |= equity <= 0.0;
            self.close_all(engine, index, "liquidation")?;
            equity = engine.portfolio.equity(close);
        }
        if !engine.is_ruined {
            engine.equity.push(equity);
            engine.next = index + 1;
        }
        Ok(())
    }

    /// Ends what is open, as the settings say.
    fn end(&mut self, engine: &mut Engine<'_>) -> Result<(), SimulationError> {
        let last = engine.input.candles.len() - 1;
        match engine.input.settings.finalize {
            Finalize::LeaveOpen => return Ok(()),
            Finalize::Close => self.close_all(engine, last, "end_of_data")?,
            // backtesting.py walks its queue once more over the last candle, closes first.
            Finalize::Open => {
                match self {
                    Self::Ours(book) => book.leave_all("end_of_data"),
                    Self::BacktestingPy(queue) => {
                        queue.leave(None, None, Reason::Named("end_of_data"));
                    }
                }
                self.examine(engine, last)?;
            }
        }
        engine.unmark_last();
        if !engine.is_ruined {
            self.mark(engine, last)?;
        }
        engine.mark_cash(last + 1)
    }
}

impl Engine<'_> {
    /// What equity must exceed when all that is held is worth `price` a unit.
    fn required(&self, price: f64) -> f64 {
        if self.maintenance == 0.0 {
            0.0
        } else {
            self.maintenance * self.portfolio.exposure(price)
        }
    }

    /// Accrues the fundings between the last candle's opening and that of `index`.
    fn fund(&mut self, index: usize) -> Result<(), SimulationError> {
        let settings = self.input.settings;
        if self.portfolio.open.is_empty() || settings.funding_rate.get() == 0.0 {
            return Ok(());
        }
        let interval = i64::from(settings.funding_interval_hours) * 3_600_000;
        let times = &self.input.candles.open_time;
        let fundings = times[index].div_euclid(interval) - times[index - 1].div_euclid(interval);
        let rate = crate::simulation::exact::decimal(settings.funding_rate.get());
        let rate = rate.and_then(|rate| rate.checked_mul(fundings.into()));
        let rate = rate.ok_or_else(|| crate::simulation::error::overflow("funding"))?;
        self.portfolio.accrue(self.input.candles.open[index], rate)
    }
}

/// Orders by candle, as a strategy of backtesting.py would place them.
#[cfg(test)]
pub(crate) type Plan = std::collections::BTreeMap<usize, Vec<Action>>;

/// One call of a strategy of backtesting.py.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Size below 1 is a fraction of the free margin, else units; none is all.
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
#[cfg(test)]
pub(super) fn by_plan(engine: &mut Engine<'_>, plan: &Plan) -> Result<(), SimulationError> {
    let mut desk = Desk::BacktestingPy(Queue::new(engine));
    while engine.next < engine.input.candles.len() {
        let index = engine.next;
        if !desk.step(engine, index)? {
            return Ok(());
        }
        let Desk::BacktestingPy(queue) = &mut desk else { continue };
        for action in plan.get(&index).into_iter().flatten() {
            queue.act(engine, index, *action);
        }
    }
    desk.end(engine)
}
