//! JSON to rules: groups and conditions, every error by field path.

use serde_json::{Map, Value};

use super::{
    CONDITIONS_MAX, Fault, GROUP_DEPTH_MAX,
    comparators::{self, Word},
    expression::Expression,
    resolve::{self, Given},
    suggest::{did_you_mean, shown},
};
use crate::{
    error_code::ErrorCode,
    fields::FieldError,
    simulation::{rules::Comparator, source::Source},
};

/// A rule with its `$parameters` still in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Box<RuleComparison>),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleComparison {
    pub left: Term,
    pub test: RuleTest,
}

/// What the left side is held against.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleTest {
    Is(Comparator, Term),
    /// Both ends included.
    Between(Term, Term),
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// `entry_rules.conditions[0].indicator`
    pub field: String,
    /// `entry_rules.conditions[0].params`, where the arguments stand beside the name.
    pub params_field: Option<String>,
    pub expression: Expression,
}

/// Reads the rule set at `field`. `None` if there is nothing valid in it; the errors say why.
pub fn read(field: &str, rules: &Value, errors: &mut Vec<FieldError>) -> Option<Rule> {
    Reader { errors, conditions_left: CONDITIONS_MAX }.rule(field, rules, 0)
}

/// Reads the expression at `field`. `None` if it is not valid; the errors say why.
pub fn read_term(field: &str, value: &Value, errors: &mut Vec<FieldError>) -> Option<Term> {
    Reader { errors, conditions_left: 0 }.term(field.to_owned(), value)
}

/// Members of one `params`.
const PARAMS_MAX: usize = 20;
/// Unknown fields of one object that are reported.
const UNKNOWN_SHOWN_MAX: usize = 10;

struct Reader<'e> {
    errors: &'e mut Vec<FieldError>,
    conditions_left: usize,
}

impl Reader<'_> {
    fn rule(&mut self, field: &str, rule: &Value, depth: usize) -> Option<Rule> {
        if depth > GROUP_DEPTH_MAX {
            let message = format!("groups are nested more than {GROUP_DEPTH_MAX} deep");
            return self.fail(field, ErrorCode::TooDeep, message);
        }
        let Value::Object(members) = rule else {
            let message = format!("this is {}, not a condition or a group", kind(rule));
            return self.fail(field, ErrorCode::Invalid, message);
        };
        if members.contains_key("conditions") || members.contains_key("operator") {
            self.group(field, members, depth)
        } else {
            self.condition(field, members)
        }
    }

    fn group(&mut self, field: &str, members: &Map<String, Value>, depth: usize) -> Option<Rule> {
        self.check_members(field, members, &["operator", "conditions"]);
        let operator = self.operator(field, members.get("operator"));
        let list_field = format!("{field}.conditions");
        let list = match members.get("conditions") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => {
                return self.fail(
                    &list_field,
                    ErrorCode::EmptyGroup,
                    "a group holds at least one condition",
                );
            }
            Some(Value::Null) | None => {
                return self.fail(&list_field, ErrorCode::Required, "a group has conditions");
            }
            Some(other) => {
                let message = format!("this is {}, not a list", kind(other));
                return self.fail(&list_field, ErrorCode::Invalid, message);
            }
        };
        let mut rules = Vec::new();
        for (index, inner) in list.iter().enumerate() {
            if self.conditions_left == 0 {
                let message = format!("there are more than {CONDITIONS_MAX} conditions and groups");
                return self.fail(&list_field, ErrorCode::TooManyConditions, message);
            }
            self.conditions_left -= 1;
            rules.extend(self.rule(&format!("{list_field}[{index}]"), inner, depth + 1));
        }
        match operator? {
            _ if rules.is_empty() => None,
            Operator::And => Some(Rule::All(rules)),
            Operator::Or => Some(Rule::Any(rules)),
        }
    }

    fn operator(&mut self, field: &str, operator: Option<&Value>) -> Option<Operator> {
        let field = format!("{field}.operator");
        match operator {
            Some(Value::String(word)) if word.eq_ignore_ascii_case("and") => Some(Operator::And),
            Some(Value::String(word)) if word.eq_ignore_ascii_case("or") => Some(Operator::Or),
            Some(Value::String(word)) => {
                let message =
                    format!("unknown operator `{}`; known operators: and, or", shown(word));
                self.fail(&field, ErrorCode::UnknownOperator, message)
            }
            Some(Value::Null) | None => {
                self.fail(&field, ErrorCode::Required, "a group has an operator: and, or")
            }
            Some(other) => {
                let message = format!("this is {}, not `and` or `or`", kind(other));
                self.fail(&field, ErrorCode::Invalid, message)
            }
        }
    }

    fn condition(&mut self, field: &str, members: &Map<String, Value>) -> Option<Rule> {
        let known = ["indicator", "params", "comparator", "value", "between"];
        self.check_members(field, members, &known);
        let left = self.indicator(field, members);
        let test = self.test(field, members);
        Some(Rule::Compare(Box::new(RuleComparison { left: left?, test: test? })))
    }

    fn indicator(&mut self, field: &str, members: &Map<String, Value>) -> Option<Term> {
        let path = format!("{field}.indicator");
        let params = members.get("params").filter(|params| !params.is_null());
        let value = members.get("indicator").unwrap_or(&Value::Null);
        match (value, params) {
            (Value::Null, _) => {
                self.fail(&path, ErrorCode::Required, "a condition has an indicator")
            }
            (Value::String(name), Some(params)) => {
                let params_field = format!("{field}.params");
                let given = self.params(&params_field, params)?;
                let expression = resolve::parse_with(name, given).map_err(|faults| {
                    for (argument, fault) in faults {
                        let at = argument.map_or_else(
                            || path.clone(),
                            |name| format!("{params_field}.{}", shown(&name)),
                        );
                        self.report(&at, fault);
                    }
                });
                let expression = expression.ok()?;
                Some(Term { field: path, params_field: Some(params_field), expression })
            }
            (_, Some(_)) => self.fail(
                &path,
                ErrorCode::Invalid,
                "with `params` beside it, this is an indicator's name",
            ),
            (value, None) => self.term(path, value),
        }
    }

    /// The arguments beside an indicator's name.
    fn params(&mut self, field: &str, params: &Value) -> Option<Vec<(String, Given)>> {
        let Value::Object(members) = params else {
            let message = format!("this is {}, not an object", kind(params));
            return self.fail(field, ErrorCode::Invalid, message);
        };
        if members.len() > PARAMS_MAX {
            let message = format!("no indicator has more than {PARAMS_MAX} arguments");
            return self.fail(field, ErrorCode::Invalid, message);
        }
        let mut given = Vec::new();
        for (name, value) in members {
            match read_argument(value) {
                Ok(Some(argument)) => given.push((name.clone(), argument)),
                Ok(None) => {}
                Err(fault) => self.report(&format!("{field}.{}", shown(name)), fault),
            }
        }
        Some(given)
    }

    fn test(&mut self, field: &str, members: &Map<String, Value>) -> Option<RuleTest> {
        let comparator_field = format!("{field}.comparator");
        let between = members.get("between").filter(|pair| !pair.is_null());
        let value = members.get("value").filter(|value| !value.is_null());
        let word = match members.get("comparator").unwrap_or(&Value::Null) {
            Value::String(word) => match comparators::parse(word) {
                Ok(word) => Some(word),
                Err(fault) => {
                    self.report(&comparator_field, fault);
                    None
                }
            },
            Value::Null if between.is_some() => Some(Word::Between),
            Value::Null => {
                self.fail(&comparator_field, ErrorCode::Required, "a condition has a comparator")
            }
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let message = format!("this is {}, not a comparator", kind(other));
                self.fail(&comparator_field, ErrorCode::Invalid, message)
            }
        };
        match (word, value, between) {
            (Some(Word::Between), Some(pair), None) => self.pair(&format!("{field}.value"), pair),
            (Some(Word::Between), None, Some(pair)) => self.pair(&format!("{field}.between"), pair),
            (Some(Word::Between) | None, Some(_), Some(_)) => self.fail(
                &format!("{field}.between"),
                ErrorCode::Conflict,
                "it cannot be combined with `value`",
            ),
            (Some(Word::One(_)), _, Some(_)) => {
                let message = "with `between`, the comparator is `between` or left out";
                self.fail(&comparator_field, ErrorCode::Conflict, message)
            }
            (Some(Word::One(comparator)), Some(value), None) => {
                let term = self.term(format!("{field}.value"), value)?;
                Some(RuleTest::Is(comparator, term))
            }
            (_, None, None) => {
                self.fail(&format!("{field}.value"), ErrorCode::Required, "a condition has a value")
            }
            // The comparator is wrong, which was said; the value is looked at nevertheless.
            (None, Some(Value::Array(_)), None) | (None, None, Some(_)) => None,
            (None, Some(value), None) => {
                self.term(format!("{field}.value"), value);
                None
            }
        }
    }

    fn pair(&mut self, field: &str, pair: &Value) -> Option<RuleTest> {
        let Value::Array(ends) = pair else {
            let message = format!("this is {}, not a pair", kind(pair));
            return self.fail(field, ErrorCode::Invalid, message);
        };
        let [low, high] = ends.as_slice() else {
            let message = format!("a pair has two values, not {}", ends.len());
            return self.fail(field, ErrorCode::Invalid, message);
        };
        let low = self.term(format!("{field}[0]"), low);
        let high = self.term(format!("{field}[1]"), high);
        Some(RuleTest::Between(low?, high?))
    }

    /// A number or the text of an expression.
    fn term(&mut self, field: String, value: &Value) -> Option<Term> {
        let expression = match value {
            Value::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
                Some(number) => Ok(Expression::Number(number + 0.0)),
                None => Err(vec![Fault::new(ErrorCode::Invalid, "the number must be finite")]),
            },
            Value::String(text) => resolve::parse(text),
            Value::Null => Err(vec![Fault::new(ErrorCode::Required, "a value is needed")]),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(vec![Fault::new(
                ErrorCode::Invalid,
                format!("this is {}, not a number or an expression", kind(value)),
            )]),
        };
        match expression {
            Ok(expression) => Some(Term { field, params_field: None, expression }),
            Err(faults) => {
                for fault in faults {
                    self.report(&field, fault);
                }
                None
            }
        }
    }

    fn check_members(&mut self, field: &str, members: &Map<String, Value>, known: &[&str]) {
        let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
        for name in unknown.take(UNKNOWN_SHOWN_MAX) {
            let near = did_you_mean(name, known.iter().copied());
            let message = format!("there is no such field{near}");
            let name = shown(name);
            let _: Option<()> =
                self.fail(&format!("{field}.{name}"), ErrorCode::UnknownField, message);
        }
    }

    fn report(&mut self, field: &str, fault: Fault) {
        self.errors.push(FieldError::new(field, fault.code, fault.message));
    }

    /// Notes an error; there is no result.
    fn fail<T>(&mut self, field: &str, code: ErrorCode, message: impl Into<String>) -> Option<T> {
        self.report(field, Fault::new(code, message));
        None
    }
}

#[derive(Clone, Copy)]
enum Operator {
    And,
    Or,
}

/// One member of `params`; null is left out.
fn read_argument(value: &Value) -> Result<Option<Given>, Fault> {
    let wrong = || {
        let message = format!("this is {}, not a number, `$parameter` or source", kind(value));
        Fault::new(ErrorCode::Invalid, message)
    };
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite()).ok_or_else(wrong)?;
            Ok(Some(Given::Number(number + 0.0)))
        }
        Value::String(text) => {
            if let Some(source) = Source::parse(text.trim()) {
                return Ok(Some(Given::Source(source)));
            }
            match resolve::parse(text) {
                Ok(Expression::Number(number)) => Ok(Some(Given::Number(number))),
                Ok(Expression::Parameter(name)) => Ok(Some(Given::Parameter(name))),
                Ok(_) | Err(_) => Err(Fault::new(
                    ErrorCode::Invalid,
                    format!("`{}` is not a number, `$parameter` or source", shown(text)),
                )),
            }
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(wrong()),
    }
}

/// What a JSON value is, for messages.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
