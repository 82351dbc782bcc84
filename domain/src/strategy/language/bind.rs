//! Rules and numbers to what the engine evaluates: `$parameters` replaced, arguments checked.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CALLS_MAX,
    expression::{Argument, Call, Expression},
    rules::{Rule, RuleComparison, RuleTest, Term},
    suggest::{did_you_mean, shown},
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    number::Number,
    simulation::{
        indicators::{Arguments, IndicatorCall, IndicatorSpec, ParameterKind, ParameterSpec},
        rules::{Comparison, Condition, Operand, Test},
    },
};

/// Puts numbers in place of parameters.
pub struct Binder<'a> {
    parameters: &'a BTreeMap<String, Number>,
    parameters_field: &'a str,
    errors: &'a mut Vec<FieldError>,
    /// The texts of all calls so far, of all rules that it binds.
    calls: BTreeSet<String>,
}

impl<'a> Binder<'a> {
    /// `parameters_field` is where the parameters come from: `parameters` or `default_parameters`.
    pub fn new(
        parameters: &'a BTreeMap<String, Number>,
        parameters_field: &'a str,
        errors: &'a mut Vec<FieldError>,
    ) -> Self {
        Self { parameters, parameters_field, errors, calls: BTreeSet::new() }
    }

    /// Returns the rule with numbers in place; `None` if something is wrong, which the errors say.
    pub fn bind(&mut self, rule: &Rule) -> Option<Condition> {
        match rule {
            Rule::All(rules) => self.bind_group(rules).map(Condition::All),
            Rule::Any(rules) => self.bind_group(rules).map(Condition::Any),
            Rule::Compare(comparison) => {
                let RuleComparison { left, test } = &**comparison;
                let left = self.term(left);
                let test = match test {
                    RuleTest::Is(comparator, right) => {
                        let right = self.term(right);
                        right.map(|right| {
                            (Test::Is(*comparator, right.operand), {
                                format!("{} {}", comparator.sign(), right.text)
                            })
                        })
                    }
                    RuleTest::Between(low, high) => {
                        let (low, high) = (self.term(low), self.term(high));
                        low.zip(high).map(|(low, high)| {
                            let text = format!("between {} and {}", low.text, high.text);
                            (Test::Between(low.operand, high.operand), text)
                        })
                    }
                };
                let (left, (test, right_text)) = (left?, test?);
                let text = format!("{} {right_text}", left.text);
                Some(Condition::Compare(Comparison { left: left.operand, test, text }))
            }
        }
    }

    /// Every rule is looked at, so that every error is found.
    fn bind_group(&mut self, rules: &[Rule]) -> Option<Vec<Condition>> {
        let bound: Vec<_> = rules.iter().map(|rule| self.bind(rule)).collect();
        bound.into_iter().collect()
    }

    /// Returns the expression with numbers in place; `None` if something is wrong, which the errors say.
    pub fn operand(&mut self, term: &Term) -> Option<Operand> {
        self.term(term).map(|bound| bound.operand)
    }

    /// Returns the expression with numbers in place and its text, as [`Self::operand`].
    pub(super) fn term(&mut self, term: &Term) -> Option<BoundTerm> {
        let expression = self.expression(term, &term.expression)?;
        let text = expression.to_string();
        Some(BoundTerm { operand: operand(expression)?, text })
    }

    /// The expression without parameters, its arguments checked.
    fn expression(&mut self, term: &Term, expression: &Expression) -> Option<Expression> {
        let bound = match expression {
            Expression::Number(_) | Expression::Source(_) => expression.clone(),
            Expression::Parameter(name) => Expression::Number(self.parameter(&term.field, name)?),
            Expression::Call(call) => Expression::Call(self.call(term, call)?),
            Expression::Lag(inner, candles) => {
                Expression::Lag(Box::new(self.expression(term, inner)?), *candles)
            }
            Expression::Negate(inner) => self.expression(term, inner)?.negated(),
            Expression::Arithmetic(operator, left, right) => {
                let (left, right) = (self.expression(term, left), self.expression(term, right));
                Expression::Arithmetic(*operator, Box::new(left?), Box::new(right?))
            }
            Expression::Min(list) => Expression::Min(self.list(term, list)?),
            Expression::Max(list) => Expression::Max(self.list(term, list)?),
            Expression::Abs(inner) => Expression::Abs(Box::new(self.expression(term, inner)?)),
        };
        Some(bound)
    }

    fn list(&mut self, term: &Term, list: &[Expression]) -> Option<Vec<Expression>> {
        let bound: Vec<_> = list.iter().map(|inner| self.expression(term, inner)).collect();
        bound.into_iter().collect()
    }

    fn parameter(&mut self, field: &str, name: &str) -> Option<f64> {
        if let Some(number) = self.parameters.get(name) {
            return Some(number.get());
        }
        let near = did_you_mean(name, self.parameters.keys().map(String::as_str));
        let message = format!("`${}` is not among default_parameters{near}", shown(name));
        self.fail(field.to_owned(), ErrorCode::UnknownParameter, message);
        None
    }

    fn call(&mut self, term: &Term, call: &Call) -> Option<Call> {
        let mut numbers = Vec::new();
        for (argument, parameter) in call.numbers.iter().zip(numeric(call.spec)) {
            let beside = || term.params_field.as_ref().map(|at| format!("{at}.{}", parameter.name));
            let field = beside().unwrap_or_else(|| term.field.clone());
            let (value, field) = match argument {
                Argument::Number(number) => (Some(*number), field),
                Argument::Parameter(name) => {
                    let value = self.parameter(&field, name);
                    (value, format!("{}.{name}", self.parameters_field))
                }
            };
            let Some(value) = value else { continue };
            match check(call.spec.name, parameter.name, &parameter.kind, value) {
                Ok(()) => numbers.push(value),
                Err((code, message)) => self.fail(field, code, message),
            }
        }
        if numbers.len() < call.numbers.len() {
            return None;
        }
        self.check_order(term, call, &numbers)?;
        let numbers = numbers.into_iter().map(Argument::Number).collect();
        let call = Call { numbers, ..call.clone() };
        self.count(term, &call)?;
        Some(call)
    }

    /// Each different call is a column in memory.
    fn count(&mut self, term: &Term, call: &Call) -> Option<()> {
        self.calls.insert(call.to_string());
        if self.calls.len() <= CALLS_MAX {
            return Some(());
        }
        if self.calls.len() == CALLS_MAX + 1 {
            let message = format!("a strategy uses at most {CALLS_MAX} different indicators");
            self.fail(term.field.clone(), ErrorCode::TooManyIndicators, message);
        }
        None
    }

    /// A fast average is faster than a slow one.
    fn check_order(&mut self, term: &Term, call: &Call, numbers: &[f64]) -> Option<()> {
        let value_of = |name| {
            let index = numeric(call.spec).position(|parameter| parameter.name == name);
            index.and_then(|index| numbers.get(index))
        };
        let (Some(fast), Some(slow)) = (value_of("fast"), value_of("slow")) else {
            return Some(());
        };
        if fast < slow {
            return Some(());
        }
        let message = format!("`{}` needs fast below slow, not {fast} and {slow}", call.spec.name);
        self.fail(
            term.params_field.as_ref().unwrap_or(&term.field).clone(),
            ErrorCode::InvalidPeriod,
            message,
        );
        None
    }

    /// Notes an error once, however often a parameter is used.
    fn fail(&mut self, field: String, code: ErrorCode, message: String) {
        let error = FieldError::new(field, code, message);
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

/// The parameters that are not sources.
fn numeric(spec: &IndicatorSpec) -> impl Iterator<Item = &ParameterSpec> {
    spec.parameters.iter().filter(|known| !matches!(known.kind, ParameterKind::Source { .. }))
}

/// An expression with numbers in place.
pub(super) struct BoundTerm {
    pub(super) operand: Operand,
    pub(super) text: String,
}

/// Whether an argument is in range: code and message when it is not.
fn check(
    indicator: &str,
    name: &str,
    kind: &ParameterKind,
    value: f64,
) -> Result<(), (ErrorCode, String)> {
    match kind {
        ParameterKind::Integer { minimum, maximum, .. } => {
            let fits = value.fract() == 0.0
                && value >= f64::from(*minimum)
                && value <= f64::from(*maximum);
            let message = || {
                format!(
                    "{name} {value}: the {name} of `{indicator}` is a whole number from {minimum} to {maximum}"
                )
            };
            if fits { Ok(()) } else { Err((ErrorCode::InvalidPeriod, message())) }
        }
        ParameterKind::Number { minimum, maximum, .. } => {
            let message = || {
                format!(
                    "{name} {value}: the {name} of `{indicator}` is a number from {minimum} to {maximum}"
                )
            };
            if (*minimum..=*maximum).contains(&value) {
                Ok(())
            } else {
                Err((ErrorCode::OutOfRange, message()))
            }
        }
        ParameterKind::Source { .. } => Ok(()),
    }
}

/// What the engine evaluates; none while a parameter is left in it.
fn operand(expression: Expression) -> Option<Operand> {
    Some(match expression {
        Expression::Number(number) => Operand::Number(number),
        Expression::Parameter(_) => return None,
        Expression::Source(source) => Operand::Source(source),
        Expression::Call(call) => Operand::Indicator(indicator_call(call)?),
        Expression::Lag(inner, candles) => Operand::Lag(boxed(inner)?, candles),
        Expression::Negate(inner) => Operand::Negate(boxed(inner)?),
        Expression::Arithmetic(operator, left, right) => {
            Operand::Arithmetic(operator, boxed(left)?, boxed(right)?)
        }
        Expression::Min(list) => Operand::Min(operands(list)?),
        Expression::Max(list) => Operand::Max(operands(list)?),
        Expression::Abs(inner) => Operand::Abs(boxed(inner)?),
    })
}

#[expect(clippy::boxed_local, reason = "the expression holds it so")]
fn boxed(inner: Box<Expression>) -> Option<Box<Operand>> {
    operand(*inner).map(Box::new)
}

fn operands(list: Vec<Expression>) -> Option<Vec<Operand>> {
    list.into_iter().map(operand).collect()
}

fn indicator_call(call: Call) -> Option<IndicatorCall> {
    let numbers = call.numbers.into_iter().map(|argument| match argument {
        Argument::Number(number) => Some(number),
        Argument::Parameter(_) => None,
    });
    let arguments = Arguments { numbers: numbers.collect::<Option<_>>()?, source: call.source };
    Some(IndicatorCall { spec: call.spec, arguments, output: call.output })
}
