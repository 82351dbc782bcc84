//! Which backtests a list shows, and in which order.

use chrono::{DateTime, Utc};
use domain::{backtest::Origin, error_code::ErrorCode, job::Status, market::Timeframe};
use projections::{
    backtests::{BacktestSort, TimeRange},
    metric::{Metric, MetricFilter},
};
use serde_json::Value;

use crate::{
    http::{
        brackets::Bracketed,
        fields::{Field, Fields, Input, Kind, choices, field},
        paging::{self, Paging},
        values::{self, DayEnd},
    },
    rest::job,
};

const TIMES: [&str; 4] = ["created_at", "completed_at", "start_time", "end_time"];

/// Which backtests a list shows.
pub(crate) struct BacktestQuery {
    pub(crate) strategy: Option<String>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) origins: Vec<Origin>,
    /// A part of the strategy's name or of the market's symbol.
    pub(crate) search: Option<String>,
    /// A market or an asset.
    pub(crate) symbol: Option<String>,
    /// An asset.
    pub(crate) asset: Option<String>,
    pub(crate) timeframe: Option<Timeframe>,
    pub(crate) metrics: Vec<MetricFilter>,
    /// In the order of [`TIMES`].
    pub(crate) times: [TimeRange; 4],
    pub(crate) sort: BacktestSort,
    pub(crate) descending: bool,
    pub(crate) include: Include,
    pub(crate) paging: Paging,
}

/// What else is shown with each backtest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) metrics: bool,
    pub(crate) strategy: bool,
}

pub(crate) const INCLUDE: Field =
    field("include", Kind::Text, "`metrics`, `strategy`, or both separated by a comma.");

impl Input for BacktestQuery {
    const NAME: &'static str = "BacktestQuery";
    const FIELDS: &'static [Field] = &[
        job::STRATEGY_ID,
        job::STATUS,
        field(
            "origin",
            Kind::AnyOf(&["user", "automation", "replay", "sweep"]),
            "Filters by what requested the backtest; several are separated by commas.",
        ),
        field(
            "search",
            Kind::Text,
            "Filters by a part of the strategy's name or of the market's symbol, in any case.",
        ),
        field("symbol", Kind::Text, "Filters by market, or by asset: all markets with that base."),
        field("asset_symbol", Kind::Text, "Filters by asset: all markets with that base."),
        field("timeframe", Kind::Text, "Filters by timeframe."),
        field("interval", Kind::Text, "Alias of `timeframe`."),
        field(
            "sort",
            Kind::Text,
            "`created_at`, `completed_at`, `initial_balance`, `final_balance` or the name of a metric; prefix it with `-` for descending order (`-sharpe_ratio`). The same names and `start_time` and `end_time` can also be used as filters: `sharpe_ratio[gte]=2` (`gt`, `gte`, `lt`, `lte`, `eq`; times only `gte` and `lte`).",
        ),
        INCLUDE,
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn is_extra(name: &str) -> bool {
        Bracketed::parse(name).is_some()
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let statuses = job::read_statuses(fields);
        let (sort, descending) = read_sort(fields);
        let mut query = Self {
            strategy: fields.text(&["strategy_id"], 200),
            statuses,
            origins: fields.any_of("origin", &Origin::ALL, Origin::as_str),
            search: fields.text(&["search"], 100),
            symbol: fields.text(&["symbol"], 60),
            asset: fields.text(&["asset_symbol"], 60),
            timeframe: fields.timeframe(&["timeframe", "interval"]),
            metrics: Vec::new(),
            times: [TimeRange::default(); 4],
            sort,
            descending,
            include: Include::read(fields),
            paging: Paging::read(fields),
        };
        for (name, value) in fields.map().clone() {
            if let Some(bracketed) = Bracketed::parse(&name) {
                query.read_filter(fields, &bracketed, &value);
            }
        }
        Some(query)
    }
}

impl Include {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut include = Self::default();
        let names = fields.text(&["include"], 100).unwrap_or_default();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "metrics" => include.metrics = true,
                "strategy" => include.strategy = true,
                other => {
                    let message =
                        format!("`{other}` cannot be included; use `metrics` or `strategy`.");
                    fields.error("include", ErrorCode::Invalid, message);
                }
            }
        }
        include
    }

    /// Whether what is shown depends on the backtest alone.
    pub(crate) fn is_own(self) -> bool {
        !self.strategy
    }
}

/// Only `include`.
impl Input for Include {
    const NAME: &'static str = "Include";
    const FIELDS: &'static [Field] = &[INCLUDE];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self::read(fields))
    }
}

impl BacktestQuery {
    fn read_filter(&mut self, fields: &mut Fields<'_>, bracketed: &Bracketed<'_>, value: &Value) {
        let Bracketed { name, filtered, comparison } = *bracketed;
        if let Some(index) = TIMES.iter().position(|time| *time == filtered) {
            let range = &mut self.times[index];
            let read = |day| values::time(value, day);
            let (end, time) = match comparison {
                "gte" => (&mut range.from, read(DayEnd::Start)),
                "lte" => (&mut range.to, read(DayEnd::End)),
                _ => {
                    return fields.error(
                        name,
                        ErrorCode::Invalid,
                        format!("`{name}`: use gte and lte."),
                    );
                }
            };
            match time {
                Ok(time) => set(end, time),
                Err(message) => {
                    fields.error(name, ErrorCode::Invalid, format!("`{name}` {message}."))
                }
            }
            return;
        }
        let Some(metric) = Metric::parse(filtered) else {
            let known: Vec<&str> = Metric::filters().chain(TIMES).collect();
            let choices = choices(filtered, &known);
            let message = format!("Lists cannot be filtered by `{filtered}`.{choices}");
            return fields.error(name, ErrorCode::UnknownField, message);
        };
        if let Some((comparison, number)) = bracketed.number(fields, value) {
            let value = number / values::metric_scale(filtered);
            self.metrics.push(MetricFilter { metric, comparison, value });
        }
    }
}

fn set(end: &mut Option<DateTime<Utc>>, time: DateTime<Utc>) {
    *end = Some(time);
}

fn read_sort(fields: &mut Fields<'_>) -> (BacktestSort, bool) {
    let text = fields.text(&["sort"], 60).unwrap_or_else(|| "-created_at".to_owned());
    let name = text.strip_prefix('-').unwrap_or(&text);
    let descending = text.starts_with('-');
    match name {
        "created_at" => return (BacktestSort::CreatedAt, descending),
        "completed_at" => return (BacktestSort::CompletedAt, descending),
        _ => {}
    }
    if let Some(metric) = Metric::parse(name) {
        return (BacktestSort::Metric(metric), descending);
    }
    let known: Vec<&str> =
        ["created_at", "completed_at"].into_iter().chain(Metric::filters()).collect();
    let message = format!("Lists cannot be sorted by `{name}`.{}", choices(name, &known));
    fields.error("sort", ErrorCode::Invalid, message);
    (BacktestSort::CreatedAt, descending)
}
