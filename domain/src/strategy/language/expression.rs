//! Typed expressions with `$parameters` still in them, and their canonical text.

use std::fmt;

use crate::simulation::{
    indicators::{IndicatorSpec, ParameterKind},
    rules::Arithmetic,
    source::Source,
};

/// An expression whose names are known; equal ones print the same text.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Number(f64),
    /// `$name`.
    Parameter(String),
    Source(Source),
    Call(Call),
    /// The value that many candles earlier, above 0.
    Lag(Box<Self>, usize),
    /// Never of a number: that is a negative number.
    Negate(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
    /// Of two or more.
    Min(Vec<Self>),
    /// Of two or more.
    Max(Vec<Self>),
    Abs(Box<Self>),
}

/// One output of an indicator.
#[derive(Debug, Clone)]
pub struct Call {
    pub spec: &'static IndicatorSpec,
    /// In the order of the spec without its source; defaults filled in.
    pub numbers: Vec<Argument>,
    /// `close` where the spec has none.
    pub source: Source,
    /// Index in the spec's outputs.
    pub output: usize,
}

/// A numeric argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    Number(f64),
    /// `$name`.
    Parameter(String),
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        (self.spec.name, &self.numbers, self.source, self.output)
            == (other.spec.name, &other.numbers, other.source, other.output)
    }
}

impl Expression {
    /// The expression with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        if let Self::Number(number) = self {
            // Not -0: it would be another text with the same meaning.
            Self::Number(0.0 - number)
        } else {
            Self::Negate(Box::new(self))
        }
    }

    /// Calls `visit` with the name of each parameter, repeated ones included.
    pub fn visit_parameters<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::Number(_) | Self::Source(_) => {}
            Self::Parameter(name) => visit(name),
            Self::Call(call) => {
                for argument in &call.numbers {
                    if let Argument::Parameter(name) = argument {
                        visit(name);
                    }
                }
            }
            Self::Lag(inner, _) | Self::Negate(inner) | Self::Abs(inner) => {
                inner.visit_parameters(visit);
            }
            Self::Arithmetic(_, left, right) => {
                left.visit_parameters(visit);
                right.visit_parameters(visit);
            }
            Self::Min(list) | Self::Max(list) => {
                for inner in list {
                    inner.visit_parameters(visit);
                }
            }
        }
    }

    /// How tightly it binds: sums 1, products 2, signs 3, everything else 4.
    fn precedence(&self) -> u8 {
        match self {
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, ..) => 1,
            Self::Arithmetic(Arithmetic::Multiply | Arithmetic::Divide, ..) => 2,
            Self::Negate(_) => 3,
            Self::Number(number) if number.is_sign_negative() => 3,
            Self::Number(_)
            | Self::Parameter(_)
            | Self::Source(_)
            | Self::Call(_)
            | Self::Lag(..)
            | Self::Min(_)
            | Self::Max(_)
            | Self::Abs(_) => 4,
        }
    }

    /// Writes it in parentheses where it binds less tightly than `least`.
    fn write(&self, formatter: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.precedence() < least {
            write!(formatter, "({self})")
        } else {
            write!(formatter, "{self}")
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Parameter(name) => write!(formatter, "${name}"),
            Self::Source(source) => formatter.write_str(source.as_str()),
            Self::Call(call) => write!(formatter, "{call}"),
            Self::Lag(inner, candles) => {
                inner.write(formatter, 4)?;
                write!(formatter, "[{candles}]")
            }
            Self::Negate(inner) => {
                formatter.write_str("-")?;
                inner.write(formatter, 4)
            }
            Self::Arithmetic(operator, left, right) => {
                let (sign, precedence) = match operator {
                    Arithmetic::Add => ('+', 1),
                    Arithmetic::Subtract => ('-', 1),
                    Arithmetic::Multiply => ('*', 2),
                    Arithmetic::Divide => ('/', 2),
                };
                left.write(formatter, precedence)?;
                write!(formatter, " {sign} ")?;
                right.write(formatter, precedence + 1)
            }
            Self::Min(list) => write_list(formatter, "min", list),
            Self::Max(list) => write_list(formatter, "max", list),
            Self::Abs(inner) => write!(formatter, "abs({inner})"),
        }
    }
}

impl fmt::Display for Call {
    /// `rsi(14)`, `sma(20, hl2)`, `highest(high, 20)`, `macd(12, 26, 9).signal`: a last source only
    /// where it is not the default, an output where there are several.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.numbers.iter();
        let mut texts = Vec::new();
        let count = self.spec.parameters.len();
        for (index, parameter) in self.spec.parameters.iter().enumerate() {
            match &parameter.kind {
                ParameterKind::Source { default } => {
                    if index + 1 < count || self.source != *default {
                        texts.push(self.source.as_str().to_owned());
                    }
                }
                ParameterKind::Integer { .. } | ParameterKind::Number { .. } => {
                    texts.extend(numbers.next().map(ToString::to_string));
                }
            }
        }
        formatter.write_str(self.spec.name)?;
        if !texts.is_empty() {
            write!(formatter, "({})", texts.join(", "))?;
        }
        match self.spec.outputs.get(self.output) {
            Some(output) if self.spec.outputs.len() > 1 => write!(formatter, ".{output}"),
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Parameter(name) => write!(formatter, "${name}"),
        }
    }
}

fn write_list(formatter: &mut fmt::Formatter<'_>, name: &str, list: &[Expression]) -> fmt::Result {
    write!(formatter, "{name}(")?;
    for (index, inner) in list.iter().enumerate() {
        if index > 0 {
            formatter.write_str(", ")?;
        }
        write!(formatter, "{inner}")?;
    }
    formatter.write_str(")")
}
