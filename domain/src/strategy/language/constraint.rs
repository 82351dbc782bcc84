//! Constraints over a strategy's parameters: `short_window < long_window`, `fast * 2 <= slow - 1`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Fault,
    suggest::{did_you_mean, shown},
    syntax::{self, Argument, Name, Syntax},
};
use crate::{error_code::ErrorCode, number::Number, simulation::rules::Arithmetic};

/// A comparison of two expressions over parameters; a parameter is written by its name, with or without `$`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    left: Term,
    sign: Sign,
    right: Term,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// Longer signs before those that begin them.
const SIGNS: [(&str, Sign); 6] = [
    ("<=", Sign::LessOrEqual),
    (">=", Sign::GreaterOrEqual),
    ("==", Sign::Equal),
    ("!=", Sign::NotEqual),
    ("<", Sign::Less),
    (">", Sign::Greater),
];

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Number(f64),
    Parameter(String),
    Negate(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    Min(Vec<Self>),
    Max(Vec<Self>),
    Abs(Box<Self>),
}

impl Constraint {
    /// Reads a constraint over these parameters.
    ///
    /// # Errors
    /// One syntax error, an unknown parameter, or something that is no expression over parameters.
    pub fn parse(text: &str, parameters: &BTreeSet<&str>) -> Result<Self, Fault> {
        let at = |sign: &&(&'static str, Sign)| text.contains(sign.0);
        let Some((word, sign)) = SIGNS.iter().find(at) else {
            let message = "a constraint compares by one of <, <=, >, >=, == and !=";
            return Err(Fault::new(ErrorCode::InvalidConstraint, message));
        };
        let (left, right) = text.split_once(word).unwrap_or_default();
        let term = |text: &str| term(syntax::read(text)?, parameters);
        Ok(Self { left: term(left)?, sign: *sign, right: term(right)? })
    }

    /// Whether it holds; false where a side is no number (a quotient by zero) or a parameter is missing.
    #[must_use]
    pub fn holds(&self, parameters: &BTreeMap<String, Number>) -> bool {
        let sides = self.left.value(parameters).zip(self.right.value(parameters));
        sides.is_some_and(|(left, right)| match self.sign {
            Sign::Less => left < right,
            Sign::LessOrEqual => left <= right,
            Sign::Greater => left > right,
            Sign::GreaterOrEqual => left >= right,
            Sign::Equal => left == right,
            Sign::NotEqual => left != right,
        })
    }
}

fn term(syntax: Syntax, parameters: &BTreeSet<&str>) -> Result<Term, Fault> {
    let boxed = |inner| term(inner, parameters).map(Box::new);
    Ok(match syntax {
        Syntax::Number(number) => Term::Number(number),
        Syntax::Parameter(name) => known(name, parameters)?,
        Syntax::Name(Name { name, arguments: None, output: None }) => known(name, parameters)?,
        Syntax::Name(Name { name, arguments: Some(arguments), output: None }) => {
            function(&name, arguments, parameters)?
        }
        Syntax::Name(Name { name, output: Some(_), .. }) => return Err(not_allowed(&name)),
        Syntax::Lag(..) => {
            return Err(Fault::new(
                ErrorCode::InvalidConstraint,
                "parameters have no earlier values",
            ));
        }
        Syntax::Negate(inner) => Term::Negate(boxed(*inner)?),
        Syntax::Arithmetic(operation, left, right) => {
            Term::Arithmetic(operation, boxed(*left)?, boxed(*right)?)
        }
    })
}

fn known(name: String, parameters: &BTreeSet<&str>) -> Result<Term, Fault> {
    if parameters.contains(name.as_str()) {
        return Ok(Term::Parameter(name));
    }
    let near = did_you_mean(&name, parameters.iter().copied());
    let message = format!("there is no parameter `{}`{near}", shown(&name));
    Err(Fault::new(ErrorCode::UnknownParameter, message))
}

fn function(
    name: &str,
    arguments: Vec<Argument>,
    parameters: &BTreeSet<&str>,
) -> Result<Term, Fault> {
    let terms = arguments.into_iter().map(|argument| match argument {
        Argument { name: None, value } => term(value, parameters),
        Argument { name: Some(name), .. } => Err(not_allowed(&name)),
    });
    let mut terms = terms.collect::<Result<Vec<_>, _>>()?;
    match (name.to_ascii_lowercase().as_str(), terms.len()) {
        ("min", 2..) => Ok(Term::Min(terms)),
        ("max", 2..) => Ok(Term::Max(terms)),
        ("abs", 1) => Ok(Term::Abs(Box::new(terms.remove(0)))),
        _ => Err(not_allowed(name)),
    }
}

fn not_allowed(name: &str) -> Fault {
    let message = format!(
        "`{}` cannot stand in a constraint: it takes parameters, numbers, + - * /, min, max and abs",
        shown(name)
    );
    Fault::new(ErrorCode::InvalidConstraint, message)
}

impl Term {
    /// `None` if it is not finite.
    fn value(&self, parameters: &BTreeMap<String, Number>) -> Option<f64> {
        let value = |term: &Self| term.value(parameters);
        let fold = |terms: &[Self], pick: fn(f64, f64) -> f64| {
            let values: Option<Vec<f64>> = terms.iter().map(value).collect();
            values?.into_iter().reduce(pick)
        };
        let found = match self {
            Self::Number(number) => *number,
            Self::Parameter(name) => parameters.get(name)?.get(),
            Self::Negate(inner) => -value(inner)?,
            Self::Arithmetic(operation, left, right) => {
                let (left, right) = (value(left)?, value(right)?);
                match operation {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
            Self::Min(terms) => fold(terms, f64::min)?,
            Self::Max(terms) => fold(terms, f64::max)?,
            Self::Abs(inner) => value(inner)?.abs(),
        };
        found.is_finite().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parameters() -> BTreeMap<String, Number> {
        let pairs = [("short_window", 10.0), ("long_window", 30.0), ("zero", 0.0)];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), Number::try_new(value).unwrap()));
        pairs.into_iter().collect()
    }

    fn parse(text: &str) -> Result<Constraint, Fault> {
        let parameters = parameters();
        Constraint::parse(text, &parameters.keys().map(String::as_str).collect())
    }

    #[rstest]
    #[case("short_window < long_window", true)]
    #[case("$short_window < $long_window", true)]
    #[case("long_window<=short_window", false)]
    #[case("short_window * 3 == long_window", true)]
    #[case("short_window * 3 != long_window", false)]
    #[case("long_window - 5 >= 2 * (short_window + 2)", true)]
    #[case("max(short_window, 5) > min(12, long_window)", false)]
    #[case("abs(short_window - long_window) > 19", true)]
    #[case("-short_window > -11", true)]
    #[case("short_window / zero > 1", false)]
    fn a_constraint_holds_or_not(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(parse(text).unwrap().holds(&parameters()), expected, "{text}");
    }

    #[rstest]
    #[case("short_window", "invalid_constraint")]
    #[case("short_window < ", "syntax")]
    #[case("shrt_window < long_window", "unknown_parameter")]
    #[case("sma(short_window) < long_window", "invalid_constraint")]
    #[case("short_window[1] < long_window", "invalid_constraint")]
    #[case("short_window < long_window < 5", "syntax")]
    fn what_is_no_constraint_is_refused(#[case] text: &str, #[case] code: &str) {
        assert_eq!(parse(text).unwrap_err().code.as_str(), code, "{text}");
    }

    #[test]
    fn a_misspelt_parameter_suggests_the_nearest() {
        let fault = parse("shrt_window < 5").unwrap_err();
        assert!(fault.message.contains("short_window"), "{}", fault.message);
    }
}
