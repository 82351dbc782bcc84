//! The rules of a run: where each direction is entered and left.

use super::{
    candles::Candles,
    rules::{BoundStrategy, Directions},
    series::Indicators,
    signals::Signal,
    trade::Direction,
};

/// The signals of both directions; a direction without an entry is not traded.
#[derive(Debug)]
pub(crate) struct RuleSet<'a> {
    signals: Vec<Signal<'a>>,
    long: Sides,
    short: Sides,
}

/// Indices of signals; none is never.
#[derive(Debug, Clone, Copy, Default)]
struct Sides {
    entry: Option<usize>,
    exit: Option<usize>,
}

impl<'a> RuleSet<'a> {
    /// Evaluates the strategy's rules over all candles; `pause` is asked in between whether to go on.
    pub(crate) fn evaluate<E>(
        strategy: &'a BoundStrategy,
        candles: &Candles,
        mut pause: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut indicators = Indicators::default();
        let mut signals = Vec::new();
        let mut evaluate = |condition| {
            indicators.compute(condition, candles, &mut pause)?;
            signals.push(Signal::evaluate(condition, &indicators, candles));
            pause().map(|()| signals.len() - 1)
        };
        let entry = Some(evaluate(&strategy.entry)?);
        let exit = strategy.exit.as_ref().map(&mut evaluate).transpose()?;
        let (long, short) = match strategy.config.direction {
            Directions::Long => (Sides { entry, exit }, Sides::default()),
            Directions::Short => (Sides::default(), Sides { entry, exit }),
            Directions::Both => {
                let short_entry = strategy.short_entry.as_ref().map(&mut evaluate).transpose()?;
                let short_exit = strategy.short_exit.as_ref().map(&mut evaluate).transpose()?;
                let short = Sides { entry: short_entry.or(exit), exit: short_exit.or(entry) };
                (Sides { entry, exit }, short)
            }
        };
        Ok(Self { signals, long, short })
    }

    /// The first candle at or after `from` at which an entry is placed; the long one is asked first.
    pub(crate) fn next_entry(&self, from: usize) -> Option<(usize, Direction)> {
        let next = |direction| Some((self.entry(direction)?.bits.next(from)?, direction));
        match (next(Direction::Long), next(Direction::Short)) {
            (Some(long), Some(short)) => Some(if short.0 < long.0 { short } else { long }),
            (long, short) => long.or(short),
        }
    }

    /// The first candle at or after `from` at which the exit of `direction` holds.
    pub(crate) fn next_exit(&self, direction: Direction, from: usize) -> Option<usize> {
        self.exit(direction)?.bits.next(from)
    }

    /// Whether the entry of `direction` holds at `index`.
    pub(crate) fn is_entry(&self, direction: Direction, index: usize) -> bool {
        self.entry(direction).is_some_and(|signal| signal.bits.get(index))
    }

    /// What made the entry of `direction` hold at `index`.
    pub(crate) fn entry_reason(&self, direction: Direction, index: usize) -> String {
        self.entry(direction).map_or_else(String::new, |signal| signal.reason(index))
    }

    /// What made the exit of `direction` hold at `index`.
    pub(crate) fn exit_reason(&self, direction: Direction, index: usize) -> String {
        self.exit(direction).map_or_else(String::new, |signal| signal.reason(index))
    }

    fn sides(&self, direction: Direction) -> Sides {
        match direction {
            Direction::Long => self.long,
            Direction::Short => self.short,
        }
    }

    fn entry(&self, direction: Direction) -> Option<&Signal<'a>> {
        self.signals.get(self.sides(direction).entry?)
    }

    fn exit(&self, direction: Direction) -> Option<&Signal<'a>> {
        self.signals.get(self.sides(direction).exit?)
    }
}
