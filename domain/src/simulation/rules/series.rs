//! Operands of comparisons as columns, computed once over all candles.

use std::{borrow::Cow, sync::Arc};

use super::{Arithmetic, Comparison, Condition, Operand, Test};
use crate::simulation::{
    candles::Candles,
    indicators::{Columns, IndicatorCall},
};

/// An operand's values, one a candle. A quotient by zero is IEEE's NaN, which no comparison accepts; it
/// does not leave the comparison that it stands in.
#[derive(Debug)]
pub(crate) enum Series<'a> {
    Constant(f64),
    Column {
        /// Index of the first value; those before mean nothing.
        first_defined: usize,
        values: Cow<'a, [f64]>,
    },
}

/// Every indicator that some rules call, each computed once.
#[derive(Debug, Default)]
pub(crate) struct Indicators<'a> {
    computed: Vec<(&'a IndicatorCall, Arc<Columns>)>,
}

impl<'a> Indicators<'a> {
    /// Gets what `condition` calls and is not there yet from `columns`, which may refuse; not for
    /// comparisons whose result is known.
    pub(crate) fn compute<E>(
        &mut self,
        condition: &'a Condition,
        is_known: impl Fn(&Comparison) -> bool + Copy,
        columns: &mut impl FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    ) -> Result<(), E> {
        let mut calls = Vec::new();
        calls_of_unknown(condition, is_known, &mut calls);
        self.compute_calls(calls, columns)
    }

    /// As [`Self::compute`], of an operand that stands alone.
    pub(crate) fn compute_operand<E>(
        &mut self,
        operand: &'a Operand,
        columns: &mut impl FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    ) -> Result<(), E> {
        let mut calls = Vec::new();
        calls_of_operand(operand, &mut calls);
        self.compute_calls(calls, columns)
    }

    fn compute_calls<E>(
        &mut self,
        calls: Vec<&'a IndicatorCall>,
        columns: &mut impl FnMut(&IndicatorCall) -> Result<Arc<Columns>, E>,
    ) -> Result<(), E> {
        for call in calls {
            if self.find(call).is_none() {
                self.computed.push((call, columns(call)?));
            }
        }
        Ok(())
    }

    /// The memory of a column that nobody else holds.
    pub(crate) fn into_spare(self) -> Option<Vec<f64>> {
        let columns = self.computed.into_iter().filter_map(|(_, columns)| Arc::into_inner(columns));
        columns.flatten().map(|column| column.values).next()
    }

    fn find(&self, call: &IndicatorCall) -> Option<&Columns> {
        self.computed.iter().find(|(known, _)| known.is_same(call)).map(|(_, columns)| &**columns)
    }

    /// The operand's values; the indicators in it have been computed.
    pub(crate) fn series<'s>(&'s self, operand: &Operand, candles: &'s Candles) -> Series<'s> {
        match operand {
            Operand::Number(number) => Series::Constant(*number),
            Operand::Source(source) => {
                Series::Column { first_defined: 0, values: source.column(candles) }
            }
            Operand::Indicator(call) => {
                match self.find(call).and_then(|columns| columns.get(call.output)) {
                    Some(column) => Series::Column {
                        first_defined: column.first_defined,
                        values: Cow::Borrowed(&column.values),
                    },
                    // An output that its indicator does not have is defined nowhere.
                    None => Series::Column {
                        first_defined: candles.len(),
                        values: Cow::Borrowed(&candles.close),
                    },
                }
            }
            Operand::Lag(inner, lag) => self.series(inner, candles).lagged(*lag),
            Operand::Negate(inner) => self.series(inner, candles).map(|value| -value),
            Operand::Abs(inner) => self.series(inner, candles).map(f64::abs),
            Operand::Arithmetic(operation, left, right) => {
                let (left, right) = (self.series(left, candles), self.series(right, candles));
                match operation {
                    Arithmetic::Add => left.zip(right, |a, b| a + b),
                    Arithmetic::Subtract => left.zip(right, |a, b| a - b),
                    Arithmetic::Multiply => left.zip(right, |a, b| a * b),
                    Arithmetic::Divide => left.zip(right, quotient),
                }
            }
            Operand::Min(operands) => {
                self.reduce(operands, candles, |a, b| if a < b || a.is_nan() { a } else { b })
            }
            Operand::Max(operands) => {
                self.reduce(operands, candles, |a, b| if a > b || a.is_nan() { a } else { b })
            }
        }
    }

    fn reduce<'s>(
        &'s self,
        operands: &[Operand],
        candles: &'s Candles,
        pick: fn(f64, f64) -> f64,
    ) -> Series<'s> {
        let all = operands.iter().map(|operand| self.series(operand, candles));
        let undefined = Series::Column { first_defined: candles.len(), values: Cow::Borrowed(&[]) };
        all.reduce(|left, right| left.zip(right, pick)).unwrap_or(undefined)
    }
}

impl<'a> Series<'a> {
    /// The finite value at `index`, if there is one.
    pub(crate) fn at(&self, index: usize) -> Option<f64> {
        let value = match self {
            Self::Constant(value) => *value,
            Self::Column { first_defined, values } => {
                (index >= *first_defined).then(|| values.get(index).copied())??
            }
        };
        value.is_finite().then_some(value)
    }

    /// Its values without what they were borrowed from.
    pub(crate) fn into_owned(self) -> Series<'static> {
        match self {
            Self::Constant(value) => Series::Constant(value),
            Self::Column { first_defined, values } => {
                Series::Column { first_defined, values: Cow::Owned(values.into_owned()) }
            }
        }
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(change(value)),
            Self::Column { first_defined, values } => Self::Column {
                first_defined,
                values: values.iter().map(|value| change(*value)).collect(),
            },
        }
    }

    fn zip(self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(left), Self::Constant(right)) => Self::Constant(join(left, right)),
            (Self::Constant(left), right @ Self::Column { .. }) => {
                right.map(|right| join(left, right))
            }
            (left @ Self::Column { .. }, Self::Constant(right)) => {
                left.map(|left| join(left, right))
            }
            (
                Self::Column { first_defined: left_first, values: left },
                Self::Column { first_defined: right_first, values: right },
            ) => Self::Column {
                first_defined: left_first.max(right_first),
                values: left.iter().zip(&*right).map(|(a, b)| join(*a, *b)).collect(),
            },
        }
    }

    fn lagged(self, lag: usize) -> Self {
        match self {
            Self::Constant(_) => self,
            Self::Column { first_defined, values } => {
                let moved = values.len().saturating_sub(lag);
                let mut later = vec![0.0; values.len()];
                let start = later.len() - moved;
                later[start..].copy_from_slice(&values[..moved]);
                Self::Column {
                    first_defined: first_defined.saturating_add(lag).min(values.len()),
                    values: Cow::Owned(later),
                }
            }
        }
    }
}

fn quotient(dividend: f64, divisor: f64) -> f64 {
    if divisor == 0.0 { f64::NAN } else { dividend / divisor }
}

/// As [`calls_of_condition`], without comparisons whose result is known.
fn calls_of_unknown<'a>(
    condition: &'a Condition,
    is_known: impl Fn(&Comparison) -> bool + Copy,
    calls: &mut Vec<&'a IndicatorCall>,
) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().for_each(|inner| calls_of_unknown(inner, is_known, calls));
        }
        Condition::Compare(comparison) if is_known(comparison) => {}
        Condition::Compare(comparison) => calls_of_comparison(comparison, calls),
    }
}

/// Every indicator call of a condition, repeated ones included.
pub(crate) fn calls_of_condition<'a>(condition: &'a Condition, calls: &mut Vec<&'a IndicatorCall>) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().for_each(|inner| calls_of_condition(inner, calls));
        }
        Condition::Compare(comparison) => calls_of_comparison(comparison, calls),
    }
}

/// Every indicator call of a comparison, repeated ones included.
pub(crate) fn calls_of_comparison<'a>(
    comparison: &'a Comparison,
    calls: &mut Vec<&'a IndicatorCall>,
) {
    calls_of_operand(&comparison.left, calls);
    match &comparison.test {
        Test::Is(_, right) => calls_of_operand(right, calls),
        Test::Between(low, high) => {
            calls_of_operand(low, calls);
            calls_of_operand(high, calls);
        }
    }
}

/// Every indicator call of an operand, repeated ones included.
pub(crate) fn calls_of_operand<'a>(operand: &'a Operand, calls: &mut Vec<&'a IndicatorCall>) {
    match operand {
        Operand::Number(_) | Operand::Source(_) => {}
        Operand::Indicator(call) => calls.push(call),
        Operand::Lag(inner, _) | Operand::Negate(inner) | Operand::Abs(inner) => {
            calls_of_operand(inner, calls);
        }
        Operand::Arithmetic(_, left, right) => {
            calls_of_operand(left, calls);
            calls_of_operand(right, calls);
        }
        Operand::Min(operands) | Operand::Max(operands) => {
            operands.iter().for_each(|inner| calls_of_operand(inner, calls));
        }
    }
}
