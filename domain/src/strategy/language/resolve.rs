//! Syntax to expressions: names become sources, functions and indicators with all their arguments.

use super::{
    Fault,
    expression::{Argument, Call, Expression},
    meant,
    suggest::{did_you_mean, shown},
    syntax::{self, Name, Syntax},
};
use crate::error_code::ErrorCode;
use crate::simulation::{
    indicators::{self, IndicatorSpec, ParameterKind},
    source::Source,
};

/// Reads an expression and looks its names up.
///
/// # Errors
/// One syntax error, or everything that is wrong with its names and arguments.
pub fn parse(text: &str) -> Result<Expression, Vec<Fault>> {
    let syntax = syntax::read(text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    match resolve(syntax, &mut faults) {
        Some(expression) if faults.is_empty() => Ok(expression),
        Some(_) | None => Err(faults),
    }
}

/// Reads a bare indicator (`sma`, `macd.signal`, `rsi[1]`) whose arguments stand beside it by name.
///
/// # Errors
/// As [`parse`]; also if it is not an indicator or already has arguments. Faults of an argument
/// come with its name.
pub(super) fn parse_with(
    text: &str,
    arguments: Vec<(String, Given)>,
) -> Result<Expression, Vec<(Option<String>, Fault)>> {
    let whole = |fault| vec![(None, fault)];
    let (name, lag) = match syntax::read(text).map_err(whole)? {
        Syntax::Name(name) => (name, None),
        Syntax::Lag(inner, candles) => {
            let Syntax::Name(name) = *inner else { return Err(whole(not_bare())) };
            (name, Some(candles))
        }
        Syntax::Number(_) | Syntax::Parameter(_) | Syntax::Negate(_) | Syntax::Arithmetic(..) => {
            return Err(whole(not_bare()));
        }
    };
    if name.arguments.as_ref().is_some_and(|list| !list.is_empty()) {
        return Err(whole(not_bare()));
    }
    let Some(spec) = indicators::find(&name.name) else {
        let fault = if Source::parse(&name.name).is_some() {
            Fault::new(
                ErrorCode::Invalid,
                format!("`{}` is a source and takes no params", name.name),
            )
        } else {
            unknown_indicator(&name.name)
        };
        return Err(whole(fault));
    };
    let mut slots = Slots::new(spec);
    let mut faults = Vec::new();
    for (argument, given) in arguments {
        if let Err(fault) = slots.set_named(&argument, given) {
            faults.push((Some(argument), fault));
        }
    }
    let output = resolve_output(spec, name.output.as_deref());
    let output = output.map_err(|fault| faults.push((None, fault))).unwrap_or(0);
    if !faults.is_empty() {
        return Err(faults);
    }
    let call = Expression::Call(slots.into_call(output));
    Ok(match lag {
        Some(candles) => Expression::Lag(Box::new(call), candles),
        None => call,
    })
}

/// An argument as it is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Number(f64),
    Parameter(String),
    Source(Source),
}

fn not_bare() -> Fault {
    Fault::new(ErrorCode::Invalid, "with `params` beside it, this is the bare name of an indicator")
}

fn resolve(syntax: Syntax, faults: &mut Vec<Fault>) -> Option<Expression> {
    match syntax {
        Syntax::Number(number) => Some(Expression::Number(number)),
        Syntax::Parameter(name) => Some(Expression::Parameter(name)),
        Syntax::Name(name) => resolve_name(name, faults),
        Syntax::Lag(inner, candles) => {
            Some(Expression::Lag(Box::new(resolve(*inner, faults)?), candles))
        }
        Syntax::Negate(inner) => Some(resolve(*inner, faults)?.negated()),
        Syntax::Arithmetic(operator, left, right) => {
            let (left, right) = (resolve(*left, faults), resolve(*right, faults));
            Some(Expression::Arithmetic(operator, Box::new(left?), Box::new(right?)))
        }
    }
}

fn resolve_name(name: Name, faults: &mut Vec<Fault>) -> Option<Expression> {
    let result = match name {
        Name { name, arguments: Some(arguments), output } if is_function(&name) => {
            return resolve_function(&name, arguments, output.as_deref(), faults);
        }
        Name { name, arguments, output } => match Source::parse(&name) {
            Some(source) if arguments.is_none() && output.is_none() => {
                Ok(Expression::Source(source))
            }
            Some(_) => {
                let message = format!("`{name}` is a source: it takes no arguments or outputs");
                Err(Fault::new(ErrorCode::Invalid, message))
            }
            None => match indicators::find(&name) {
                Some(spec) => {
                    return resolve_call(
                        spec,
                        arguments.unwrap_or_default(),
                        output.as_deref(),
                        faults,
                    );
                }
                None => Err(unknown_indicator(&name)),
            },
        },
    };
    result.map_err(|fault| faults.push(fault)).ok()
}

fn is_function(name: &str) -> bool {
    FUNCTIONS.iter().any(|function| function.eq_ignore_ascii_case(name))
}

/// What can be called that is not an indicator.
const FUNCTIONS: [&str; 3] = ["min", "max", "abs"];

fn resolve_function(
    name: &str,
    arguments: Vec<syntax::Argument>,
    output: Option<&str>,
    faults: &mut Vec<Fault>,
) -> Option<Expression> {
    let before = faults.len();
    if output.is_some() {
        faults.push(Fault::new(ErrorCode::UnknownOutput, format!("`{name}` has only one output")));
    }
    let mut list = Vec::new();
    for argument in arguments {
        if argument.name.is_some() {
            let message = format!("the arguments of `{name}` have no names");
            faults.push(Fault::new(ErrorCode::UnknownArgument, message));
        }
        list.extend(resolve(argument.value, faults));
    }
    if faults.len() > before {
        return None;
    }
    let count = list.len();
    let (wanted, fits) = match name.to_ascii_lowercase().as_str() {
        "abs" => ("one argument", count == 1),
        _ => ("two arguments or more", count >= 2),
    };
    if !fits {
        let message = format!("`{name}` takes {wanted}, not {count}");
        faults.push(Fault::new(ErrorCode::Invalid, message));
        return None;
    }
    match name.to_ascii_lowercase().as_str() {
        "min" => Some(Expression::Min(list)),
        "max" => Some(Expression::Max(list)),
        _ => list.pop().map(|inner| Expression::Abs(Box::new(inner))),
    }
}

fn resolve_call(
    spec: &'static IndicatorSpec,
    arguments: Vec<syntax::Argument>,
    output: Option<&str>,
    faults: &mut Vec<Fault>,
) -> Option<Expression> {
    let before = faults.len();
    let mut slots = Slots::new(spec);
    let mut is_named = false;
    for (index, argument) in arguments.into_iter().enumerate() {
        let syntax::Argument { name, value } = argument;
        let placed = given(spec, value).and_then(|given| match name {
            Some(name) => {
                is_named = true;
                slots.set_named(&name, given)
            }
            None if is_named => Err(Fault::new(
                ErrorCode::Invalid,
                format!("an argument of `{}` without a name follows one with a name", spec.name),
            )),
            None => slots.set_placed(index, given),
        });
        if let Err(fault) = placed {
            faults.push(fault);
        }
    }
    let output = resolve_output(spec, output);
    let output = output.map_err(|fault| faults.push(fault)).ok()?;
    (faults.len() == before).then(|| Expression::Call(slots.into_call(output)))
}

/// The value of an argument: a number, a parameter or a source.
fn given(spec: &IndicatorSpec, value: Syntax) -> Result<Given, Fault> {
    match value {
        Syntax::Number(number) => Ok(Given::Number(number)),
        Syntax::Parameter(name) => Ok(Given::Parameter(name)),
        Syntax::Name(Name { name, arguments: None, output: None }) => {
            Source::parse(&name).map(Given::Source).ok_or_else(|| unknown_source(&name))
        }
        Syntax::Name(_) | Syntax::Lag(..) | Syntax::Negate(_) | Syntax::Arithmetic(..) => {
            let message = format!(
                "an argument of `{}` is a number, a `$parameter` or a source, not an expression",
                spec.name
            );
            Err(Fault::new(ErrorCode::Invalid, message))
        }
    }
}

fn resolve_output(spec: &IndicatorSpec, output: Option<&str>) -> Result<usize, Fault> {
    let Some(output) = output else { return Ok(spec.default_output) };
    let found = spec.outputs.iter().position(|known| known.eq_ignore_ascii_case(output));
    found.ok_or_else(|| {
        let message = format!(
            "`{}` has no output `{}`, it has {}",
            spec.name,
            shown(output),
            spec.outputs.join(", ")
        );
        Fault::new(ErrorCode::UnknownOutput, message)
    })
}

/// The arguments of a call while they come in.
struct Slots {
    spec: &'static IndicatorSpec,
    given: Vec<Option<Given>>,
}

impl Slots {
    fn new(spec: &'static IndicatorSpec) -> Self {
        Self { spec, given: vec![None; spec.parameters.len()] }
    }

    fn set_placed(&mut self, index: usize, given: Given) -> Result<(), Fault> {
        if index >= self.given.len() {
            let message = match self.given.len() {
                0 => format!("`{}` takes no arguments", self.spec.name),
                1 => format!("`{}` takes one argument", self.spec.name),
                count => format!("`{}` takes at most {count} arguments", self.spec.name),
            };
            return Err(Fault::new(ErrorCode::Invalid, message));
        }
        self.set(index, given)
    }

    fn set_named(&mut self, name: &str, given: Given) -> Result<(), Fault> {
        let names = || self.spec.parameters.iter().map(|parameter| parameter.name);
        let Some(index) = names().position(|known| known.eq_ignore_ascii_case(name)) else {
            let known = names().collect::<Vec<_>>().join(", ");
            let message = match self.given.len() {
                0 => format!("`{}` takes no arguments", self.spec.name),
                _ => format!(
                    "`{}` has no argument `{}`, it has {known}{}",
                    self.spec.name,
                    shown(name),
                    did_you_mean(name, names())
                ),
            };
            return Err(Fault::new(ErrorCode::UnknownArgument, message));
        };
        self.set(index, given)
    }

    fn set(&mut self, index: usize, given: Given) -> Result<(), Fault> {
        let parameter = &self.spec.parameters[index];
        let is_source = matches!(parameter.kind, ParameterKind::Source { .. });
        if is_source != matches!(given, Given::Source(_)) {
            let wanted = if is_source { "a source such as close" } else { "a number" };
            let message = format!("{} of `{}` is {wanted}", parameter.name, self.spec.name);
            return Err(Fault::new(ErrorCode::Invalid, message));
        }
        if self.given[index].is_some() {
            let message = format!("{} of `{}` is given twice", parameter.name, self.spec.name);
            return Err(Fault::new(ErrorCode::Invalid, message));
        }
        self.given[index] = Some(given);
        Ok(())
    }

    fn into_call(self, output: usize) -> Call {
        let mut call = Call { spec: self.spec, numbers: Vec::new(), source: Source::Close, output };
        for (given, parameter) in self.given.into_iter().zip(self.spec.parameters) {
            match (given, &parameter.kind) {
                (Some(Given::Number(number)), _) => call.numbers.push(Argument::Number(number)),
                (Some(Given::Parameter(name)), _) => call.numbers.push(Argument::Parameter(name)),
                (Some(Given::Source(source)), _) => call.source = source,
                (None, ParameterKind::Source { default }) => call.source = *default,
                (None, ParameterKind::Integer { default, .. }) => {
                    call.numbers.push(Argument::Number(f64::from(*default)));
                }
                (None, ParameterKind::Number { default, .. }) => {
                    call.numbers.push(Argument::Number(*default));
                }
            }
        }
        call
    }
}

fn unknown_indicator(name: &str) -> Fault {
    if is_function(name) {
        let message = format!(
            "`{name}` is a function of expressions, which stand in parentheses behind it, not an indicator"
        );
        return Fault::new(ErrorCode::UnknownIndicator, message);
    }
    let near = match meant::indicator(name, &known_names().collect::<Vec<_>>()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => String::new(),
    };
    let message = format!("there is no indicator or source `{}`{near}", shown(name));
    Fault::new(ErrorCode::UnknownIndicator, message)
}

fn unknown_source(name: &str) -> Fault {
    let near = did_you_mean(name, SOURCES.map(Source::as_str));
    let message = format!("`{}` is not a source{near}", shown(name));
    Fault::new(ErrorCode::UnknownSource, message)
}

/// Every source, in the order of the documentation.
pub(super) const SOURCES: [Source; 8] = [
    Source::Open,
    Source::High,
    Source::Low,
    Source::Close,
    Source::Volume,
    Source::Hl2,
    Source::Hlc3,
    Source::Ohlc4,
];

fn known_names() -> impl Iterator<Item = &'static str> {
    let indicators = indicators::ALL
        .iter()
        .flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()));
    indicators.chain(SOURCES.map(Source::as_str)).chain(FUNCTIONS)
}
