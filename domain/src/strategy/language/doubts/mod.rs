//! What is valid in rules and cannot mean what it says: comparisons whose result is known in advance, and their like.

mod range;

use range::Range;

use super::{
    bind::{Binder, BoundTerm},
    rules::{Rule, RuleComparison, RuleTest, Term},
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::rules::{Arithmetic, Comparator, Operand},
    strategy::parameters::Parameters,
};

/// Adds a warning for every doubt about a rule with these parameters.
pub fn of_rule(rule: &Rule, parameters: &Parameters, warnings: &mut Vec<FieldError>) {
    match rule {
        Rule::All(rules) | Rule::Any(rules) => {
            for rule in rules {
                of_rule(rule, parameters, warnings);
            }
        }
        Rule::Compare(comparison) => of_comparison(comparison, parameters, warnings),
    }
}

/// Adds a warning if an expression divides by zero with these parameters.
pub fn of_term(term: &Term, parameters: &Parameters, warnings: &mut Vec<FieldError>) {
    if let Some(bound) = bound(term, parameters) {
        is_sound(term, &bound, warnings);
    }
}

/// The expression with numbers in place; `None` if something is wrong, which is reported as an error elsewhere.
fn bound(term: &Term, parameters: &Parameters) -> Option<BoundTerm> {
    Binder::new(parameters, "default_parameters", &mut Vec::new()).term(term)
}

fn of_comparison(
    comparison: &RuleComparison,
    parameters: &Parameters,
    warnings: &mut Vec<FieldError>,
) {
    let RuleComparison { left, test } = comparison;
    let Some(bound_left) = bound(left, parameters) else { return };
    let mut are_sound = is_sound(left, &bound_left, warnings);
    match test {
        RuleTest::Is(comparator, right) => {
            let Some(bound_right) = bound(right, parameters) else { return };
            are_sound &= is_sound(right, &bound_right, warnings);
            if let Some((code, message)) = compared(&bound_left, *comparator, &bound_right)
                && are_sound
            {
                warnings.push(FieldError::new(right.field.as_str(), code, message));
            }
        }
        RuleTest::Between(low, high) => {
            let ends = bound(low, parameters).zip(bound(high, parameters));
            let Some((bound_low, bound_high)) = ends else { return };
            are_sound &= is_sound(low, &bound_low, warnings);
            are_sound &= is_sound(high, &bound_high, warnings);
            if let Some((code, message)) = between(&bound_left, &bound_low, &bound_high)
                && are_sound
            {
                let field = low.field.strip_suffix("[0]").unwrap_or(&low.field);
                warnings.push(FieldError::new(field, code, message));
            }
        }
    }
}

/// Warns of a division by what is always zero.
fn is_sound(term: &Term, bound: &BoundTerm, warnings: &mut Vec<FieldError>) -> bool {
    if !divides_by_zero(&bound.operand) {
        return true;
    }
    let message = format!("`{}` divides by zero: it never has a value", bound.text);
    warnings.push(FieldError::new(term.field.as_str(), ErrorCode::DivisionByZero, message));
    false
}

fn divides_by_zero(operand: &Operand) -> bool {
    match operand {
        Operand::Number(_) | Operand::Source(_) | Operand::Indicator(_) => false,
        Operand::Lag(inner, _) | Operand::Negate(inner) | Operand::Abs(inner) => {
            divides_by_zero(inner)
        }
        Operand::Arithmetic(operation, left, right) => {
            let is_zero = *operation == Arithmetic::Divide
                && Range::of(right).constant().is_some_and(|value| value == 0.0);
            is_zero || divides_by_zero(left) || divides_by_zero(right)
        }
        Operand::Min(list) | Operand::Max(list) => list.iter().any(divides_by_zero),
    }
}

type Doubt = (ErrorCode, String);

fn compared(left: &BoundTerm, comparator: Comparator, right: &BoundTerm) -> Option<Doubt> {
    let (one, other) = (Range::of(&left.operand), Range::of(&right.operand));
    let text = format!("{} {} {}", left.text, comparator.sign(), right.text);
    if one.constant().is_some() && other.constant().is_some() {
        let holds = outcome(one.verdict(comparator, other)?);
        return Some((
            ErrorCode::ConstantCondition,
            format!("`{text}` compares constants: it {holds}"),
        ));
    }
    if left.operand == right.operand {
        let with_itself = matches!(
            comparator,
            Comparator::GreaterOrEqual | Comparator::LessOrEqual | Comparator::Equal
        );
        let message = format!("`{text}` has the same on both sides: it {}", outcome(with_itself));
        return Some((ErrorCode::SameOnBothSides, message));
    }
    let holds = one.verdict(comparator, other)?;
    Some(known_in_advance(&text, holds, &[(left, one), (right, other)]))
}

fn between(left: &BoundTerm, low: &BoundTerm, high: &BoundTerm) -> Option<Doubt> {
    let range = Range::of(&left.operand);
    let (lower, upper) = (Range::of(&low.operand), Range::of(&high.operand));
    let text = format!("{} between {} and {}", left.text, low.text, high.text);
    if lower.verdict(Comparator::Greater, upper) == Some(true) || are_bands_reversed(low, high) {
        let (low, high) = (&low.text, &high.text);
        let message =
            format!("`{text}` never holds: {low} is above {high}; write the lower end first");
        return Some((ErrorCode::ReversedRange, message));
    }
    let is_above = range.verdict(Comparator::GreaterOrEqual, lower);
    let is_below = range.verdict(Comparator::LessOrEqual, upper);
    let holds = match (is_above, is_below) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), Some(true)) => true,
        (None, _) | (_, None) => return None,
    };
    if [range, lower, upper].into_iter().all(|range| range.constant().is_some()) {
        let message = format!("`{text}` compares constants: it {}", outcome(holds));
        return Some((ErrorCode::ConstantCondition, message));
    }
    Some(known_in_advance(&text, holds, &[(left, range), (low, lower), (high, upper)]))
}

/// Whether the ends are the bands of one indicator, the upper first.
fn are_bands_reversed(low: &BoundTerm, high: &BoundTerm) -> bool {
    let (Operand::Indicator(low), Operand::Indicator(high)) = (&low.operand, &high.operand) else {
        return false;
    };
    let bands = ["upper", "middle", "lower"];
    let has_bands = low.spec.outputs == bands && low.is_same(high);
    has_bands && low.output < high.output
}

/// The doubt about a comparison that its sides decide, of which those that are no numbers are explained.
fn known_in_advance(text: &str, holds: bool, sides: &[(&BoundTerm, Range)]) -> Doubt {
    let code = if holds { ErrorCode::AlwaysTrue } else { ErrorCode::NeverTrue };
    let mut reasons: Vec<String> = Vec::new();
    for (term, range) in sides.iter().filter(|(_, range)| range.constant().is_none()) {
        let reason = format!("{} {range}", term.text);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    (code, format!("`{text}` {}: {}", outcome(holds), reasons.join(", and ")))
}

const fn outcome(holds: bool) -> &'static str {
    if holds { "always holds" } else { "never holds" }
}
