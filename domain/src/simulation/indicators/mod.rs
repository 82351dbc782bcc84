//! The indicators: one file each, looked up by name in one table.

mod ad;
mod adosc;
mod adx;
mod adxr;
mod aroon;
mod atr;
mod bbands;
mod calculate;
mod cci;
mod cmo;
mod dema;
mod directional;
mod donchian;
mod dx;
mod ema;
mod highest;
mod in_steps;
mod kama;
mod linearreg;
mod lowest;
mod macd;
mod mfi;
mod minus_di;
mod mom;
mod natr;
mod obv;
mod plus_di;
mod ppo;
mod roc;
mod rolling;
mod rsi;
mod sar;
mod sma;
mod smoothing;
mod stddev;
mod stoch;
mod stochrsi;
mod stream;
mod supertrend;
mod tema;
mod trange;
mod trix;
mod ultosc;
mod vwap;
mod willr;
mod wma;

#[cfg(test)]
mod tests;

pub use calculate::{Output, calculate};
pub(super) use in_steps::stream;
pub(super) use rolling::{RunningSum, ends, larger, smaller, sum};
pub(super) use stream::Stream;

use super::{candles::Candles, source::Source};

/// The longest period that is allowed, as in TA-Lib: 100,000 candles are 69 days of minutes.
pub const MAXIMUM_PERIOD: u32 = 100_000;

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

impl ParameterSpec {
    /// A count of candles, 1 to [`MAXIMUM_PERIOD`].
    const fn period(name: &'static str, default: u32) -> Self {
        Self { name, kind: ParameterKind::Integer { minimum: 1, maximum: MAXIMUM_PERIOD, default } }
    }

    /// The column that is read.
    const fn source(default: Source) -> Self {
        Self { name: "source", kind: ParameterKind::Source { default } }
    }
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

/// All outputs of an indicator over all candles, in the order of its spec.
pub type Columns = Vec<Column>;

impl IndicatorCall {
    /// The columns that it reads.
    #[must_use]
    pub fn compute(&self, candles: &Candles) -> Columns {
        (self.spec.compute)(candles, &self.arguments)
    }

    /// Whether the other one reads the same columns; its output may be another.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.arguments == other.arguments
    }
}

impl PartialEq for IndicatorCall {
    fn eq(&self, other: &Self) -> bool {
        (self.spec.name, &self.arguments, self.output)
            == (other.spec.name, &other.arguments, other.output)
    }
}

/// Values over all candles; those before `first_defined` are zero and mean nothing. A quotient by zero is no value.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Index of the first value; the length when there is none.
    pub first_defined: usize,
    /// As many as there are candles.
    pub values: Vec<f64>,
}

impl Column {
    /// A column of `len` zeros with its first value at `first_defined`, or nowhere where that is beyond the end.
    fn undefined(len: usize, first_defined: usize) -> Self {
        Self { first_defined: first_defined.min(len), values: vec![0.0; len] }
    }

    /// The value at `index`, if there is one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<f64> {
        let value = (index >= self.first_defined).then(|| self.values.get(index).copied())?;
        value.filter(|value| value.is_finite())
    }
}

/// Every indicator, in the order of the catalogue.
pub const ALL: &[&IndicatorSpec] = &[
    &sma::SPEC,
    &ema::SPEC,
    &wma::SPEC,
    &dema::SPEC,
    &tema::SPEC,
    &kama::SPEC,
    &trix::SPEC,
    &rsi::SPEC,
    &cmo::SPEC,
    &macd::SPEC,
    &ppo::SPEC,
    &bbands::SPEC,
    &stddev::SPEC,
    &linearreg::SPEC,
    &roc::SPEC,
    &mom::SPEC,
    &highest::SPEC,
    &lowest::SPEC,
    &trange::SPEC,
    &atr::SPEC,
    &natr::SPEC,
    &plus_di::SPEC,
    &minus_di::SPEC,
    &dx::SPEC,
    &adx::SPEC,
    &adxr::SPEC,
    &stoch::SPEC,
    &stochrsi::SPEC,
    &cci::SPEC,
    &willr::SPEC,
    &mfi::SPEC,
    &ultosc::SPEC,
    &aroon::SPEC,
    &sar::SPEC,
    &obv::SPEC,
    &ad::SPEC,
    &vwap::SPEC,
    &adosc::SPEC,
    &donchian::SPEC,
    &supertrend::SPEC,
];

/// The indicator of that name or alias, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static IndicatorSpec> {
    let is_named = |known: &&str| known.eq_ignore_ascii_case(name);
    ALL.iter().copied().find(|spec| is_named(&spec.name) || spec.aliases.iter().any(is_named))
}
