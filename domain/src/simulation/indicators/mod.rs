//! The indicators: one file each, found by name in one table.

use super::{candles::Candles, rules::Source};

/// An indicator as the catalogue shows it and the engine computes it.
#[derive(Debug)]
pub struct IndicatorSpec {
    /// Lower case.
    pub name: &'static str,
    /// Other names (`max` for `highest`).
    pub aliases: &'static [&'static str],
    /// A sentence with the formula's name.
    pub description: &'static str,
    /// In the documented order.
    pub parameters: &'static [ParameterSpec],
    /// Names of the outputs; one for a single one (`value`).
    pub outputs: &'static [&'static str],
    /// Index in `outputs` of the one meant without a name.
    pub default_output: usize,
    /// First 0-based index at which every output is defined.
    pub first_defined: fn(&Arguments) -> usize,
    /// All outputs over all candles, in the order of `outputs`.
    pub compute: fn(&Candles, &Arguments) -> Vec<Column>,
}

/// One parameter of an indicator.
#[derive(Debug)]
pub struct ParameterSpec {
    pub name: &'static str,
    pub kind: ParameterKind,
}

/// What a parameter may be, ends included, and its default.
#[derive(Debug)]
pub enum ParameterKind {
    Integer { minimum: u32, maximum: u32, default: u32 },
    Number { minimum: f64, maximum: f64, default: f64 },
    Source { default: Source },
}

/// The arguments of a call, checked against the spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments {
    /// The integers and numbers, in the order of the spec without its source.
    pub numbers: Vec<f64>,
    /// The source, where the spec has one, else `close`.
    pub source: Source,
}

impl Arguments {
    /// The number at `index` as a count of candles (the spec made it a whole number).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by spec")]
    pub fn period(&self, index: usize) -> usize {
        self.numbers[index] as usize
    }
}

/// One output of one indicator with its arguments.
#[derive(Debug, Clone)]
pub struct IndicatorCall {
    pub spec: &'static IndicatorSpec,
    pub arguments: Arguments,
    pub output: usize,
}

impl PartialEq for IndicatorCall {
    fn eq(&self, other: &Self) -> bool {
        (self.spec.name, &self.arguments, self.output)
            == (other.spec.name, &other.arguments, other.output)
    }
}

/// Values over all candles; those before `first_defined` are zero and mean nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Index of the first value; the length when there is none.
    pub first_defined: usize,
    /// As many as there are candles.
    pub values: Vec<f64>,
}

/// Every indicator, in the order of the catalogue.
pub const ALL: &[&IndicatorSpec] = &[];

/// The indicator of that name or alias, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static IndicatorSpec> {
    let is_named = |known: &&str| known.eq_ignore_ascii_case(name);
    ALL.iter().copied().find(|spec| is_named(&spec.name) || spec.aliases.iter().any(is_named))
}
