//! Which backtests a list shows, as conditions on the tables.

use chrono::{DateTime, Utc};
use domain::{
    backtest::Origin,
    ids::{StrategyId, UserId},
    job::Status,
    market::{Symbol, Timeframe},
};

use super::metric::MetricFilter;
use crate::sql::page::Select;

/// Filters a list of backtests. Fields that are not set let every run through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BacktestFilter {
    pub owner_id: Option<UserId>,
    pub strategy_id: Option<StrategyId>,
    /// Matches any of these; if empty, all.
    pub statuses: Vec<Status>,
    pub symbol: Option<Symbol>,
    /// Every market with that base.
    pub asset_symbol: Option<String>,
    pub timeframe: Option<Timeframe>,
    /// Matches any of these; if empty, all.
    pub origins: Vec<Origin>,
    /// A part of the strategy's name or of the market's symbol, in any case.
    pub search: Option<String>,
    /// All of these must match.
    pub metrics: Vec<MetricFilter>,
    pub created_at: TimeRange,
    pub completed_at: TimeRange,
    pub start_time: TimeRange,
    pub end_time: TimeRange,
}

/// Both ends are inclusive; a missing end is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl BacktestFilter {
    /// Adds the conditions on what a run is pinned to and on the time of its request: each has an index.
    pub(super) fn add_keys(&self, select: &mut Select) {
        if let Some(owner) = self.owner_id {
            select.compare("owner_id =", owner.uuid());
        }
        if let Some(strategy) = self.strategy_id {
            select.compare("strategy_id =", strategy.uuid());
        }
        if let Some(symbol) = &self.symbol {
            select.compare("symbol =", symbol.as_str().to_owned());
        }
        if let Some(asset) = &self.asset_symbol {
            select.compare("asset_symbol =", asset.clone());
        }
        if let Some(timeframe) = self.timeframe {
            select.compare("timeframe =", timeframe.as_str());
        }
        select.any("origin", &self.origins, Origin::as_str);
        self.created_at.add(select, "created_at");
    }

    /// Adds the condition on the status; returns whether it lets completed runs through, and others.
    pub(super) fn add_states(&self, select: &mut Select) -> (bool, bool) {
        select.any("status", &self.statuses, Status::as_str);
        let is_any = self.statuses.is_empty();
        let has_completed = is_any || self.statuses.contains(&Status::Completed);
        let has_others = is_any || self.statuses.iter().any(|one| *one != Status::Completed);
        (has_completed, has_others)
    }

    /// Adds the conditions without an index.
    pub(super) fn add_others(&self, select: &mut Select) {
        for MetricFilter { metric, comparison, value } in &self.metrics {
            let expression = metric.qualified();
            select.compare(&format!("{expression} {}", comparison.sql()), *value);
        }
        self.completed_at.add(select, "t.completed_at");
        self.start_time.add(select, "t.start_time");
        self.end_time.add(select, "t.end_time");
        if let Some(search) = &self.search {
            select.contains(&["t.strategy_name", "t.symbol"], search);
        }
    }

    /// Whether a condition without an index looks at the table of states.
    pub(super) fn needs_states(&self) -> bool {
        let ranges = [self.completed_at, self.start_time, self.end_time];
        self.search.is_some()
            || ranges.iter().any(|range| *range != TimeRange::default())
            || self.metrics.iter().any(|one| one.metric.is_of_states())
    }

    /// The owner, if nothing but owner and statuses is asked for.
    pub(super) fn counted_owner(&self) -> Option<UserId> {
        let plain =
            Self { owner_id: self.owner_id, statuses: self.statuses.clone(), ..Self::default() };
        self.owner_id.filter(|_| *self == plain)
    }
}

impl TimeRange {
    /// Adds it as conditions on a column.
    fn add(self, select: &mut Select, column: &str) {
        if let Some(from) = self.from {
            select.compare(&format!("{column} >="), from);
        }
        if let Some(to) = self.to {
            select.compare(&format!("{column} <="), to);
        }
    }
}
