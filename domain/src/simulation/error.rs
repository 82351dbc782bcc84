//! The reasons for which a simulation has no outcome.

/// Why a simulation has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// No candle lies in the range.
    #[error("there are no candles in the range")]
    NoCandles,
    /// The warm-up uses up the whole range.
    #[error(
        "no candle of the range can be evaluated: the indicators need {needed} candles, there are {available}"
    )]
    NothingToEvaluate {
        /// Candles that must come before the first evaluation, it included.
        needed: usize,
        /// Candles there are, warm-up included.
        available: usize,
    },
    /// The observer stopped it.
    #[error("the run was stopped")]
    Stopped,
    /// Settings and strategy ask for what does not go together.
    #[error("{0}")]
    Unsupported(String),
    /// A number left the exact range (prices or balances beyond what 8 decimals can hold).
    #[error("{0}")]
    Overflow(String),
}

/// That `what` does not fit into the exact numbers of the ledger.
pub(crate) fn overflow(what: &str) -> SimulationError {
    SimulationError::Overflow(format!("{what} is too large to be counted exactly"))
}
