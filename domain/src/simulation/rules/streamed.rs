//! Crossings and strict comparisons of indicators that come in steps, made a few thousand candles at a time: their columns
//! are never laid out in memory, which would cost as much as computing them.

use std::borrow::Cow;

use super::{
    BoundStrategy, Comparator, Comparison, Condition, Operand, Test,
    bits::Bits,
    series::{calls_of_comparison, calls_of_operand},
    signal::Crossings,
};
use crate::simulation::{
    Candles,
    indicators::{IndicatorCall, Stream, stream},
};

/// Candles that are compared at a time; a multiple of a word's bits.
const BLOCK: usize = 4_096;

/// An operand of a crossing, block by block.
enum Feed<'a> {
    Constant(Vec<f64>),
    Column(&'a [f64]),
    Steps { first_defined: usize, stream: Box<dyn Stream + 'a>, values: Vec<f64> },
}

/// A crossing's operands by their places among the feeds, and where one is less and greater than the other.
struct Pair<'s> {
    operands: [&'s Operand; 2],
    feeds: [usize; 2],
    /// Which of both somebody asks for.
    asks: [bool; 2],
    less: Bits,
    greater: Bits,
}

/// Finds where the operands of the strategy's crossings and strict comparisons lie below and above each other, of those
/// that come in steps and whose indicators nothing else asks for. `ask` is asked once in a while whether to go on.
pub(super) fn crossings<'s, E>(
    strategy: &'s BoundStrategy,
    candles: &Candles,
    mut ask: impl FnMut() -> Result<(), E>,
) -> Result<Crossings<'s>, E> {
    let mut comparisons = Vec::new();
    strategy.rules().for_each(|rule| comparisons_of(rule, &mut comparisons));
    let (strict, others): (Vec<_>, Vec<_>) =
        comparisons.into_iter().partition(|comparison| compared(comparison).is_some());
    let mut elsewhere = Vec::new();
    others.iter().for_each(|comparison| calls_of_comparison(comparison, &mut elsewhere));
    strategy.levels().for_each(|level| calls_of_operand(level, &mut elsewhere));
    let mut feeds: Vec<(&Operand, Feed<'_>)> = Vec::new();
    let mut pairs: Vec<Pair<'s>> = Vec::new();
    for (operands, asks) in strict.into_iter().filter_map(compared) {
        if let Some(known) = pairs.iter_mut().find(|pair| pair.operands == operands) {
            known.asks = [known.asks[0] || asks[0], known.asks[1] || asks[1]];
            continue;
        }
        if !has_steps(operands)
            || !operands.iter().all(|operand| comes_in_steps(operand, candles, &elsewhere))
        {
            continue;
        }
        let feeds = operands.map(|operand| {
            let known = feeds.iter().position(|(known, _)| *known == operand);
            known.unwrap_or_else(|| {
                feeds.extend(Feed::of(operand, candles).map(|feed| (operand, feed)));
                feeds.len() - 1
            })
        });
        let [less, greater] = [Bits::empty(candles.len()), Bits::empty(candles.len())];
        pairs.push(Pair { operands, feeds, asks, less, greater });
    }
    if !pairs.is_empty() {
        compare(&mut feeds, &mut pairs, candles.len(), &mut ask)?;
    }
    let mut crossings = Crossings::default();
    for Pair { operands: [left, right], feeds: [one, other], mut less, mut greater, .. } in pairs {
        let first_defined = feeds[one].1.first_defined().max(feeds[other].1.first_defined());
        less.clear_before(first_defined);
        greater.clear_before(first_defined);
        crossings.insert((left, right), less, greater);
    }
    Ok(crossings)
}

fn compare<E>(
    feeds: &mut [(&Operand, Feed<'_>)],
    pairs: &mut [Pair<'_>],
    len: usize,
    ask: &mut impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    /// Blocks after which it is asked whether to go on.
    const PATIENCE: usize = 256;
    for (number, from) in (0..len).step_by(BLOCK).enumerate() {
        if number % PATIENCE == 0 {
            ask()?;
        }
        let end = len.min(from + BLOCK);
        feeds.iter_mut().for_each(|(_, feed)| feed.fill(end - from));
        for Pair { feeds: [left, right], asks, less, greater, .. } in &mut *pairs {
            let [left, right] = [*left, *right].map(|feed| feeds[feed].1.block(from, end));
            match asks {
                [true, false] => less.append_pairs(left, right, |left, right| left < right),
                [false, _] => greater.append_pairs(left, right, |left, right| left > right),
                [true, true] => Bits::append_less_and_greater(less, greater, left, right),
            }
        }
        feeds.iter_mut().for_each(|(_, feed)| feed.forget(end - from));
    }
    Ok(())
}

/// The operands of a crossing or a strict comparison, and whether it asks where the left one is less and where greater.
fn compared(comparison: &Comparison) -> Option<([&Operand; 2], [bool; 2])> {
    let Test::Is(comparator, right) = &comparison.test else { return None };
    let asks = match comparator {
        Comparator::CrossesAbove | Comparator::CrossesBelow => [true, true],
        Comparator::Less => [true, false],
        Comparator::Greater => [false, true],
        Comparator::GreaterOrEqual
        | Comparator::LessOrEqual
        | Comparator::Equal
        | Comparator::NotEqual => return None,
    };
    Some(([&comparison.left, right], asks))
}

fn comparisons_of<'s>(condition: &'s Condition, comparisons: &mut Vec<&'s Comparison>) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().for_each(|inner| comparisons_of(inner, comparisons));
        }
        Condition::Compare(comparison) => comparisons.push(comparison),
    }
}

/// Whether there is an indicator among them: columns that lie in memory are compared there.
fn has_steps(operands: [&Operand; 2]) -> bool {
    operands.iter().any(|operand| matches!(operand, Operand::Indicator(_)))
}

fn comes_in_steps(operand: &Operand, candles: &Candles, elsewhere: &[&IndicatorCall]) -> bool {
    let is_elsewhere = if let Operand::Indicator(call) = operand {
        elsewhere.iter().any(|other| other.is_same(call))
    } else {
        false
    };
    !is_elsewhere && Feed::of(operand, candles).is_some()
}

impl<'a> Feed<'a> {
    fn of(operand: &Operand, candles: &'a Candles) -> Option<Self> {
        match operand {
            Operand::Number(number) => Some(Self::Constant(vec![*number; BLOCK])),
            Operand::Source(source) => match source.column(candles) {
                Cow::Borrowed(values) => Some(Self::Column(values)),
                Cow::Owned(_) => None,
            },
            Operand::Indicator(call) => {
                let first_defined = (call.spec.first_defined)(&call.arguments).min(candles.len());
                let stream = stream(call, candles)?;
                Some(Self::Steps { first_defined, stream, values: Vec::with_capacity(2 * BLOCK) })
            }
            Operand::Lag(..)
            | Operand::Negate(_)
            | Operand::Arithmetic(..)
            | Operand::Min(_)
            | Operand::Max(_)
            | Operand::Abs(_) => None,
        }
    }

    fn first_defined(&self) -> usize {
        match self {
            Self::Constant(_) | Self::Column(_) => 0,
            Self::Steps { first_defined, .. } => *first_defined,
        }
    }

    /// Has the next values at hand.
    fn fill(&mut self, count: usize) {
        if let Self::Steps { stream, values, .. } = self {
            while values.len() < count {
                stream.extend(values);
            }
        }
    }

    fn block(&self, from: usize, end: usize) -> &[f64] {
        match self {
            Self::Constant(values) | Self::Steps { values, .. } => &values[..end - from],
            Self::Column(values) => &values[from..end],
        }
    }

    fn forget(&mut self, count: usize) {
        if let Self::Steps { values, .. } = self {
            values.drain(..count);
        }
    }
}
