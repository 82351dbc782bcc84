//! The signals of a run: where each direction is entered and exited, and the prices at which its orders rest.

use std::sync::Arc;

use super::{
    BoundStrategy, Comparison, Condition, Directions, Operand,
    series::{Indicators, Series},
    signal::{Crossings, Signal},
    streamed,
};
use crate::simulation::{
    candles::Candles,
    fill_reason::FillReason,
    indicators::{Columns, IndicatorCall},
    trade::Direction,
};

/// The signals of both directions; a direction without an entry is not traded.
#[derive(Debug)]
pub(crate) struct RuleSignals<'a> {
    signals: Vec<Signal<'a>>,
    /// Whether anyone reads why something was entered or left.
    gives_reasons: bool,
    long: Sides,
    short: Sides,
    partial_exit: Option<usize>,
    long_prices: Prices,
    short_prices: Prices,
    range: Option<Series<'static>>,
    /// The memory of a column that nobody needs any more.
    spare: Option<Vec<f64>>,
}

/// Indices of signals; none is never.
#[derive(Debug, Clone, Copy, Default)]
struct Sides {
    entry: Option<usize>,
    exit: Option<usize>,
}

/// Where resting entries of one direction wait; none goes by an offset.
#[derive(Debug, Default)]
struct Prices {
    price: Option<Series<'static>>,
    limit: Option<Series<'static>>,
}

/// What is computed of a strategy, one signal or column after the other.
struct Evaluation<'a, 'c, C> {
    candles: &'c Candles,
    indicators: Indicators<'a>,
    signals: Vec<Signal<'a>>,
    crossings: Crossings<'a>,
    columns: C,
}

impl<'a, C> Evaluation<'a, '_, C> {
    fn signal<E>(&mut self, condition: &'a Condition) -> Result<usize, E>
    where
        C: FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    {
        let is_known = |comparison: &Comparison| self.crossings.has(comparison);
        self.indicators.compute(condition, is_known, &mut self.columns)?;
        let Self { candles, indicators, crossings, .. } = self;
        self.signals.push(Signal::evaluate(condition, indicators, candles, crossings));
        Ok(self.signals.len() - 1)
    }

    fn column<E>(&mut self, operand: &'a Operand) -> Result<Series<'static>, E>
    where
        C: FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    {
        self.indicators.compute_operand(operand, &mut self.columns)?;
        Ok(self.indicators.series(operand, self.candles).into_owned())
    }
}

impl<'a> RuleSignals<'a> {
    /// Evaluates the strategy's rules over all candles, out of what `columns` gives or refuses.
    pub(crate) fn evaluate<E>(
        strategy: &'a BoundStrategy,
        candles: &Candles,
        columns: impl FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    ) -> Result<Self, E> {
        Self::with_crossings(strategy, candles, Crossings::default(), columns)
    }

    /// As [`Self::evaluate`], of a run that shares its indicators with none: those that come in steps are not laid out as
    /// columns. `ask` is asked once in a while whether to go on.
    pub(crate) fn evaluate_alone<E>(
        strategy: &'a BoundStrategy,
        candles: &Candles,
        mut ask: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let crossings = streamed::crossings(strategy, candles, &mut ask)?;
        Self::with_crossings(strategy, candles, crossings, |call| {
            ask()?;
            Ok(Arc::new(call.compute(candles)))
        })
    }

    fn with_crossings<E>(
        strategy: &'a BoundStrategy,
        candles: &Candles,
        crossings: Crossings<'a>,
        columns: impl FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    ) -> Result<Self, E> {
        let mut all = Evaluation {
            candles,
            indicators: Indicators::default(),
            signals: Vec::new(),
            crossings,
            columns,
        };
        let mut signal =
            |rule: Option<&'a Condition>| rule.map(|rule| all.signal(rule)).transpose();
        let entry = signal(Some(&strategy.entry))?;
        let exit = signal(strategy.exit.as_ref())?;
        let (long, short) = match strategy.config.direction {
            Directions::Long => (Sides { entry, exit }, Sides::default()),
            Directions::Short => (Sides::default(), Sides { entry, exit }),
            Directions::Both => {
                let short_entry = signal(strategy.short_entry.as_ref())?;
                let short_exit = signal(strategy.short_exit.as_ref())?;
                let short = Sides { entry: short_entry.or(exit), exit: short_exit.or(entry) };
                (Sides { entry, exit }, short)
            }
        };
        let partial_exit = signal(strategy.partial_exit.as_ref())?;
        let mut column =
            |operand: Option<&'a Operand>| operand.map(|operand| all.column(operand)).transpose();
        let prices = &strategy.entry_prices;
        let long_prices =
            Prices { price: column(prices.price.as_ref())?, limit: column(prices.limit.as_ref())? };
        let short_prices = Prices {
            price: column(prices.short_price.as_ref().or(prices.price.as_ref()))?,
            limit: column(prices.short_limit.as_ref().or(prices.limit.as_ref()))?,
        };
        let range = column(strategy.trailing_range.as_ref())?;
        let signals = all.signals;
        let spare = all.indicators.into_spare();
        Ok(Self {
            signals,
            gives_reasons: true,
            long,
            short,
            partial_exit,
            long_prices,
            short_prices,
            range,
            spare,
        })
    }

    /// Memory that is as large as a column, if some was left over, and empty.
    pub(crate) fn take_spare(&mut self) -> Option<Vec<f64>> {
        let mut spare = self.spare.take()?;
        spare.clear();
        Some(spare)
    }

    /// The same, giving no reasons.
    pub(crate) fn without_reasons(self) -> Self {
        Self { gives_reasons: false, ..self }
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

    /// Whether the exit of `direction` holds at `index`.
    pub(crate) fn is_exit(&self, direction: Direction, index: usize) -> bool {
        self.exit(direction).is_some_and(|signal| signal.bits.get(index))
    }

    /// Whether a part is to be closed at `index`.
    pub(crate) fn is_partial_exit(&self, index: usize) -> bool {
        self.partial_signal().is_some_and(|signal| signal.bits.get(index))
    }

    /// What made the entry of `direction` hold at `index`.
    pub(crate) fn entry_reason(&self, direction: Direction, index: usize) -> FillReason {
        self.reason(self.entry(direction), index)
    }

    /// What made the exit of `direction` hold at `index`.
    pub(crate) fn exit_reason(&self, direction: Direction, index: usize) -> FillReason {
        self.reason(self.exit(direction), index)
    }

    fn reason(&self, signal: Option<&Signal<'a>>, index: usize) -> FillReason {
        let signal = signal.filter(|_| self.gives_reasons);
        signal.map_or_else(FillReason::default, |signal| signal.reason(index))
    }

    /// What made the partial exit hold at `index`.
    pub(crate) fn partial_exit_reason(&self, index: usize) -> FillReason {
        self.reason(self.partial_signal(), index)
    }

    /// The price that the strategy's expression names for an entry at `index`: none without an expression, none
    /// inside where it has no value there.
    pub(crate) fn entry_price(&self, direction: Direction, index: usize) -> Option<Option<f64>> {
        self.prices(direction).price.as_ref().map(|series| series.at(index))
    }

    /// As [`Self::entry_price`], the limit of a stop-limit order.
    pub(crate) fn entry_limit(&self, direction: Direction, index: usize) -> Option<Option<f64>> {
        self.prices(direction).limit.as_ref().map(|series| series.at(index))
    }

    /// The average true range by which stops trail, at `index`.
    pub(crate) fn range(&self, index: usize) -> Option<f64> {
        self.range.as_ref()?.at(index)
    }

    fn prices(&self, direction: Direction) -> &Prices {
        match direction {
            Direction::Long => &self.long_prices,
            Direction::Short => &self.short_prices,
        }
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

    fn partial_signal(&self) -> Option<&Signal<'a>> {
        self.signals.get(self.partial_exit?)
    }
}
