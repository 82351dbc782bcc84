//! Text to syntax: the grammar alone, names not yet looked up.
//!
//! ```text
//! sum     = product (("+" | "-") product)*
//! product = unary (("*" | "/") unary)*
//! unary   = "-"* postfix
//! postfix = atom ("[" digits "]")*
//! atom    = number | "$" name | name [ "(" [ argument ("," argument)* ] ")" ] [ "." name ] | "(" sum ")"
//! argument = [ name "=" ] sum
//! ```

use winnow::{
    LocatingSlice, ModalResult, Parser,
    ascii::digit1,
    combinator::{alt, eof, opt, preceded, repeat, separated, terminated},
    error::{ErrMode, ParserError},
    stream::{Location, Stateful, Stream},
    token::{one_of, take_while},
};

use super::{EXPRESSION_DEPTH_MAX, EXPRESSION_LENGTH_MAX, Fault, LAG_MAX};
use crate::{error_code::ErrorCode, simulation::rules::Arithmetic};

/// An expression as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Syntax {
    Number(f64),
    Parameter(String),
    Name(Name),
    Lag(Box<Self>, usize),
    Negate(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
}

/// A source, an indicator or a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub(super) name: String,
    /// None without parentheses.
    pub(super) arguments: Option<Vec<Argument>>,
    pub(super) output: Option<String>,
}

/// One argument, by name or by place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Syntax,
}

/// Reads a whole expression.
///
/// # Errors
/// `too_long`, `too_deep`, or `syntax` with the place and what was expected there.
pub(super) fn read(text: &str) -> Result<Syntax, Fault> {
    if text.len() > EXPRESSION_LENGTH_MAX {
        let message = format!(
            "an expression has at most {EXPRESSION_LENGTH_MAX} bytes, this one has {}",
            text.len()
        );
        return Err(Fault::new(ErrorCode::TooLong, message));
    }
    let mut input = Input { input: LocatingSlice::new(text), state: Depth(0) };
    let whole = terminated(sum, expect(eof.void(), "an operator or the end"));
    match preceded(space, whole).parse_next(&mut input) {
        Ok(syntax) => Ok(syntax),
        Err(ErrMode::Cut(stop) | ErrMode::Backtrack(stop)) => Err(stop.into_fault(text)),
        Err(ErrMode::Incomplete(_)) => Err(Stop::default().into_fault(text)),
    }
}

type Input<'a> = Stateful<LocatingSlice<&'a str>, Depth>;

/// How many parentheses are open.
#[derive(Debug, Clone, Copy)]
struct Depth(u32);

/// Where and why reading stopped.
#[derive(Debug, Clone, Default)]
struct Stop {
    at: usize,
    reason: Reason,
}

#[derive(Debug, Clone, Default)]
enum Reason {
    #[default]
    NoExpression,
    Expected(&'static str),
    TooDeep,
    Other(ErrorCode, String),
}

impl Stop {
    fn cut(input: &Input<'_>, reason: Reason) -> ErrMode<Self> {
        ErrMode::Cut(Self { at: input.current_token_start(), reason })
    }

    fn into_fault(self, text: &str) -> Fault {
        let place = match text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => {
                let column = text[..self.at].chars().count() + 1;
                format!("at character {column} (`{}`)", found.escape_debug())
            }
            None => "at the end".to_owned(),
        };
        match self.reason {
            Reason::NoExpression => Fault::new(
                ErrorCode::Syntax,
                format!("{place}: a number, a name, `$parameter` or `(` is expected"),
            ),
            Reason::Expected(what) => {
                Fault::new(ErrorCode::Syntax, format!("{place}: {what} is expected"))
            }
            Reason::TooDeep => Fault::new(
                ErrorCode::TooDeep,
                format!("parentheses are nested more than {EXPRESSION_DEPTH_MAX} deep"),
            ),
            Reason::Other(code, message) => Fault::new(code, format!("{place}: {message}")),
        }
    }
}

impl ParserError<Input<'_>> for Stop {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Self { at: input.current_token_start(), reason: Reason::NoExpression }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

type Parsed<T> = ModalResult<T, Stop>;

fn sum(input: &mut Input<'_>) -> Parsed<Syntax> {
    let first = product.parse_next(input)?;
    let operator =
        alt((symbol('+').value(Arithmetic::Add), symbol('-').value(Arithmetic::Subtract)));
    chain(first, (operator, product), input)
}

fn product(input: &mut Input<'_>) -> Parsed<Syntax> {
    let first = unary.parse_next(input)?;
    let operator =
        alt((symbol('*').value(Arithmetic::Multiply), symbol('/').value(Arithmetic::Divide)));
    chain(first, (operator, unary), input)
}

/// Left-associative operations after `first`.
fn chain<'a>(
    first: Syntax,
    mut step: impl Parser<Input<'a>, (Arithmetic, Syntax), ErrMode<Stop>>,
    input: &mut Input<'a>,
) -> Parsed<Syntax> {
    let mut left = first;
    loop {
        let start = input.checkpoint();
        match step.parse_next(input) {
            Ok((operator, right)) => {
                left = Syntax::Arithmetic(operator, Box::new(left), Box::new(right));
            }
            Err(ErrMode::Backtrack(_)) => {
                input.reset(&start);
                return Ok(left);
            }
            Err(stop) => return Err(stop),
        }
    }
}

/// Minus signs cancel out in pairs.
fn unary(input: &mut Input<'_>) -> Parsed<Syntax> {
    let signs: usize = repeat(0.., symbol('-')).parse_next(input)?;
    let operand = postfix.parse_next(input)?;
    Ok(match (signs % 2, operand) {
        (0, operand) => operand,
        (_, Syntax::Number(number)) => Syntax::Number(0.0 - number),
        (_, Syntax::Negate(operand)) => *operand,
        (_, operand) => Syntax::Negate(Box::new(operand)),
    })
}

/// Lags of lags add up.
fn postfix(input: &mut Input<'_>) -> Parsed<Syntax> {
    let mut operand = atom.parse_next(input)?;
    while opt(symbol('[')).parse_next(input)?.is_some() {
        let candles = lag.parse_next(input)?;
        expect(symbol(']'), "`]`").parse_next(input)?;
        let (inner, before) = if let Syntax::Lag(inner, before) = operand {
            (inner, before)
        } else {
            (Box::new(operand), 0)
        };
        let sum = before + candles;
        if sum > LAG_MAX {
            let message = format!("a lag looks back at most {LAG_MAX} candles");
            return Err(Stop::cut(input, Reason::Other(ErrorCode::InvalidLag, message)));
        }
        operand = if sum == 0 { *inner } else { Syntax::Lag(inner, sum) };
    }
    Ok(operand)
}

fn lag(input: &mut Input<'_>) -> Parsed<usize> {
    if opt(symbol('-')).parse_next(input)?.is_some() {
        let message = "a lag looks back: it cannot be negative".to_owned();
        return Err(Stop::cut(input, Reason::Other(ErrorCode::InvalidLag, message)));
    }
    let digits = expect(token(digit1), "a whole number of candles").parse_next(input)?;
    // More digits than fit are more candles than allowed, which the caller says.
    Ok(digits.parse().unwrap_or(usize::MAX / 2))
}

fn atom(input: &mut Input<'_>) -> Parsed<Syntax> {
    #[cfg(test)]
    work::count_atom();
    alt((number, parameter, name.map(Syntax::Name), group)).parse_next(input).map_err(|stop| {
        match stop {
            ErrMode::Backtrack(_) => Stop::cut(input, Reason::NoExpression),
            other @ (ErrMode::Cut(_) | ErrMode::Incomplete(_)) => other,
        }
    })
}

fn number(input: &mut Input<'_>) -> Parsed<Syntax> {
    let fraction = ('.', digit1).void();
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1).void();
    let digits = alt(((digit1, opt(('.', digit1))).void(), fraction));
    let text = token((digits, opt(exponent)).take()).parse_next(input)?;
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Syntax::Number(number)),
        Ok(_) | Err(_) => {
            let message = "this number is too large".to_owned();
            Err(Stop::cut(input, Reason::Other(ErrorCode::Invalid, message)))
        }
    }
}

fn parameter(input: &mut Input<'_>) -> Parsed<Syntax> {
    '$'.parse_next(input)?;
    let name = expect(identifier, "the name of a parameter").parse_next(input)?;
    Ok(Syntax::Parameter(name.to_owned()))
}

fn group(input: &mut Input<'_>) -> Parsed<Syntax> {
    symbol('(').parse_next(input)?;
    let inner = nested(sum, input)?;
    expect(symbol(')'), "an operator or `)`").parse_next(input)?;
    Ok(inner)
}

fn name(input: &mut Input<'_>) -> Parsed<Name> {
    let name = identifier.parse_next(input)?.to_owned();
    let arguments = opt(arguments).parse_next(input)?;
    let output = match opt(symbol('.')).parse_next(input)? {
        Some(()) => Some(expect(identifier, "the name of an output").parse_next(input)?.to_owned()),
        None => None,
    };
    Ok(Name { name, arguments, output })
}

fn arguments(input: &mut Input<'_>) -> Parsed<Vec<Argument>> {
    symbol('(').parse_next(input)?;
    if opt(symbol(')')).parse_next(input)?.is_some() {
        return Ok(Vec::new());
    }
    let list = nested(separated(1.., argument, symbol(',')), input)?;
    expect(symbol(')'), "an operator, `,` or `)`").parse_next(input)?;
    Ok(list)
}

fn argument(input: &mut Input<'_>) -> Parsed<Argument> {
    let name = opt(terminated(identifier, symbol('='))).parse_next(input)?.map(str::to_owned);
    Ok(Argument { name, value: sum.parse_next(input)? })
}

/// `parser` one level of parentheses deeper.
fn nested<'a, T>(
    mut parser: impl Parser<Input<'a>, T, ErrMode<Stop>>,
    input: &mut Input<'a>,
) -> Parsed<T> {
    if input.state.0 >= EXPRESSION_DEPTH_MAX {
        return Err(Stop::cut(input, Reason::TooDeep));
    }
    input.state.0 += 1;
    let parsed = parser.parse_next(input);
    input.state.0 -= 1;
    parsed
}

fn identifier<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    let first = one_of(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    token((first, rest).take()).parse_next(input)
}

fn symbol<'a>(symbol: char) -> impl Parser<Input<'a>, (), ErrMode<Stop>> {
    token(symbol.void())
}

/// `parser` and the white space after it.
fn token<'a, T>(
    parser: impl Parser<Input<'a>, T, ErrMode<Stop>>,
) -> impl Parser<Input<'a>, T, ErrMode<Stop>> {
    terminated(parser, space)
}

fn space(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., |c: char| c.is_ascii_whitespace()).void().parse_next(input)
}

/// Nothing but `parser` can come here.
fn expect<'a, T>(
    mut parser: impl Parser<Input<'a>, T, ErrMode<Stop>>,
    what: &'static str,
) -> impl Parser<Input<'a>, T, ErrMode<Stop>> {
    move |input: &mut Input<'a>| {
        let start = input.checkpoint();
        parser.parse_next(input).map_err(|stop| match stop {
            ErrMode::Backtrack(_) => {
                input.reset(&start);
                Stop::cut(input, Reason::Expected(what))
            }
            other @ (ErrMode::Cut(_) | ErrMode::Incomplete(_)) => other,
        })
    }
}

/// How much work reading is: what a test holds against the length of the text.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static ATOMS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count_atom() {
        ATOMS.set(ATOMS.get() + 1);
    }

    /// Atoms that were begun while `work` ran in this thread.
    pub(crate) fn atoms_begun(work: impl FnOnce()) -> usize {
        let before = ATOMS.get();
        work();
        ATOMS.get() - before
    }
}
