//! What a page of backtests walks over, and in which order.

use super::{METRICS, TABLE};

/// What is walked, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// All runs by a key that each of them has.
    States,
    /// All runs by a key that some lack; those come last.
    EndedStates,
    /// Completed runs by the time of their request.
    Completed,
    /// Completed runs by a metric with an index; those without it, and runs that are not completed, come last.
    Metrics,
    /// The newest completed runs, sorted by a metric without an index.
    NewestMetrics,
    /// The newest runs, sorted by what has no index.
    NewestStates,
}

impl Walk {
    /// The table that is walked, and what the other conditions call it.
    pub(super) const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::States | Self::EndedStates | Self::NewestStates => (TABLE, "t"),
            Self::Completed | Self::Metrics | Self::NewestMetrics => (METRICS, "m"),
        }
    }

    pub(super) const fn is_of_newest(self) -> bool {
        matches!(self, Self::NewestMetrics | Self::NewestStates)
    }

    /// Whether its rows come in about the order in which they were written.
    pub(super) const fn is_in_time(self) -> bool {
        matches!(self, Self::States | Self::EndedStates | Self::Completed)
    }

    /// Whether runs without the key come after the walk.
    pub(super) const fn has_rest(self) -> bool {
        matches!(self, Self::EndedStates | Self::Metrics | Self::NewestMetrics)
    }
}
