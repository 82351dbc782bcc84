//! A row: one combination and its result, and the hash over all rows.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::spec::Objective;
use crate::{
    fields::FieldError,
    simulation::{
        SimulationError,
        hash::{CanonicalError, Digest, canonical},
        metrics::Metrics,
    },
    strategy::parameters::Parameters,
};

/// A combination of parameters and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Starts at 1, in the order of the combinations.
    pub number: u32,
    /// The parameters that vary.
    pub parameters: Parameters,
    #[serde(flatten)]
    pub result: RowResult,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowResult {
    Figures(Box<Figures>),
    Error(RowError),
}

/// The results of one simulation, identical to those of a full backtest to the last digit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    pub final_balance: Decimal,
    /// Including an open one.
    pub trades_count: u32,
    pub ambiguous_trades_count: u32,
    /// Without those that would need a separate pass. See [`crate::simulation::metrics::is_key`].
    pub metrics: Metrics,
}

/// Why a combination has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowError {
    /// `not_enough_candles`, `no_candles`, `overflow`, `unsupported_setting`.
    pub code: String,
    pub message: String,
}

impl Figures {
    /// Without the drawdown periods, which no row has.
    #[expect(clippy::needless_pass_by_value, reason = "made for this row")]
    pub(crate) fn new(
        final_balance: Decimal,
        trades_count: usize,
        ambiguous_trades_count: usize,
        metrics: Metrics,
    ) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            final_balance,
            trades_count: number(trades_count),
            ambiguous_trades_count: number(ambiguous_trades_count),
            metrics: Metrics { drawdown_periods: Vec::new(), ..metrics },
        }
    }
}

impl RowError {
    /// The parameters are not those of the strategy.
    pub(super) fn unbound(errors: &[FieldError]) -> Self {
        let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        Self { code: "invalid_strategy".to_owned(), message: messages.join("; ") }
    }
}

impl From<&SimulationError> for RowError {
    fn from(error: &SimulationError) -> Self {
        let code = match error {
            SimulationError::NoCandles => "no_candles",
            SimulationError::NothingToEvaluate { .. } => "not_enough_candles",
            SimulationError::Stopped => "stopped",
            SimulationError::Unsupported(_) => "unsupported_setting",
            SimulationError::Overflow(_) => "overflow",
        };
        Self { code: code.to_owned(), message: error.to_string() }
    }
}

impl RowResult {
    /// The numbers, if there are some.
    #[must_use]
    pub fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Figures(figures) => Some(figures),
            Self::Error(_) => None,
        }
    }
}

impl Row {
    /// The value that it is ranked by.
    #[must_use]
    pub fn objective(&self, objective: &Objective) -> Option<f64> {
        objective.value(&self.result.figures()?.metrics)
    }
}

/// The rows by rank, the best first: indices; equal ones in their order.
#[must_use]
pub fn ranking(rows: &[Row], objective: &Objective) -> Vec<usize> {
    let values: Vec<Option<f64>> = rows.iter().map(|row| row.objective(objective)).collect();
    let mut ranking: Vec<usize> = (0..rows.len()).collect();
    ranking.sort_by(|left, right| objective.order(values[*left], values[*right]));
    ranking
}

/// The hash of all rows, each of them: number u32 ‖ canonical JSON of the parameters ‖ 00 and the error's code, else 01
/// and the final balance as text, trades u32, ambiguous trades u32, the metrics as in a result hash; texts are
/// followed by a line feed, numbers are little endian.
///
/// # Errors
/// Values that canonical JSON cannot hold.
pub fn rows_hash(rows: &[Row]) -> Result<Digest, CanonicalError> {
    let mut hasher = Sha256::new();
    for row in rows {
        hasher.update(row.number.to_le_bytes());
        hasher.update(canonical(&row.parameters)?);
        hasher.update(b"\n");
        match &row.result {
            RowResult::Error(error) => {
                hasher.update([0]);
                hasher.update(error.code.as_bytes());
                hasher.update(b"\n");
            }
            RowResult::Figures(figures) => {
                hasher.update([1]);
                hasher.update(figures.final_balance.normalize().to_string().as_bytes());
                hasher.update(b"\n");
                hasher.update(figures.trades_count.to_le_bytes());
                hasher.update(figures.ambiguous_trades_count.to_le_bytes());
                for metric in figures.metrics.hashed() {
                    match metric {
                        None => hasher.update([0]),
                        Some(value) => {
                            hasher.update([1]);
                            hasher.update(value.to_le_bytes());
                        }
                    }
                }
            }
        }
    }
    Ok(Digest(hasher.finalize().into()))
}
