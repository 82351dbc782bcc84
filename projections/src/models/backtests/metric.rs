//! Metrics as columns: their names, types, filters and order.

use domain::simulation::metrics::{Metrics, recorded_name};

/// Metrics that are whole numbers.
const COUNTS: [&str; 3] = ["total_trades", "winning_trades", "losing_trades"];
/// Metrics that are exact amounts of money.
const AMOUNTS: [&str; 2] = ["total_pnl", "total_fees"];

/// Amounts of a run that are no metrics, but by which runs are filtered and sorted like by them.
const BALANCES: [&str; 2] = ["initial_balance", "final_balance"];

/// A metric or a balance by which runs are filtered and sorted, as a real number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    name: &'static str,
    expression: &'static str,
}

/// `metric comparison value`; runs without the metric never fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricFilter {
    pub metric: Metric,
    pub comparison: Comparison,
    /// In the read model's units: fractions, not percent.
    pub value: f64,
}

/// How a metric is held against a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
}

impl Metric {
    /// The metric (a field of [`Metrics`]) or balance of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let expression = match name {
            "total_trades" => "(total_trades::double precision)",
            "winning_trades" => "(winning_trades::double precision)",
            "losing_trades" => "(losing_trades::double precision)",
            "total_pnl" => "(total_pnl::double precision)",
            "total_fees" => "(total_fees::double precision)",
            "initial_balance" => "(initial_balance::double precision)",
            "final_balance" => "(final_balance::double precision)",
            _ => recorded_name(Metrics::NAMES.iter().find(|known| **known == name)?),
        };
        let name = Self::filters().find(|known| *known == name)?;
        Some(Self { name, expression })
    }

    /// Everything that lists are filtered and sorted by.
    pub fn filters() -> impl Iterator<Item = &'static str> {
        Self::names().chain(BALANCES)
    }

    /// Every metric's name, in the order of [`Metrics`].
    pub fn names() -> impl Iterator<Item = &'static str> {
        COUNTS.into_iter().chain(AMOUNTS).chain(Metrics::NAMES.iter().copied())
    }

    /// The column of each, in the same order.
    pub(crate) fn columns() -> impl Iterator<Item = &'static str> {
        Self::names().map(recorded_name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Its value as SQL, `double precision` or null.
    pub(crate) const fn expression(self) -> &'static str {
        self.expression
    }

    /// Whether it is in the table of states, and not in that of metrics.
    pub(super) fn is_of_states(self) -> bool {
        self.name == "initial_balance"
    }

    /// The same where the table of states is `t` and that of metrics `m`.
    pub(crate) fn qualified(self) -> String {
        let table = if self.is_of_states() { "t" } else { "m" };
        match self.expression.strip_prefix('(') {
            Some(cast) => format!("({table}.{cast}"),
            None => format!("{table}.{}", self.expression),
        }
    }
}

impl Comparison {
    /// The comparison of that word (`gte`), if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "gt" => Some(Self::Gt),
            "gte" => Some(Self::Gte),
            "lt" => Some(Self::Lt),
            "lte" => Some(Self::Lte),
            "eq" => Some(Self::Eq),
            _ => None,
        }
    }

    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
            Self::Eq => "=",
        }
    }
}

/// The columns of all metrics with their SQL types.
pub(crate) fn columns() -> Vec<(&'static str, &'static str)> {
    let counts = COUNTS.into_iter().map(|name| (name, "integer"));
    let amounts = AMOUNTS.into_iter().map(|name| (name, "numeric"));
    let reals = Metrics::NAMES.iter().map(|name| (recorded_name(name), "double precision"));
    counts.chain(amounts).chain(reals).collect()
}
